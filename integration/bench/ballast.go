package main

import (
	"fmt"

	"golang.org/x/sys/unix"
)

const (
	// ballastSize is the most memory that a file of 1 GiB needs: the object, its parts
	// while the server joins them, and the copy of a tool.
	ballastSize = 3 * gib
	// ballastShare is the part of the machine's memory that the ballast may have. The
	// data of the server are in memory, too.
	ballastShare = 6
)

// ballast is memory that the bench releases when a measurement begins. If the host of a
// virtual machine takes back free memory (free page reporting), the first use of a GiB
// costs up to 3 s, as long as a raw client needs to write it. Without ballast the first
// tool of a row would pay for all.
type ballast struct{ held []byte }

// take allocates the memory. It does nothing on a small machine.
func (b *ballast) take() error {
	var si unix.Sysinfo_t
	if err := unix.Sysinfo(&si); err != nil || si.Totalram*uint64(si.Unit)/ballastShare < ballastSize || b.held != nil {
		return err
	}
	held, err := unix.Mmap(-1, 0, ballastSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err == nil {
		_ = unix.Madvise(held, unix.MADV_HUGEPAGE) // releases whole huge pages; a kernel may have none
		err = unix.Madvise(held, unix.MADV_POPULATE_WRITE)
	}
	if err != nil {
		return fmt.Errorf("take memory to give it away warm: %w", err)
	}
	b.held = held
	return nil
}

// drop releases the memory.
func (b *ballast) drop() error {
	if b.held == nil {
		return nil
	}
	held := b.held
	b.held = nil
	return unix.Munmap(held)
}
