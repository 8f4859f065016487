// Command bench measures s3mount beside s3fs and rclone on the same work, the
// same server and the same link.
//
//	make bench                                                   # everything
//	cd integration && go run ./bench -rows 'seq|ls' -links 20    # a part of it
//	cd integration && go run ./bench -scale 0.05 -tools s3mount,s3fs
//
// A full run prints an overview and writes RESULTS.md, with all columns, and
// report.html, one page with charts that needs no network and is not kept in
// the repository; a part of it writes what -out and -html name. No row begins
// after 70 minutes (-budget). A full run needs 6 GiB in /dev/shm. With less,
// its files are on a disk and the speed of the disk is measured, too.
//
// # Concepts
//
// Link: how far S3 is. At 0 ms the programs speak to the server itself and the
// requests are counted from its access log; at 20 ms a proxy stands between
// that delays each request and holds each connection to 90 MB/s, and counts.
//
// Row: a piece of work on a mount, such as reading 1 GiB. It starts on a fresh
// mount, runs as a process of its own, and has 45 seconds, in which S3 must
// also come to hold what was written. A tool that hangs or fails has a note in
// place of figures; its connection to the kernel is aborted and its mount
// detached, so that the next row does not suffer. It is not tried farther away.
//
// Seed: what the bucket holds before the work. It was filled by another S3
// client ("client"), and then a mount stored the attributes of one file; or
// through a mount of s3mount ("mount", and "-mount" in the name of the row).
// Nothing is filled for rows that begin with an empty bucket.
//
// Tool: a program that mounts. GeeseFS and goofys are measured if geesefs and
// goofys are in PATH. raw is package s3 without a mount, the mark that
// a filesystem on top of it can at best reach; it runs in a process of its own.
// journal is s3mount --durability=journal, in the rows that write. All have
// the options that come by themselves, but s3fs listobjectsv2, and rclone the
// cache mode without which it cannot write; the row of the disk cache turns
// on that of each. rclone keeps no modes and owners, as a note tells.
//
// Run: large rows with a raw form are measured three times (-times) for raw and
// s3mount, in turns, and the median run is told: their ratios are what is held to
// goals. The machine rests before large work.
//
// Ballast: memory that is touched before a row with large files and given away
// as its work begins. In a virtual machine free memory may be slow to get, and
// the first tool of a row would pay for all.
//
// # Columns
//
// s: seconds until the work was done for the application; held, or in
// brackets: seconds until S3 had all of it, where that is later. CPU s: user
// and system seconds of the mount's process during the work, and per GiB that
// the application read or wrote, in rows of 64 MiB and more. RSS: its largest
// resident set. moved/asked: bytes of bodies over the link, both ways, for
// each byte that the application read or wrote (at 20 ms, where somebody
// counts them). requests: those of the work alone, in all and by kind; they do
// not depend on the machine. ahead: how often s3mount's time, until S3 held
// everything, fits into that of the best peer which did the work.
//
// # Files
//
// main.go has the options, rows.go the rows, seed.go, upload.go and fixture.go what they
// find, work.go and raw.go what they do; tool.go mounts; run.go measures, with
// measure.go and ballast.go; report.go, markdown.go, chart.go and html.go tell.
package main
