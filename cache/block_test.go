package cache

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
)

// testBlocks returns a cache whose free memory is protected.
func testBlocks(limit int64) *Blocks {
	pool := NewPool(NewBudget(limit))
	pool.Guard()
	return NewBlocks(pool)
}

// check panics if the state of the cache is inconsistent.
func (c *Blocks) check() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range []*lru{&c.small, &c.seen, &c.fresh} {
		var bytes int64
		var prev *block
		for b := l.first; b != nil; b = b.next {
			if b.list != l || b.prev != prev || b.state != blockReady || b.pins != 0 || b.o.blocks[b.index] != b ||
				b.o.refs == 0 && !b.o.mapped {
				panic(fmt.Sprintf("block %d is wrong on its list", b.index))
			}
			bytes += int64(cap(b.buf))
			prev = b
		}
		if l.last != prev || l.bytes != bytes {
			panic(fmt.Sprintf("list has %d bytes, counted %d", bytes, l.bytes))
		}
	}
	for e := c.unsaved.Front(); e != nil; e = e.Next() {
		if b := e.Value.(*block); b.unsaved != e || b.state != blockReady || b.buf == nil {
			panic(fmt.Sprintf("block %d waits wrongly for the disk", b.index))
		}
	}
	for id, o := range c.objects {
		if o.id != id || !o.mapped || o.refs == 0 && len(o.blocks) == 0 {
			panic(fmt.Sprintf("object %v is kept wrongly", id))
		}
		for _, b := range o.blocks {
			if b.list == nil && b.pins == 0 {
				panic(fmt.Sprintf("block %d is neither pinned nor on a list", b.index))
			}
		}
	}
	if used := c.pool.budget.Used(); used < c.stats.Bytes {
		panic(fmt.Sprintf("blocks count %d bytes, the budget %d", c.stats.Bytes, used))
	}
}

// fillAll fills a Fill: each byte is its offset plus salt.
func fillAll(f *Fill, salt int64) {
	for p := f.Next(); len(p) > 0; p = f.Next() {
		n := min(len(p), 300_000) // across the borders of blocks
		pattern(p[:n], f.Offset()+salt)
		f.Advance(n)
	}
}

func pattern(p []byte, at int64) {
	for i := range p {
		p[i] = byte((at + int64(i)) * 31 >> 3)
	}
}

func want(off int64, n int) []byte {
	p := make([]byte, n)
	pattern(p, off)
	return p
}

// read pins a range, fills its absent blocks and returns the bytes.
func read(o *Object, off int64, n int) []byte {
	p := o.Pin(off, n)
	defer p.Done()
	for f := p.Claim(0, true); f != nil; f = p.Claim(0, true) {
		fillAll(f, 0)
	}
	if err := p.Wait(context.Background()); err != nil {
		panic(err)
	}
	return bytes.Join(p.Slices(), nil)
}

// has reports whether a block of a version of the size of o is present.
func has(c *Blocks, key, etag string, o *Object, index int64) bool {
	return c.Has(key, etag, o.Size(), index)
}

func TestBlocksReadAndHit(t *testing.T) {
	c := testBlocks(64 << 20)
	o := c.Object("k", "e", 5*BlockSize+100)
	for _, r := range []struct{ off, n int64 }{
		{0, 10}, {BlockSize - 1, 2}, {3*BlockSize + 7, 2*BlockSize + 93}, {0, 6 * BlockSize}, {5 * BlockSize, BlockSize}, {6 * BlockSize, 1},
	} {
		n := int(max(min(r.n, o.Size()-r.off), 0))
		if got := read(o, r.off, int(r.n)); !bytes.Equal(got, want(r.off, n)) {
			t.Errorf("%d bytes at %d are wrong", r.n, r.off)
		}
		c.check()
	}
	p := o.Pin(0, int(o.Size()))
	if !p.Ready() || len(p.Slices()) != 6 || p.Size() != int(o.Size()) {
		t.Errorf("all is cached, but ready is %v with %d slices", p.Ready(), len(p.Slices()))
	}
	p.Done()
	mustPanic(t, "a second Done", p.Done)
	if s := c.Stats(); s.Bytes != 5*BlockSize+4096 {
		t.Errorf("a short last block costs too much: %+v", s)
	}
	o.Close()
	mustPanic(t, "a second Close", o.Close)
	c.Purge()
	if s := c.Stats(); s != (BlocksStats{}) {
		t.Errorf("at the end: %+v", s)
	}
}

