// Package setup prepares a mount: it creates the local directories, finds credentials and
// endpoint, creates the client, and requests a first listing of the bucket.
//
// Most mistakes become visible at the first request. CheckBucket explains a failure in one
// line that names the cause and the remedy, and each kind has an exit code. The doctor uses
// the same functions as a mount.
package setup
