// Package namespace maps the names of a filesystem to the keys of a bucket.
package namespace
