// Command bench measures s3mount beside s3fs and rclone on the same work, the
// same server and the same link, and writes one table.
//
//	go run ./bench [-rows REGEXP] [-tools LIST] [-links LIST] [-scale F]
//
// # Concepts
//
// Link: how far S3 is. At 0 ms the programs speak to the server itself and the
// requests are counted from its access log; at 20 ms a proxy stands between
// that delays each request and holds each connection to 90 MB/s, and counts.
//
// Row: a piece of work on a mount, such as reading 1 GiB. It starts on a fresh
// mount, runs as a process of its own, and has a deadline.
//
// Tool: a program that mounts; raw is package s3 without a mount, the mark
// that a filesystem on top of it can at best reach.
//
// # Columns
//
// s: seconds until the work was done for the application. held: seconds until
// S3 had all of it, where that is later. CPU: user and system seconds of the
// mount's process during the work. RSS: its largest resident set. requests: by
// kind, those of the work alone.
package main
