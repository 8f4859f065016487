// Package readahead turns reads of open files into few, large, early GETs: it
// keeps a window ahead of each reader filled, and answers reads out of the block
// cache.
//
// # Concepts
//
// A Reader shows one version of an object to its end (P2, I2). Every GET carries
// If-Match where there is an ETag, and every answer is held to the version, for
// not every server knows conditions: the reader gets the bytes of its version or
// ErrStale, never a blend.
//
// A fetch is one Fill of the block cache being brought, by as many GETs, one
// after the other, as it takes. It belongs to no caller: whoever waits for a
// block may be interrupted, the fetch goes on. It ends when its bytes are there,
// when S3 refuses, when it made no progress for Options.Deadline, or when the
// reader that it ran ahead of went elsewhere. A GET whose answer is late, judged
// by those before it, is sent once more beside it (hedge); of one whose body comes
// ten times slower than those beside it, or before it where it is alone, the rest is
// asked for again, once (pace); one GET in 20 may be such a second one. A GET that
// stands still is replaced by another one
// (watchdog): a stalled connection costs seconds, not the time-out of TCP. The rest
// of retrying is package s3's.
//
// A stream is a sequence of reads of one Reader: forward, backward, or at equal
// distances. A Reader tells up to four apart, so that the threads of a program,
// or a program that reads two parts in turn, each have a window. Reads that
// continue no stream are random. The first few fetch a block each, since any of
// them may begin a sequence; then only the pages that are asked for, as fine
// blocks (sparse), until a quarter of a block was fetched that way. The
// amplification of 400 random 4 KiB reads of 1 GiB is 1.3, of which 0.16 is what
// Open fetches; where they are dense it is at most 5.
//
// # The window
//
// The window of a stream is lanes × (fetch size + bandwidth-delay product): what
// keeps so many GETs of that size in flight, each asked for one round trip before
// its connection is free. Both factors grow when a read had to wait, so a slow
// reader keeps a small window and a fast one fills the link. The bandwidth and
// the time to the first byte are measured on all GETs (link). The window is
// bounded by Options.Window, by a multiple of what the stream has covered so far,
// by what all connections together bring in a second, and by the stream's share
// of the memory; window and lanes stay small where the disk cache has the bytes.
// Under memory pressure a Claim fails and fetching ahead pauses until the next
// read. What a lone stream is past by slackLimit, so that no late request of the
// kernel wants it any more, is spent: see cache.Object.Spend. A read that finds no
// memory at all takes it beyond the budget, a few at a time (emergencies), so that
// readers progress whatever writers hold (I8).
//
// # Flow
//
//	Open   ─> opening: GET of the first bytes ─> Reader; the body goes on into blocks
//	ReadAt ─> observe: which stream? ─────┐
//	       ─> demand: Fill of what is     │ hungry streams, in turn
//	          absent ─> enqueue           v
//	                       │         pull ─> Fill ahead of the reader
//	                       └─────┬───────┘
//	                             v  at most Options.Connections
//	                   fetch.run ─> disk cache, then GET ─> block memory
//	       ─> Pins.Wait ─> Pins, handed to the kernel without a copy
//
// Whoever waits comes before what is fetched ahead; streams that fetch ahead take
// turns. While there are random reads a quarter of the connections is left to
// them.
//
// # Checksums
//
// Each GET adds up the checksums of its bytes (audit). When all bytes of a version have
// come, in any order, the sum is compared with the checksum of the object. S3 gives that
// with a GET of the whole object and with a HEAD. Small objects are therefore fetched
// without a range, and readers get their bytes after the comparison (Fill.Hold). For a
// large object one HEAD asks when half of it has come in four GETs or more. After a
// wrong checksum a small object is fetched once more; otherwise the blocks are dropped
// and the open readers get ErrCorrupt for good.
//
// # Locks
//
// Manager.mu guards the streams and the queues, and stands above the locks of
// package cache. It is held across no request and no wait.
//
// # Invariants
//
//   - I1, I2: tests compare every byte under faults and changes of the object.
//   - Bytes of a version with a wrong checksum are not read once that is known.
//   - At most Options.Connections GETs and HEADs are in flight.
//   - A Fill is always ended by the goroutine that runs its fetch.
//   - Memory is at most the budget's limit, emergencies × the largest read, and
//     one block for each Open under way (I8).
//   - After Close nothing runs, and when all readers are closed and all Pins done
//     every gauge is 0 (I9); each test ends with that check.
//
// # Measured
//
// Simulated link of 20 ms and 90 MB/s per connection, 16 connections, in virtual
// time: 1 GiB forward by reads of 1 MiB at 1.09 GB/s, 0.91 of what 16 connections
// carry that ask for 8 MiB at a time from the start, every byte moved once; random
// 4 KiB reads 20.1 ms each; 800 reads of 128 KiB backward in 0.26 s; eight readers
// of 24 MiB with 4 MiB of memory in 0.78 s.
package readahead
