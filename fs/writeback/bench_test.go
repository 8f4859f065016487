package writeback

import (
	"context"
	"fmt"
	"sync"
	"testing"
)

// BenchmarkWrite measures the copy into extents: writes of one size into a file whose bytes are dropped
// from time to time. On two cores it took 0.7 µs for 4 KiB, 15 µs for 128 KiB and 113 µs for 1 MiB
// (9 GB/s).
func BenchmarkWrite(b *testing.B) {
	for _, size := range []int{4 << 10, 128 << 10, 1 << 20} {
		b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) {
			m := newBench(b, b.TempDir(), 256<<20, nil)
			m.s.discard = true
			p := random(size, 1)
			b.SetBytes(int64(size))
			f := m.Open(OpenInput{Key: "k"})
			f.Discard() // no uploads
			off := int64(0)
			for b.Loop() {
				mustWrite(b, f, p, off)
				if off += int64(size); off >= 128<<20 {
					off = 0
					if err := f.Truncate(context.Background(), 0); err != nil {
						b.Fatal(err)
					}
				}
			}
			mustClose(b, f)
			m.end(b)
		})
	}
}

// BenchmarkPipeline measures a sequential write of 1 GiB and its commit, to a store that takes bytes at
// the speed of memory. It reached 7.0 GB/s when all bytes fit into memory, and 2.7 GB/s when most of them
// went through the spool (ext4, page cache). 4 GiB through the spool are 4,600 extents and 4 MB of heap.
func BenchmarkPipeline(b *testing.B) {
	const total = 1 << 30
	for _, memory := range []int64{2 << 30, 128 << 20} {
		b.Run(fmt.Sprintf("%dMiB", memory>>20), func(b *testing.B) {
			m := newBench(b, b.TempDir(), memory, func(o *Options) { o.PartSize = 8 << 20 })
			m.s.discard = true
			p := random(1<<20, 1)
			b.SetBytes(total)
			for b.Loop() {
				f := m.Open(OpenInput{Key: "k"})
				for off := int64(0); off < total; off += int64(len(p)) {
					mustWrite(b, f, p, off)
				}
				mustCommit(b, f)
				mustClose(b, f)
			}
			m.end(b)
		})
	}
}

// BenchmarkPersist measures the close of small files, one by one and 16 at a time. The time is mostly
// fdatasync: 2.1 ms, and 0.4 ms if 16 share it.
func BenchmarkPersist(b *testing.B) {
	for _, writers := range []int{1, 16} {
		b.Run(fmt.Sprint(writers), func(b *testing.B) {
			dir := b.TempDir()
			m := newBench(b, dir, 256<<20, withJournal(dir))
			p := random(4<<10, 1)
			next := make(chan int)
			var wg sync.WaitGroup
			for range writers {
				wg.Go(func() {
					for i := range next {
						f := m.Open(OpenInput{Key: fmt.Sprint(i)})
						mustWrite(b, f, p, 0)
						mustPersist(b, f)
						mustClose(b, f)
					}
				})
			}
			i := 0
			for b.Loop() {
				next <- i
				i++
			}
			close(next)
			wg.Wait()
			m.end(b)
		})
	}
}