// TestBlocksProgressive reads bytes of a block that is still being filled.
func TestBlocksProgressive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := testBlocks(64 << 20)
		o := c.Object("k", "e", 4*BlockSize)
		p := o.Pin(BlockSize, 1000)
		f := p.Claim(2, false)
		if f.Offset() != BlockSize || f.Rest() != 3*BlockSize || f.End() != 4*BlockSize {
			t.Fatalf("fill of %d at %d", f.Rest(), f.Offset())
		}
		if p.Claim(2, false) != nil {
			t.Error("claimed twice")
		}
		waits := map[int]chan error{} // by the byte of the block that is needed
		for _, need := range []int{1, 1000, 1001, 5000, 2 * BlockSize} {
			done := make(chan error, 1)
			waits[need] = done
			go func() {
				p := o.Pin(BlockSize, need)
				defer p.Done()
				done <- p.Wait(context.Background())
			}()
		}
		if synctest.Wait(); p.Ready() || len(waits[1]) != 0 {
			t.Fatal("bytes before they came")
		}
		pattern(f.Next()[:1000], BlockSize)
		f.Advance(1000)
		synctest.Wait()
		for need, done := range waits {
			if got := len(done) == 1; got != (need <= 1000) {
				t.Errorf("at 1000 bytes the waiter for %d was served: %v", need, got)
			}
		}
		if err := p.Wait(context.Background()); err != nil || !bytes.Equal(p.Slices()[0], want(BlockSize, 1000)) {
			t.Errorf("wrong bytes, error %v", err)
		}
		p.Done()
		fillAll(f, 0)
		synctest.Wait()
		for need, done := range waits {
			if len(done) != 1 || <-done != nil {
				t.Errorf("the waiter for %d was not served", need)
			}
		}
		o.Close()
		c.check()
	})
}

func TestBlocksAbandon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := testBlocks(64 << 20)
		o := c.Object("k", "e", 4*BlockSize)
		broken := errors.New("broken")
		for _, cause := range []error{broken, nil} {
			p, early := o.Pin(0, 4*BlockSize), o.Pin(BlockSize, 10)
			f := p.Claim(0, false)
			early.Retry()
			done := make(chan error, 1)
			go func() { done <- p.Wait(context.Background()) }()
			synctest.Wait()
			for f.Offset() < BlockSize+10 {
				n := min(len(f.Next()), 10+BlockSize-int(f.Offset()))
				pattern(f.Next()[:n], f.Offset())
				f.Advance(n)
			}
			f.Abandon(cause)
			f.Abandon(nil) // nothing is left of it
			wantErr := cause
			if cause == nil {
				wantErr = ErrAgain
			}
			if err := <-done; !errors.Is(err, wantErr) {
				t.Errorf("abandoned with %v: %v", cause, err)
			}
			if err := early.Wait(context.Background()); err != nil || !bytes.Equal(early.Slices()[0], want(BlockSize, 10)) {
				t.Errorf("bytes that had come before are lost: %v", err)
			}
			early.Done()
			c.check()
			p.Retry()
			if index, n := p.Missing(); index != 1 || n != 3 {
				t.Errorf("after Retry %d blocks from %d are missing", n, index)
			}
			p.Done()
			if got := read(o, 0, 4*BlockSize); !bytes.Equal(got, want(0, 4*BlockSize)) {
				t.Error("wrong bytes after a second fetch")
			}
			c.Purge()
			c.check()
		}
		o.Close()
		if s := c.Stats(); s != (BlocksStats{}) {
			t.Errorf("at the end: %+v", s)
		}
	})
}

func TestBlocksInterruptedWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := testBlocks(64 << 20)
		o := c.Object("k", "e", BlockSize)
		p, q, r := o.Pin(0, 10), o.Pin(0, 20), o.Pin(0, 30)
		f := p.Claim(0, false)
		q.Retry()
		r.Retry()
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 3)
		for _, w := range []struct {
			p   *Pins
			ctx context.Context
		}{{p, context.Background()}, {q, ctx}, {r, context.Background()}} {
			go func() { done <- w.p.Wait(w.ctx) }()
			synctest.Wait()
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		q.Done()
		fillAll(f, 0)
		if err := errors.Join(<-done, <-done); err != nil {
			t.Error(err)
		}
		p.Done()
		r.Done()
		o.Close()
		c.check()
	})
}

