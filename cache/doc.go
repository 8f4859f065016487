// Package cache holds blocks of object data in memory and on disk, and an LRU of
// metadata. Everything in it may be evicted at any time. It knows neither S3 nor
// the filesystem. It does not hold dirty data, but its Budget counts the memory of
// dirty data.
//
// # Concepts
//
//   - Budget counts the bytes that readers, fetches and writers hold together (P11,
//     I8). Clean memory stays charged until someone needs the room. Acquire reclaims
//     it first, and waits only if that is not enough.
//   - Pool hands out memory of a few size classes and charges the Budget for it. The
//     memory is mapped outside the Go heap, so that it costs the garbage collector
//     nothing. Memory for bytes that have not arrived yet is reserved: it is charged,
//     but allocated only when the first byte arrives.
//   - Blocks caches object data. An Object is one version. Its bytes are blocks of
//     BlockSize. Each block is filled once, from its start to its end, and never
//     changes (see blockState). Object.Fine offers small blocks for random reads.
//   - Pins holds the blocks of one range for a reader. Many readers share a block.
//   - Fill is a run of absent blocks that one fetch brings. The package does not
//     fetch: the caller that claims a Fill reads the bytes and calls Advance or
//     Abandon. Readers wait for bytes, not for whole blocks.
//   - Metadata is an LRU of facts about keys. It is bounded by bytes, and each entry
//     has a time to live. An entry may state that a key is absent.
//
// Package cache/disk keeps blocks in files below Blocks.
//
// # Flow of a read
//
//	Object.Pin ──all present──> Pins.Slices ──> (kernel) ──> Pins.Done
//	     │ absent
//	     v
//	Pins.Claim ──> Fill ──Load: from the disk──┐
//	                 └──Next, Advance: from S3─┴─> blocks ready ──> disk
//	Pins.Wait ──ErrAgain──> Pins.Retry, and from Claim again
//
// # Locks
//
// Locks are acquired from top to bottom. No lock is held during disk I/O, a channel
// wait or a call into a lower package.
//
//	Blocks.mu > Budget.deficit (atomic)
//	Pool.mu
//	Budget.mu
//
// Blocks.mu is not held while memory is acquired or released, because the Budget
// may then call Blocks to reclaim memory.
//
// # Invariants
//
//   - I1: the bytes [0, filled) of a block never change. The tests protect freed
//     memory, so that a late use faults, and compare all bytes.
//   - A block is pinned, or on exactly one of the lists, or gone.
//   - A Fill ends complete or abandoned. Nobody waits for a block without a Fill.
//   - Budget.Used is the sum of the memory that Pool holds, the memory that is
//     reserved, and the memory that writers charged directly.
//   - Held and warm memory of the Pool together stay within the limit, except for
//     forced memory.
//   - At the end all gauges are 0 (I9): Blocks.Stats, Pool.Stats, Budget.Used.
package cache
