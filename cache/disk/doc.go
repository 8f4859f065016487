// Package disk keeps blocks of object data in files, so that they survive a
// restart and several mounts can share them. It knows neither S3 nor the
// filesystem. Everything in it may be evicted at any time.
//
// # Concepts
//
//   - A version (key and ETag) has two files. The data file has the layout of the
//     object, so that the kernel can read a completely cached object by itself. The
//     index has one record for each extent of the data file, with the time of its
//     last use and a checksum for each block that is present.
//   - A block is served only if its checksum matches.
//   - Usage is a counter of bytes in a shared mapping, which all processes that use
//     the folder add to.
//   - Eviction removes the extents that were used least recently, until the cache
//     is within its size and the disk has enough free space.
//   - After an error of the disk the cache pauses (trouble). A cache that cannot be
//     read or written behaves like a cache that does not have the block.
//
// # Flow
//
//	Read  ──> open files ──> record in the index ──> pread ──> checksum ──> bytes, or a miss
//	Write ──> reserve room (evict) ──> pwrite ──> record in the index
//	File  ──> all blocks present and checked ──> a descriptor for the kernel
//
// # Locks
//
// In this order, from top to bottom: Cache.evicting, Cache.mu, file.mu. Between
// processes, the locks of flock(2) are taken in the order that Cache documents.
//
// # Invariants
//
//   - A block is served only if its checksum, key, ETag, size and index match.
//   - The counter of bytes is never less than the size of the files. A crash can
//     only leave it too high, and the first user after a crash counts again.
package disk
