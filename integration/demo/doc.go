// Command demo shows s3mount at work on a real S3 server.
//
//	demo start    starts versitygw on a loopback port, mounts a bucket of it,
//	              uses it with everyday commands and leaves it mounted
//	demo stop     unmounts, stops the server and removes everything
//	demo record   writes a recording of a run to a directory, as text and as an image
//
// All files of a run are in one directory.
package main
