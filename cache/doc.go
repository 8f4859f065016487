// Package cache holds clean knowledge: blocks of object data in memory and on
// disk, and the metadata LRU. Anything in it may vanish at any time; it knows
// neither S3 nor the filesystem. What is dirty is not here, but its memory is
// counted here, by the one Budget.
//
// # Concepts
//
// Budget counts the bytes that readers, fetches and writers hold together (P11,
// I8). Clean memory stays charged until someone wants the room; then it is
// reclaimed, and only if that is not enough does the caller wait, in order.
//
// Pool hands out memory of a few size classes and charges the Budget for it. The
// memory is mapped outside the Go heap: it costs the garbage collector nothing,
// and a limit of n bytes means n bytes. What is held and what is kept for the
// next Get together stay within the limit; what lies idle goes back to the OS.
// Memory for bytes that are still to come is reserved: charged, and taken when
// the first of them is there.
//
// Blocks caches object data. A version is an Object; its bytes are blocks of
// BlockSize, each filled once, from its start to its end, and never changed. A
// reader pins the blocks of a range (Pins), claims those that are absent (Fill)
// for a fetch to bring, and waits for its bytes, not for whole blocks. Any number
// of readers share a block and its one fetch. A version may also have fine
// blocks, of FineSize, for reads here and there (Object.Fine). The package does
// not fetch: who got a Fill does, and tells how far it is or that it gives up.
// What a sequential reader is past (Object.Spend) goes at once, if it can be had
// from the disk or belongs to an object too large to be kept. See blockState for
// the life of a block.
//
// Disk keeps blocks in files, below Blocks and over restarts; see there for what
// protects it from damage and from other mounts.
//
// Metadata is an LRU of what is known about keys, bounded by bytes, each entry
// with a time to live; it may hold that a key is absent.
//
// # Flow of a read
//
//	Object.Pin ──all there──> Pins.Slices ──> (kernel) ──> Pins.Done
//	     │ absent
//	     v
//	Pins.Claim ──> Fill ──Load: from the disk──┐
//	                 └──Next, Advance: from S3─┴─> blocks ready ──> disk
//	Pins.Wait ──ErrAgain──> Pins.Retry, and from Claim again
//
// # Locks
//
// From top to bottom; none is held while a lower package, a channel or the disk
// is waited for, those of Disk excepted, which are of the disk:
//
//	Disk.evicting > Disk.mu > diskFile.mu
//	Blocks.mu     > Budget.deficit (atomic)
//	Pool.mu
//	Budget.mu
//
// Memory is taken and given back with Blocks.mu free, because taking may make
// the Budget call back for reclaiming.
//
// # Invariants
//
//   - I1: the bytes [0, filled) of a block never change. Tests protect freed
//     memory so that late use faults, and compare all bytes.
//   - A block is pinned, or on exactly one of the lists, or gone (Blocks.check
//     in the tests).
//   - A Fill ends complete or abandoned; nobody waits for a block without one.
//   - Budget.Used is what Pool holds plus what is reserved of it plus what writers
//     charged by themselves.
//   - Held and warm memory of the Pool stay within the limit, forced memory
//     excepted.
//   - A block of the disk is served only if its checksum, its version's names,
//     its size and its place fit.
//   - At the end all gauges are 0 (I9): Blocks.Stats, Pool.Stats, Budget.Used.
//
// # Measured
//
// On two virtual CPUs: pinning 1 MiB that is in memory and letting it go takes
// 0.4 µs and makes no garbage; a block of memory from the Pool and back 65 ns;
// reading a block from the page cache of the disk with its checksum 20 µs
// (6.5 GB/s), writing one 30 to 140 µs, with eviction.
package cache
