package main

import "runtime/debug"

const (
	// gcPercent makes the garbage collector run when the heap has grown by half instead
	// of doubled. That is cheap, because data blocks are outside the heap and only names,
	// inodes and requests are in it. Reading 10,000 small files then takes less than
	// 64 MiB in total.
	gcPercent = 50
	// heapBeside is the memory that the heap may take beyond --memory-limit before the
	// collector runs more often. Names and inodes count within the limit, garbage does
	// not. With 32 MiB, find over 1,000,000 objects stays 64 MiB above a limit of 64 MiB.
	heapBeside = 32 << 20
)

// calmHeap configures the garbage collector for a memory limit in bytes, unless the user
// has set GOGC or GOMEMLIMIT (package runtime).
func calmHeap(lookup func(string) (string, bool), limit int64) {
	if _, set := lookup("GOGC"); !set {
		debug.SetGCPercent(gcPercent)
	}
	if _, set := lookup("GOMEMLIMIT"); !set {
		debug.SetMemoryLimit(limit + heapBeside)
	}
}
