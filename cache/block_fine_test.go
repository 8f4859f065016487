package cache

import (
	"bytes"
	"testing"
)

// TestFineBlocks checks that the fine blocks of a version have the same bytes and the
// same ID, but are a separate object.
func TestFineBlocks(t *testing.T) {
	c := testBlocks(64 << 20)
	const size = 3*BlockSize + 5000
	o := c.Object("k", "e", size)
	fine := o.Fine()
	for _, r := range []struct{ off, n int64 }{
		{0, 1}, {4095, 2}, {BlockSize - 1, 2}, {2 * BlockSize, FineSize}, {size - 10, 100}, {70_000, 50_000}, {size, 1},
	} {
		n := int(max(min(r.n, size-r.off), 0))
		if got := read(fine, r.off, int(r.n)); !bytes.Equal(got, want(r.off, n)) {
			t.Errorf("%d bytes at %d are wrong", r.n, r.off)
		}
		c.check()
	}
	pages := 2 + 2 + 1 + 1 + 13 // without page 0 of the second read and the page behind the end
	if s := c.Stats(); s.Blocks != pages || s.Bytes != int64(pages)*FineSize {
		t.Errorf("%+v, want %d blocks of %d bytes", s, pages, FineSize)
	}
	if n := fine.Held(0, BlockSize); n != 3+13 {
		t.Errorf("%d of the first block are held", n)
	}
	if c.Has("k", "e", size, 0) || !o.Pin(0, 1).Absent() {
		t.Error("fine blocks count as blocks")
	}
	again := o.Fine()
	if p := again.Pin(4095, 2); !p.Ready() || p.Absent() {
		t.Error("fine blocks are not shared")
	} else {
		p.Done()
	}
	again.Close()
}

// TestFineBlocksFollow checks that Move and Drop include the fine blocks.
func TestFineBlocksFollow(t *testing.T) {
	c := testBlocks(64 << 20)
	o := c.Object("a", "1", 10*BlockSize)
	fine := o.Fine()
	read(fine, 5, 5)
	c.Move("a", "1", "b", "2", o.Size())
	c.check()
	if key, etag := fine.ID(); key != "b" || etag != "2" {
		t.Errorf("moved to %q %q", key, etag)
	}
	fine.Close()
	fine = o.Fine()
	if n := fine.Held(0, 10); n != 1 {
		t.Error("a move lost the blocks")
	}
	c.Drop("b", "2")
	fine.Close()
	o.Close()
	if s := c.Stats(); s != (BlocksStats{}) {
		t.Errorf("at the end: %+v", s)
	}
}

// TestFineBlocksStayInMemory checks that fine blocks are not written to the disk.
func TestFineBlocksStayInMemory(t *testing.T) {
	c := testBlocks(64 << 20)
	dir := t.TempDir()
	c.UseDisk(openDisk(t, dir))
	o := c.Object("k", "e", BlockSize)
	fine := o.Fine()
	if got := read(fine, 0, BlockSize); !bytes.Equal(got, want(0, BlockSize)) {
		t.Error("wrong bytes")
	}
	fine.Close()
	o.Close()
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	d := openDisk(t, dir)
	if there, _ := d.Run("k", "e", BlockSize, 0, 1); there {
		t.Error("the disk has it")
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}
