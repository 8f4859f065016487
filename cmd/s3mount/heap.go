package main

import "runtime/debug"

const (
	// gcPercent makes the collector run when the heap has grown by half, not when it
	// has doubled: data blocks lie outside the heap, and what is left of it, names,
	// inodes and requests, is cheap to go through. Reading 10,000 small files then
	// stays below 64 MiB in all.
	gcPercent = 50
	// heapBeside is what the heap may take beyond --memory-limit before the collector
	// runs more often: names and inodes count within the limit, garbage does not. With
	// 32 MiB, find over 1,000,000 objects stays 64 MiB above a limit of 64 MiB.
	heapBeside = 32 << 20
)

// calmHeap sets that for a mount with a memory limit in bytes, unless the user has
// set GOGC or GOMEMLIMIT (package runtime).
func calmHeap(lookup func(string) (string, bool), limit int64) {
	if _, set := lookup("GOGC"); !set {
		debug.SetGCPercent(gcPercent)
	}
	if _, set := lookup("GOMEMLIMIT"); !set {
		debug.SetMemoryLimit(limit + heapBeside)
	}
}
