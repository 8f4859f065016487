package cache

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime/debug"
	"testing"
	"testing/synctest"
	"time"
)

func TestPoolClasses(t *testing.T) {
	p := NewPool(NewBudget(1 << 30))
	for _, c := range []struct{ size, class int }{
		{1, 4 << 10}, {4096, 4 << 10}, {4097, 8 << 10}, {8 << 10, 8 << 10}, {8<<10 + 1, 16 << 10},
		{20000, 32 << 10}, {33 << 10, 64 << 10}, {64<<10 + 1, 128 << 10}, {BlockSize, BlockSize},
	} {
		b := p.TryGet(c.size)
		if len(b) != c.size || cap(b) != c.class || p.Budget().Used() != int64(c.class) {
			t.Errorf("%d bytes: len %d, cap %d, charged %d", c.size, len(b), cap(b), p.Budget().Used())
		}
		p.Put(b[:1])
		if p.Budget().Used() != 0 {
			t.Errorf("%d bytes: still charged %d", c.size, p.Budget().Used())
		}
	}
	p.Trim()
	if s := p.Stats(); s != (PoolStats{}) || len(p.slabs) != 0 {
		t.Errorf("after Trim: %+v, %d slabs", s, len(p.slabs))
	}
}

func mustPanic(t *testing.T, what string, f func()) {
	t.Helper()
	defer func() {
		if recover() == nil {
			t.Errorf("%s did not panic", what)
		}
	}()
	f()
}

func TestPoolMisuse(t *testing.T) {
	p := NewPool(NewBudget(1 << 20))
	b := p.GetForced(5000)
	mustPanic(t, "an empty Get", func() { p.TryGet(0) })
	mustPanic(t, "too large a Get", func() { p.TryGet(BlockSize + 1) })
	mustPanic(t, "Put of foreign memory", func() { p.Put(make([]byte, 4096)) })
	mustPanic(t, "Put of an inner slice", func() { p.Put(b[4096:]) })
	p.Put(b)
	mustPanic(t, "a second Put", func() { p.Put(b) })
	if p.Budget().Used() != 0 {
		t.Errorf("misuse changed the budget: %d", p.Budget().Used())
	}
}

func TestPoolGuardFaultsOnUseAfterPut(t *testing.T) {
	p := NewPool(NewBudget(1 << 20))
	p.Guard()
	b := p.GetForced(4096)
	b[0] = 1
	p.Put(b)
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	if raceEnabled {
		if b[0] != 0xDB {
			t.Error("memory was not overwritten by Put")
		}
		return
	}
	mustPanic(t, "use after Put", func() { b[0]++ })
	b = p.GetForced(4096)
	b[0]++
	p.Put(b)
}

// TestPoolStaysInBudget mixes sizes, so that the free memory of one class has to make
// room for another class. Resident memory must not exceed the limit.
func TestPoolStaysInBudget(t *testing.T) {
	const limit = 8 << 20
	p := NewPool(NewBudget(limit))
	p.Guard()
	rnd := rand.New(rand.NewPCG(3, 4))
	var held [][]byte
	for i := range 20_000 {
		size := 1 + rnd.IntN(BlockSize)
		if i/2000%2 == 0 {
			size = 1 + rnd.IntN(4096)
		}
		b := p.TryGet(size)
		if b == nil {
			for range 1 + rnd.IntN(len(held)) {
				j := rnd.IntN(len(held))
				check := held[j]
				if check[0] != check[len(check)-1] {
					t.Fatal("two users share memory")
				}
				p.Put(check)
				held[j] = held[len(held)-1]
				held = held[:len(held)-1]
			}
			continue
		}
		b[0], b[len(b)-1] = byte(i), byte(i)
		held = append(held, b)
		if s := p.Stats(); s.Held+s.Warm > limit || s.Held != p.Budget().Used() {
			t.Fatalf("after %d: %+v, budget %d", i, s, p.Budget().Used())
		}
	}
	for _, b := range held {
		p.Put(b)
	}
	p.Trim()
	if s := p.Stats(); s != (PoolStats{}) || len(p.slabs) != 0 {
		t.Errorf("at the end: %+v, %d slabs", s, len(p.slabs))
	}
}

func TestPoolGivesIdleMemoryBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPool(NewBudget(1 << 20))
		a, b := p.GetForced(4096), p.GetForced(BlockSize)
		p.Put(b)
		time.Sleep(idleAfter / 2)
		p.Put(p.GetForced(BlockSize)) // not idle
		time.Sleep(idleAfter * 3 / 4)
		if s := p.Stats(); s.Warm != BlockSize {
			t.Errorf("in use, but warm memory is %d", s.Warm)
		}
		time.Sleep(2 * idleAfter)
		synctest.Wait()
		if s := p.Stats(); s.Warm != 0 || s.Held != 4096 || len(p.slabs) != 1 {
			t.Errorf("idle: %+v, %d slabs", s, len(p.slabs))
		}
		p.Put(a)
		time.Sleep(2 * idleAfter)
		synctest.Wait()
		if s := p.Stats(); s != (PoolStats{}) || len(p.slabs) != 0 {
			t.Errorf("empty: %+v, %d slabs", s, len(p.slabs))
		}
	})
}

func TestPoolWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPool(NewBudget(BlockSize))
		b, err := p.Get(context.Background(), 100_000)
		if err != nil || p.TryGet(1) != nil {
			t.Fatal("the budget does not hold")
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if _, err := p.Get(ctx, 1); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("interrupted: %v", err)
		}
		time.AfterFunc(time.Second, func() { p.Put(b) })
		b, err = p.Get(context.Background(), 1)
		if err != nil {
			t.Fatal(err)
		}
		p.Put(b)
	})
}

// BenchmarkPool takes and returns a block of memory, which took 65 ns on two virtual CPUs.
func BenchmarkPool(b *testing.B) {
	p := NewPool(NewBudget(64 << 20))
	b.ReportAllocs()
	for b.Loop() {
		p.Put(p.GetForced(BlockSize))
	}
}

// TestPoolHugePages checks that only slabs of the largest chunks use huge pages, and
// that a slab does not if part of it was returned: the kernel would fill it again.
func TestPoolHugePages(t *testing.T) {
	p := NewPool(NewBudget(64 << 20))
	small, a, b := p.TryGet(minClass), p.TryGet(BlockSize), p.TryGet(BlockSize)
	slabOf := func(b []byte) *slab { return p.slabs[addressOf(b)/slabSize] }
	if slabOf(small).huge || !slabOf(a).huge || slabOf(a) != slabOf(b) {
		t.Errorf("huge: %v for %d bytes, %v for %d", slabOf(small).huge, minClass, slabOf(a).huge, BlockSize)
	}
	p.Put(b)
	p.Trim()
	if slabOf(a).huge {
		t.Error("a slab of which part was given back is still huge")
	}
	p.Put(a)
	if a = p.TryGet(BlockSize); slabOf(a).huge {
		t.Error("it is huge again, though part of it was given back")
	}
	p.Put(a)
	p.Put(small)
	p.Trim()
	if s := p.Stats(); s != (PoolStats{}) {
		t.Errorf("at the end: %+v", s)
	}
}