func TestBlocksEvictionOrder(t *testing.T) {
	c := testBlocks(16 * BlockSize)
	big := c.Object("big", "e", 100*BlockSize)
	small := c.Object("small", "e", BlockSize)
	read(big, 0, 5*BlockSize)           // blocks 0 to 4 are seen
	fillAll(big.Claim(10, 5, false), 0) // 10 to 14 are ahead
	read(small, 0, 1)                   //
	small.Close()                       // closed and small
	p := big.Pin(2*BlockSize, 1)        // 2 is in use
	read(big, 0, 1)                     // 0 is the last that was seen
	order := []struct {
		o     string
		index int64
	}{{"small", 0}, {"big", 1}, {"big", 3}, {"big", 4}, {"big", 0}, {"big", 10}, {"big", 11}, {"big", 12}, {"big", 13}, {"big", 14}}
	for i, want := range order {
		if !has(c, want.o, "e", map[string]*Object{"big": big, "small": small}[want.o], want.index) {
			t.Fatalf("%v was evicted before its turn", want)
		}
		if n := c.reclaim(1); n != BlockSize {
			t.Fatalf("step %d: %d bytes reclaimed", i, n)
		}
		if has(c, want.o, "e", map[string]*Object{"big": big, "small": small}[want.o], want.index) {
			t.Errorf("%v was not evicted in its turn", want)
		}
		c.check()
	}
	if n := c.reclaim(1); n != 0 {
		t.Errorf("%d bytes reclaimed of a pinned block", n)
	}
	p.Done()
	big.Close()
	c.Purge()
	if s := c.Stats(); s != (BlocksStats{}) {
		t.Errorf("at the end: %+v", s)
	}
}

// TestBlocksAheadIsBounded checks that blocks that were fetched ahead and never read do
// not evict all others.
func TestBlocksAheadIsBounded(t *testing.T) {
	c := testBlocks(16 * BlockSize)
	o := c.Object("k", "e", 1000*BlockSize)
	read(o, 0, 4*BlockSize)
	for i := range int64(30) {
		fillAll(o.Claim(100+i, 1, false), 0)
	}
	for i := range int64(4) {
		if !has(c, "k", "e", o, i) {
			t.Errorf("block %d that was read is gone", i)
		}
	}
	o.Close()
	c.check()
}

func TestBlocksClosedSmallObjects(t *testing.T) {
	c := testBlocks(256 << 20)
	for i := range 1000 {
		o := c.Object(fmt.Sprint(i), "e", BlockSize/2)
		read(o, 0, BlockSize)
		o.Close()
		if s := c.Stats(); s.Bytes > closedSmallLimit+BlockSize {
			t.Fatalf("%d bytes after %d files", s.Bytes, i)
		}
	}
	c.check()
	if !c.Has("999", "e", BlockSize/2, 0) || c.Has("0", "e", BlockSize/2, 0) {
		t.Error("the latest objects were not kept")
	}
	last := c.Object("999", "e", BlockSize/2)
	if p := last.Pin(0, 1); !p.Ready() {
		t.Error("a cached small file is not found")
	} else {
		p.Done()
	}
	last.Close()
	c.check()
}

func TestBlocksMoveAndDrop(t *testing.T) {
	c := testBlocks(64 << 20)
	o := c.Object("a", "1", 2*BlockSize)
	read(o, 0, 1)
	c.Move("a", "1", "b", "2", o.Size())
	if key, etag := o.ID(); key != "b" || etag != "2" || !has(c, "b", "2", o, 0) || has(c, "a", "1", o, 0) {
		t.Errorf("moved to %q %q", key, etag)
	}
	// Another object came to the target first.
	other := c.Object("c", "3", 2*BlockSize)
	read(other, BlockSize, 1)
	c.Move("b", "2", "c", "3", o.Size())
	c.check()
	if key, _ := o.ID(); key != "c" || has(c, "c", "3", o, 0) || !has(c, "c", "3", o, 1) {
		t.Error("the target's own blocks were lost")
	}
	if !bytes.Equal(read(o, 0, 10), want(0, 10)) {
		t.Error("a reader lost its bytes in a move")
	}
	o.Close() // nobody else found it, so its blocks are evicted
	c.check()
	if s := c.Stats(); s.Blocks != 1 || s.Objects != 1 {
		t.Errorf("after closing the moved one: %+v", s)
	}
	c.Drop("c", "3")
	if p := other.Pin(BlockSize, 1); !p.Ready() {
		t.Error("a dropped version's reader lost its blocks")
	} else {
		p.Done()
	}
	other.Close()
	c.Drop("c", "3")
	c.Move("none", "", "x", "", 1)
	if s := c.Stats(); s != (BlocksStats{}) {
		t.Errorf("at the end: %+v", s)
	}
}

func TestBlocksWithoutETagAreNotShared(t *testing.T) {
	c := testBlocks(64 << 20)
	a, b := c.Object("k", "", 100), c.Object("k", "", 100)
	read(a, 0, 1)
	if p := b.Pin(0, 1); p.Ready() {
		t.Error("two versions without an ETag share a block")
	} else {
		p.Done()
	}
	a.Close()
	b.Close()
	if s := c.Stats(); s != (BlocksStats{}) {
		t.Errorf("at the end: %+v", s)
	}
}

