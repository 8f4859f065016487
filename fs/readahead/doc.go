// Package readahead turns reads of open files into few, large, early GETs. It keeps
// a window ahead of each reader filled and answers reads from the block cache.
//
// # Concepts
//
//   - A Reader reads one version of an object (P2, I2). Every GET carries If-Match if
//     the version has an ETag. The package also compares every answer with the
//     version, because some servers ignore conditions. A reader gets the bytes of its
//     version or ErrStale, never a mix.
//   - A fetch fills one Fill of the block cache with one or more GETs in sequence. It
//     belongs to no caller: an interrupted caller does not stop it. It ends when its
//     bytes have arrived, when S3 refuses, when it makes no progress for
//     Options.Deadline, or when nobody needs it any more.
//   - A hedge is a second GET beside a GET whose answer is late. A pace detects a body
//     that is ten times slower than others, and the rest is requested again. At most
//     one GET in 20 is such a second GET. A watchdog cancels and replaces a GET that
//     makes no progress. Package s3 does all other retries.
//   - A stream is a sequence of reads of one Reader: forward, backward, or at equal
//     distances. A Reader distinguishes up to four streams. Reads that continue no
//     stream are random: they fetch only the requested pages, as fine blocks (sparse),
//     until a quarter of a block was fetched that way.
//   - The window is the number of bytes that a stream fetches ahead. It is lanes ×
//     (fetch size + bandwidth-delay product). Lanes and fetch size grow when a read has
//     to wait. The package measures bandwidth and latency on all GETs (link). The window
//     is bounded by a window, by a multiple of the bytes that the stream has
//     covered, by the bandwidth of the link, and by the stream's share of the memory.
//   - An audit compares the checksum of all bytes of a version with the checksum that S3
//     reports with a GET of the whole object or with a HEAD. A small object is fetched
//     without a range, and its readers get no bytes before the comparison. A large
//     object costs one HEAD. After a mismatch the blocks are dropped and open readers
//     get ErrCorrupt.
//
// # Flow
//
//	Open   ─> opening: GET of the first bytes ─> Reader; the body goes on into blocks
//	ReadAt ─> observe: find the stream ───┐
//	       ─> demand: Fill of absent      │ hungry streams, in turn
//	          blocks ─> enqueue           v
//	                       │         pull ─> Fill ahead of the reader
//	                       └─────┬───────┘
//	                             v  at most Options.Connections
//	                   fetch.run ─> disk cache, then GET ─> block memory
//	       ─> Pins.Wait ─> Pins, handed to the kernel without a copy
//
// Reads that wait are served before fetches ahead, and streams take turns. While there
// are random reads, a quarter of the connections is reserved for them.
//
// # Memory
//
// Under memory pressure a Claim fails, and fetching ahead pauses until the next read. A
// read that finds no memory exceeds the budget; at most emergencies reads do so at a time
// (I8). A long sequential read releases the blocks that it has passed
// (cache.Object.Spend).
//
// # Locks
//
// Manager.mu guards the streams and the queues. It ranks above audit.mu and above the
// locks of package cache. It is not held during a request or a wait.
//
// # Invariants
//
//   - I1, I2: tests compare every byte under faults and changes of the object.
//   - After a wrong checksum is detected, no bytes of that version are read.
//   - At most Options.Connections GETs and HEADs are in flight.
//   - The goroutine that runs a fetch always ends its Fill.
//   - Memory is at most the budget's limit, plus emergencies × the largest read, plus one
//     block for each Open in progress (I8).
//   - After Close nothing runs. When all readers are closed and all Pins are done, every
//     gauge is 0 (I9).
package readahead
