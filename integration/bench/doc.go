// Command bench measures s3mount, s3fs and rclone with the same work, the same server and
// the same link.
//
//	make bench                                                   # everything
//	cd integration && go run ./bench -rows 'seq|ls' -links 20    # a part of it
//	cd integration && go run ./bench -scale 0.05 -tools s3mount,s3fs
//
// A full run prints an overview. It writes RESULTS.md with all columns, and report.html, a
// page with charts that loads nothing and is not in the repository. A partial run writes the
// files that -out and -html name. No row begins after 70 minutes (-budget). A full run needs
// 6 GiB in /dev/shm. With less, the files of the server are on a disk, which affects the
// results.
//
// # Concepts
//
// Link: the latency to S3. At 0 ms the programs connect to the server directly, and its
// access log provides the number of requests. At 20 ms they connect to a proxy, which delays
// each request, limits each connection to 90 MB/s, and counts requests and bytes.
//
// Row: a piece of work on a mount, such as reading 1 GiB. It begins on a new mount, runs in
// a separate process, and must end within 45 seconds. S3 must have all data by then. If a
// tool hangs or fails, the row shows the reason, and the bench aborts the mount. The tool is
// not tried over longer links if it exceeded the time limit.
//
// Seed: the content of the bucket before the work. Another S3 client wrote it ("client"),
// after which a mount stored the attributes of one file, or a mount of s3mount wrote it
// ("mount", and "-mount" in the name of the row). Some rows begin with an empty bucket.
//
// Tool: a program that mounts. GeeseFS and goofys are measured if they are in PATH. raw is
// package s3 without a mount, the upper limit for a filesystem that uses it. journal is
// s3mount --durability=journal, in rows that write. All tools have their default options,
// with these exceptions: s3fs has listobjectsv2, rclone has the cache mode that it needs to
// write, and the row of the disk cache enables the cache of each tool. rclone stores no modes
// and owners, as a note shows.
//
// Run: raw and s3mount run large rows three times (-times), in turns, and the report shows
// the run with the median time. The machine rests before large work.
//
// Ballast: memory that is allocated before a row with large files and released when its work
// begins. In a virtual machine, free memory may be slow to obtain, and the first tool of a row
// would pay for it.
//
// # Columns
//
//   - s: seconds until the work was done for the application.
//   - held, or the time in brackets: seconds until S3 had all data, if that is later.
//   - CPU s: user and system seconds of the mount's process during the work, in all and per
//     GiB that the application read or wrote, in rows of at least 64 MiB.
//   - RSS: the largest resident set of the mount's process.
//   - moved/asked: bytes of bodies over the link in both directions, divided by the bytes
//     that the application read or wrote. Only the proxy counts them.
//   - requests: the requests of the work, in all and by kind. They do not depend on the
//     machine.
//   - ahead: the time of the fastest peer divided by the time of s3mount, both until S3 had
//     all data.
//
// # Data flow
//
//	main.go ──> rows.go ──> seed.go, upload.go, fixture.go   fill the bucket
//	   │           └─────> script.go, work.go, raw.go        do the work
//	   ├──> run.go ──> tool.go                               mount
//	   │       └─────> measure.go, ballast.go                measure
//	   └──> report.go ──> markdown.go, chart.go, html.go     report
package main
