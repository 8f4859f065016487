package main

import (
	"fmt"

	"golang.org/x/sys/unix"
)

const (
	// ballastSize is what a file of 1 GiB takes at most: the object, its parts
	// while the server joins them, and what a tool keeps of it.
	ballastSize = 3 * gib
	// ballastShare is the part of a machine's memory that may be ballast: the
	// server's data lie in memory, too.
	ballastShare = 6
)

// ballast is memory that the bench holds, so that it can be given away warm
// when a measurement begins. A virtual machine whose host takes free memory
// back (free page reporting) pays up to 3 s for the first touch of a GiB, as
// measured, which is as long as a raw client needs to write it; whichever tool
// was first would pay for all.
type ballast struct{ held []byte }

// take touches the memory. On a small machine it does nothing.
func (b *ballast) take() error {
	var si unix.Sysinfo_t
	if err := unix.Sysinfo(&si); err != nil || si.Totalram*uint64(si.Unit)/ballastShare < ballastSize || b.held != nil {
		return err
	}
	held, err := unix.Mmap(-1, 0, ballastSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err == nil {
		_ = unix.Madvise(held, unix.MADV_HUGEPAGE) // huge pages are given away whole; a kernel may have none
		err = unix.Madvise(held, unix.MADV_POPULATE_WRITE)
	}
	if err != nil {
		return fmt.Errorf("take memory to give it away warm: %w", err)
	}
	b.held = held
	return nil
}

// drop gives it away.
func (b *ballast) drop() error {
	if b.held == nil {
		return nil
	}
	held := b.held
	b.held = nil
	return unix.Munmap(held)
}
