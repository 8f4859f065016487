package cache

import (
	"bytes"
	"context"
	"slices"
	"testing"
)

// TestFillPieces checks that the pieces that Next returns grow from one block to
// longestRun blocks, and that a piece ends before a last block that is shorter.
func TestFillPieces(t *testing.T) {
	const blocks = 20
	c := testBlocks(64 << 20)
	o := c.Object("k", "e", blocks*BlockSize+100)
	f := o.Claim(0, blocks+1, false)
	var pieces []int
	for p := f.Next(); len(p) > 0; p = f.Next() {
		pieces = append(pieces, len(p))
		pattern(p, f.Offset())
		f.Advance(len(p))
		c.check()
	}
	w := []int{BlockSize, 2 * BlockSize, 4 * BlockSize, 8 * BlockSize, BlockSize, 4 * BlockSize, 100} // a slab has room for 16
	if !slices.Equal(pieces, w) {
		t.Errorf("pieces of %v bytes, want %v", pieces, w)
	}
	if got := read(o, 0, blocks*BlockSize+100); !bytes.Equal(got, want(0, len(got))) {
		t.Error("bytes are wrong")
	}
	o.Close()
	c.Purge()
	if s := c.pool.Stats(); s.Held != 0 {
		t.Errorf("%d bytes are still held", s.Held)
	}
}

// TestFillWakesInsideAPiece checks that Advance wakes the readers of all blocks of a
// piece, and that the bytes that have arrived stay when the rest is abandoned.
func TestFillWakesInsideAPiece(t *testing.T) {
	c := testBlocks(64 << 20)
	o := c.Object("k", "e", 8*BlockSize)
	f := o.Claim(0, 7, false)
	f.Advance(len(f.Next())) // 1 block; then 2, then 4
	f.Advance(len(f.Next()))
	p, q := o.Pin(4*BlockSize, 10), o.Pin(5*BlockSize, 2*BlockSize)
	mem := f.Next()
	pattern(mem, f.Offset())
	f.Advance(2*BlockSize + 10)
	if err := p.Wait(context.Background()); err != nil || !bytes.Equal(p.Slices()[0], want(4*BlockSize, 10)) {
		t.Errorf("the second block of a piece: %v", err)
	}
	f.Abandon(context.Canceled)
	if err := q.Wait(context.Background()); err == nil {
		t.Error("a block that was given up is there")
	}
	p.Done()
	q.Done()
	c.check()
	if got := blocksOf(o); !slices.Equal(got, []int64{0, 1, 2, 3, 4}) {
		t.Errorf("blocks %v are there", got)
	}
	if s, used := c.pool.Stats(), c.pool.budget.Used(); s.Held != 5*BlockSize || used != s.Held {
		t.Errorf("%d bytes held, %d charged", s.Held, used)
	}
}

// TestPoolTakeRun checks that the chunks of a run are consecutive, that each is put
// back separately, and that warm chunks are reused before cold ones.
func TestPoolTakeRun(t *testing.T) {
	const n, all = 8, slabSize / BlockSize
	p := NewPool(NewBudget(64 << 20))
	p.ReserveForced(BlockSize)
	for range all {
		p.ReserveForced(BlockSize)
	}
	a, b := p.TakeRun(BlockSize, n), p.TakeRun(BlockSize, n)
	if len(a) != n*BlockSize || len(b) != n*BlockSize {
		t.Fatalf("runs of %d and %d bytes", len(a), len(b))
	}
	if c := p.TakeRun(BlockSize, n); len(c) == 0 {
		t.Error("no memory beside a full slab")
	}
	for i := range 4 {
		p.Put(a[i*BlockSize : (i+1)*BlockSize])
	}
	p.Put(b[:BlockSize])
	if got := p.TakeRun(BlockSize, n); addressOf(got) != addressOf(a) || len(got) != 4*BlockSize {
		t.Errorf("%d bytes, not the four pieces that were put back", len(got))
	}
	if got := p.TakeRun(1000, n); len(got) != 1000 {
		t.Errorf("%d bytes of a size that has rooms of its own", len(got))
	}
}
