//go:build !race

package cache

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// raceEnabled reports whether the race detector is active; see pool_map_race.go.
const raceEnabled = false

// mapAligned maps size bytes (slabSize) of zeroed memory aligned to slabSize. The
// mapping is twice as long as mem. The rest is address space that is never touched
// and therefore costs no memory.
func mapAligned(size int) (mapping, mem []byte) {
	mapping, err := unix.Mmap(-1, 0, 2*size, unix.PROT_READ|unix.PROT_WRITE,
		unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_NORESERVE)
	if err != nil {
		// Like the Go runtime, the pool cannot work without address space.
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

// discard returns the pages of b to the OS. They read as zeros afterwards. The kernel
// refuses it only for locked memory, which then stays resident.
func discard(b []byte) { _ = unix.Madvise(b, unix.MADV_DONTNEED) }

// hugePages advises the kernel to use huge pages for b, or not to. If the kernel does
// not support it, filling b and copying from it are slower.
func hugePages(b []byte, yes bool) {
	advice := unix.MADV_NOHUGEPAGE
	if yes {
		advice = unix.MADV_HUGEPAGE
	}
	_ = unix.Madvise(b, advice)
}

// protect makes any use of b fault. unprotect makes b usable again.
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
