//go:build !race

package cache

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// raceEnabled tells that the race detector watches, see pool_map_race.go.
const raceEnabled = false

// mapAligned maps size bytes (slabSize) of zeroed memory aligned to slabSize.
// The mapping is twice as long as what is used of it: the rest is address space
// that is never touched and so costs no memory.
func mapAligned(size int) (mapping, mem []byte) {
	mapping, err := unix.Mmap(-1, 0, 2*size, unix.PROT_READ|unix.PROT_WRITE,
		unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_NORESERVE)
	if err != nil {
		// As for the Go runtime itself, no address space left is the end.
		panic(fmt.Sprintf("cache: mapping %d bytes: %v", 2*size, err))
	}
	at := alignUp(mapping)
	return mapping, mapping[at : at+size : at+size]
}

func unmap(mapping []byte) {
	if err := unix.Munmap(mapping); err != nil {
		panic(fmt.Sprintf("cache: unmapping memory: %v", err))
	}
}

// discard gives the pages of b back to the OS; they read as zeros afterwards.
// Failing, which the kernel does for locked memory only, costs nothing but memory.
func discard(b []byte) { _ = unix.Madvise(b, unix.MADV_DONTNEED) }

// hugePages asks for huge pages behind b, or for none from now on. It is advice:
// where the kernel does not know it, b is slower to fill and to copy from.
func hugePages(b []byte, yes bool) {
	advice := unix.MADV_NOHUGEPAGE
	if yes {
		advice = unix.MADV_HUGEPAGE
	}
	_ = unix.Madvise(b, advice)
}

// protect makes any use of b fault, unprotect makes it usable.
func protect(b []byte) {
	if err := unix.Mprotect(b, unix.PROT_NONE); err != nil {
		panic(fmt.Sprintf("cache: protecting memory: %v", err))
	}
}

func unprotect(b []byte) {
	if err := unix.Mprotect(b, unix.PROT_READ|unix.PROT_WRITE); err != nil {
		panic(fmt.Sprintf("cache: unprotecting memory: %v", err))
	}
}
