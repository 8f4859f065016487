package writeback

import (
	"context"
	"fmt"
	"testing"
)

// BenchmarkWrite measures the copy into extents: writes of one size into a file
// whose bytes are dropped now and then, so that only the copy is paid. Two
// cores: 0.7 µs for 4 KiB, 15 µs for 128 KiB, 113 µs for 1 MiB (9 GB/s).
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

// BenchmarkPipeline measures a sequential write of 1 GiB, from the first write
// to the commit, to a store that takes bytes at the speed of memory: 7.0 GB/s
// when all of it fits into memory, 2.7 GB/s when most of it goes through the
// spool (ext4, page cache). 4 GiB through the spool are 4,600 extents, 4 MB of heap.
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
