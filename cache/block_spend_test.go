package cache

import (
	"bytes"
	"testing"
)

// TestFillTakesMemoryAsItComes checks that claimed blocks are charged at once, but are
// resident only from their first byte on.
func TestFillTakesMemoryAsItComes(t *testing.T) {
	c := testBlocks(64 << 20)
	o := c.Object("k", "e", 8*BlockSize)
	f := o.Claim(0, 8, false)
	state := func(held, used int64) {
		t.Helper()
		if s, u := c.pool.Stats(), c.pool.budget.Used(); s.Held != held*BlockSize || u != used*BlockSize {
			t.Errorf("%d bytes held, %d charged; want %d and %d blocks", s.Held, u, held, used)
		}
		c.check()
	}
	state(0, 8)
	pattern(f.Next()[:100], 0)
	f.Advance(100)
	state(1, 8)
	f.Advance(len(f.Next()))
	state(1, 8)
	f.Next()
	f.Abandon(nil)
	state(1, 1)
	o.Close()
	c.Purge()
	state(0, 0)
}

// blocksOf returns the indices of the present blocks of o.
func blocksOf(o *Object) (there []int64) {
	for i := range blockCount(o.size) {
		if o.Held(i*BlockSize, 1) > 0 {
			there = append(there, i)
		}
	}
	return there
}

func TestSpend(t *testing.T) {
	const limit = 2 << 20
	cases := []struct {
		name string
		size int64
		do   func(c *Blocks, o *Object)
		left int // of the first 4 blocks
	}{
		{"of an object that can be kept", limit / 2, func(*Blocks, *Object) {}, 4},
		{"of one that cannot", limit/2 + 1, func(*Blocks, *Object) {}, 0},
		{"while another reads it", limit, func(c *Blocks, o *Object) { c.Object("k", "e", limit) }, 4},
		{"while it is pinned", limit, func(_ *Blocks, o *Object) { o.Pin(BlockSize, 1) }, 1},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			c := testBlocks(limit)
			o := c.Object("k", "e", tc.size)
			read(o, 0, 5*BlockSize)
			tc.do(c, o)
			o.Spend(0, 5*BlockSize-1)
			c.check()
			if n := o.Held(0, 4*BlockSize); n != tc.left {
				t.Errorf("%d blocks are left, want %d", n, tc.left)
			}
			if o.Held(4*BlockSize, 1) != 1 {
				t.Error("a block that was spent in part is gone")
			}
			if got := read(o, 0, 5*BlockSize); !bytes.Equal(got, want(0, 5*BlockSize)) {
				t.Error("wrong bytes afterwards")
			}
			c.check()
		})
	}
}

// TestSpendPinned checks that a spent block is evicted when it is unpinned, unless it
// was pinned again.
func TestSpendPinned(t *testing.T) {
	c := testBlocks(2 << 20)
	o := c.Object("k", "e", 2<<20)
	read(o, 0, 3*BlockSize)
	p, q := o.Pin(0, BlockSize), o.Pin(BlockSize, BlockSize)
	o.Spend(0, 2*BlockSize)
	again := o.Pin(BlockSize, 1)
	for _, pins := range []*Pins{p, q, again} {
		if !bytes.Equal(pins.Slices()[0][:1], want(pins.off, 1)) {
			t.Error("wrong bytes")
		}
		pins.Done()
		c.check()
	}
	if got := blocksOf(o); len(got) != 2 || got[0] != 1 {
		t.Errorf("blocks %v are left", got)
	}
}

// TestSpendBesideDisk checks that a spent block is evicted as soon as the disk has it.
func TestSpendBesideDisk(t *testing.T) {
	const size = 4 * BlockSize
	c, catchUp := diskBehind(t, 64<<20)
	o := c.Object("k", "e", size)
	defer o.Close()
	read(o, 0, size)
	o.Spend(0, size)
	c.check()
	if n := o.Held(0, size); n != 4 {
		t.Errorf("%d blocks are left before the disk has them", n)
	}
	d := catchUp()
	c.check()
	if n := o.Held(0, size); n != 0 {
		t.Errorf("%d blocks are left after the disk got them", n)
	}

	c = testBlocks(64 << 20)
	c.UseDisk(d)
	again := c.Object("k", "e", size)
	defer again.Close()
	f := again.Claim(0, 4, false)
	f.Load()
	p := again.Pin(0, size)
	if f.Rest() != 0 || !bytes.Equal(bytes.Join(p.Slices(), nil), want(0, size)) {
		t.Error("the disk lacks blocks")
	}
	p.Done()
	again.Spend(0, size)
	c.check()
	if n := again.Held(0, size); n != 0 {
		t.Errorf("%d blocks are left, which the disk has", n)
	}
}
