package main

import "runtime/debug"

// gcPercent makes the collector run when the heap has grown by half, not when it
// has doubled: data blocks lie outside the heap, and what is left of it, names
// and requests, is small and cheap to go through. Reading 10,000 small files
// then stays below 64 MiB in all.
const gcPercent = 50

// calmHeap sets that, unless the user has set GOGC (package runtime).
func calmHeap(lookup func(string) (string, bool)) {
	if _, set := lookup("GOGC"); !set {
		debug.SetGCPercent(gcPercent)
	}
}