// TestBlocksGiveWay checks that a waiter gets pinned memory when it is unpinned, and
// that forced memory is released as soon as possible.
func TestBlocksGiveWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := testBlocks(2 * BlockSize)
		o := c.Object("k", "e", 10*BlockSize)
		p := o.Pin(0, 4*BlockSize)
		if p.Claim(0, false) != nil {
			t.Fatal("claimed more than there is")
		}
		if used := c.pool.budget.Used(); used != 0 {
			t.Fatalf("a failed claim kept %d bytes", used)
		}
		fillAll(p.Claim(3, true), 0)
		if used := c.pool.budget.Used(); used != 4*BlockSize {
			t.Errorf("%d bytes used", used)
		}
		writer := acquire(context.Background(), c.pool.budget, BlockSize)
		if !blocked(writer) {
			t.Error("the limit does not hold")
		}
		p.Done()
		if blocked(writer) || c.pool.budget.Used() > 2*BlockSize {
			t.Errorf("%d bytes used after Done", c.pool.budget.Used())
		}
		c.pool.budget.Release(BlockSize)
		o.Close()
		c.check()
	})
}

// TestBlocksConcurrent reads a few objects from many goroutines in a cache that is much
// too small, with fills that fail, and compares all bytes.
func TestBlocksConcurrent(t *testing.T) {
	c := testBlocks(8 * BlockSize)
	const size = 6*BlockSize + 777
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(11, uint64(i)))
			for range 60 {
				o := c.Object(fmt.Sprint(rnd.IntN(3)), "e", size)
				off := rnd.Int64N(size)
				n := 1 + rnd.IntN(2*BlockSize)
				got, err := readUnsteady(o, rnd, off, n)
				if err != nil || !bytes.Equal(got, want(off, int(min(int64(n), size-off)))) {
					panic(fmt.Sprintf("%d bytes at %d are wrong, error %v", n, off, err))
				}
				if rnd.IntN(20) == 0 {
					c.Drop("0", "e")
				}
				o.Close()
				c.check()
			}
		})
	}
	wg.Wait()
	c.Purge()
	if s := c.Stats(); s != (BlocksStats{}) || c.pool.budget.Used() != 0 {
		t.Errorf("at the end: %+v, %d bytes used", s, c.pool.budget.Used())
	}
}

// readUnsteady is like read, but it abandons fills half-way at random.
func readUnsteady(o *Object, rnd *rand.Rand, off int64, n int) ([]byte, error) {
	p := o.Pin(off, n)
	defer p.Done()
	for {
		for f := p.Claim(rnd.IntN(3), true); f != nil; f = p.Claim(rnd.IntN(3), true) {
			if rnd.IntN(4) == 0 {
				k := rnd.IntN(len(f.Next()))
				pattern(f.Next()[:k], f.Offset())
				f.Advance(k)
				f.Abandon(nil)
				continue
			}
			fillAll(f, 0)
		}
		err := p.Wait(context.Background())
		if errors.Is(err, ErrAgain) {
			p.Retry()
			continue
		}
		return bytes.Join(p.Slices(), nil), err
	}
}

// BenchmarkHit pins 1 MiB that is in memory, as one large READ does. It must not
// allocate. It took 0.4 µs on two virtual CPUs.
func BenchmarkHit(b *testing.B) {
	c := NewBlocks(NewPool(NewBudget(64 << 20)))
	o := c.Object("k", "e", 1<<20)
	read(o, 0, 1<<20)
	b.SetBytes(1 << 20)
	b.ReportAllocs()
	for b.Loop() {
		p := o.Pin(0, 1<<20)
		if !p.Ready() {
			b.Fatal("not cached")
		}
		p.Done()
	}
}

// TestHold fills an object of several blocks behind Hold. Readers get nothing before
// Release, and Abandon takes back all that came.
func TestHold(t *testing.T) {
	const size = 2*BlockSize + 5
	for _, release := range []bool{true, false} {
		c := testBlocks(100 * BlockSize)
		o := c.Object("k", "e", size)
		fill := o.Claim(0, 3, true)
		fill.Hold()
		for b := fill.Next(); len(b) > 0; b = fill.Next() {
			n := min(len(b), 100_000)
			copy(b, bytes.Repeat([]byte("x"), n))
			fill.Advance(n)
		}
		p := o.Pin(0, size)
		if p.Ready() || fill.Rest() != 0 {
			t.Errorf("held bytes are readable: %v; %d bytes are to come", p.Ready(), fill.Rest())
		}
		want := error(nil)
		if release {
			fill.Release()
		} else {
			fill.Abandon(nil)
			want = ErrAgain
		}
		if err := p.Wait(t.Context()); !errors.Is(err, want) {
			t.Errorf("release %v: a reader gets %v, want %v", release, err, want)
		}
		p.Done()
		o.Close()
	}
}
