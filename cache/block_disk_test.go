package cache

import (
	"bytes"
	"context"
	"testing"

	"github.com/s3mount/s3mount/cache/disk"
)

// openDisk opens a disk cache of 64 MiB.
func openDisk(t testing.TB, dir string) *disk.Cache {
	t.Helper()
	d, err := disk.Open(disk.Options{Dir: dir, Size: 64 << 20, Namespace: "test"})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestBlocksOverDisk checks that blocks that memory has evicted are read from the disk.
func TestBlocksOverDisk(t *testing.T) {
	dir := t.TempDir()
	const size = 20*BlockSize + 77
	for round := range 2 {
		c := testBlocks(64 << 20)
		c.UseDisk(openDisk(t, dir))
		o := c.Object("k", "e", size)
		if round == 0 {
			read(o, 0, 5*BlockSize)
			read(o, 10*BlockSize, 20*BlockSize)
		}
		if round == 1 {
			p := o.Pin(0, size)
			f := p.Claim(0, false)
			f.Load()
			if f.Offset() != 5*BlockSize || f.Span() != 5*BlockSize {
				t.Errorf("loaded up to %d, then %d bytes are missing", f.Offset(), f.Span())
			}
			fillSpan(f)
			f.Load()
			if f.Rest() != 0 {
				t.Errorf("%d bytes are missing at the end", f.Rest())
			}
			if err := p.Wait(context.Background()); err != nil || !bytes.Equal(bytes.Join(p.Slices(), nil), want(0, size)) {
				t.Errorf("wrong bytes, error %v", err)
			}
			p.Done()
		}
		o.Close()
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		c.Purge()
		if s := c.Stats(); s != (BlocksStats{}) {
			t.Errorf("at the end: %+v", s)
		}
	}
}

// fillSpan fills the bytes up to the next block that is on the disk.
func fillSpan(f *Fill) {
	for end := f.Offset() + int64(f.Span()); f.Offset() < end; {
		p := f.Next()
		pattern(p, f.Offset())
		f.Advance(len(p))
	}
}

// brokenDisk is a disk cache that neither keeps nor returns a block.
type brokenDisk struct{ *disk.Cache }

func (brokenDisk) Read(string, string, int64, int64, []byte) bool    { return false }
func (brokenDisk) Write(string, string, int64, int64, []byte) bool   { return false }
func (brokenDisk) Run(string, string, int64, int64, int) (bool, int) { return true, 1 }

// TestBlocksOverBrokenDisk checks that readers work without the disk cache when the
// disk is broken.
func TestBlocksOverBrokenDisk(t *testing.T) {
	const size = 8 * BlockSize
	c := testBlocks(64 << 20)
	c.UseDisk(brokenDisk{openDisk(t, t.TempDir())})
	o := c.Object("k", "e", size)
	read(o, 0, size)
	p := o.Pin(0, size)
	if err := p.Wait(context.Background()); err != nil || !bytes.Equal(bytes.Join(p.Slices(), nil), want(0, size)) {
		t.Errorf("wrong bytes, error %v", err)
	}
	p.Done()
	o.Close()
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}
