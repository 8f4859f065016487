// Command demo shows s3mount at work on a real S3 server.
//
//	demo start    starts versitygw on a loopback port, mounts a bucket of it,
//	              uses it with everyday commands and leaves it mounted
//	demo stop     unmounts, stops the server and removes everything
//
// All that it makes lies in one directory, see dir.
package main
