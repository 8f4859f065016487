// Package writeback holds the bytes that applications have written and S3 does
// not hold yet, and commits them.
package writeback
