package cache

import (
	"context"
	"fmt"
	"math/bits"
	"sync"
	"time"

	"github.com/s3mount/s3mount/cache/disk"
)

// BlockSize is the cached unit of object data in bytes.
const BlockSize = disk.BlockSize

const (
	// minClass is the smallest size class. It is one page, so that any free chunk can
	// be returned to the OS.
	minClass     = 4 << 10
	minClassBits = 12
	// classes counts the size classes minClass, 2*minClass, ... BlockSize.
	classes = 6
	// idleAfter is how long free memory stays resident. It bridges the gap between two
	// bursts of reads, because page faults cost a third of a read.
	idleAfter = 5 * time.Second
)

// Pool hands out memory for object data and charges a Budget for it. The memory lies
// outside the Go heap, so that the garbage collector does not scan it and does not keep
// a multiple of it. It consists of slabs of slabSize bytes, which are cut into chunks
// of one size class each.
//
// Free chunks stay warm (resident) for the next Get. Warm and held memory together stay
// within the budget's limit. Idle memory is returned to the OS.
//
// All methods are safe for concurrent use. Pool.mu ranks above Budget.mu, but they are
// never held together.
type Pool struct {
	budget *Budget
	guard  bool // free chunks are protected

	mu      sync.Mutex
	slabs   map[uintptr]*slab // by address / slabSize
	partial [classes]*slab    // slabs with free chunks, a doubly linked list
	held    int64             // bytes in chunks that are out
	warm    int64             // bytes in free chunks that are resident
	gets    uint64            // the number of Gets, which shows whether the pool is idle
	timer   *time.Timer       // runs while warm > 0
}

// PoolStats are the gauges of a Pool in bytes.
type PoolStats struct {
	Held int64 // in use
	Warm int64 // free, but still resident
}

// NewPool returns an empty pool that charges b.
func NewPool(b *Budget) *Pool {
	return &Pool{budget: b, slabs: make(map[uintptr]*slab)}
}

// Guard makes the pool protect free memory, so that any late use faults. It is for
// tests, and must be called before the first Get.
func (p *Pool) Guard() { p.guard = true }

// Budget returns the budget that the pool charges.
func (p *Pool) Budget() *Budget { return p.budget }

// Stats returns the gauges.
func (p *Pool) Stats() PoolStats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return PoolStats{Held: p.held, Warm: p.warm}
}

// Get returns size bytes (1 to BlockSize) with undefined content. The capacity is the
// size class, for which the budget is charged. Get waits for room until ctx ends.
func (p *Pool) Get(ctx context.Context, size int) ([]byte, error) {
	class := classOf(size)
	if err := p.budget.Acquire(ctx, classSize(class)); err != nil {
		return nil, fmt.Errorf("waiting for memory: %w", err)
	}
	return p.take(class, size), nil
}

// GetForced is like Get, but it does not wait and may exceed the limit (I8).
func (p *Pool) GetForced(size int) []byte {
	p.ReserveForced(size)
	return p.Take(size)
}

// TryGet is like Get, but it returns nil if there is no room now.
func (p *Pool) TryGet(size int) []byte {
	if !p.TryReserve(size) {
		return nil
	}
	return p.Take(size)
}

// TryReserve charges the budget for size bytes that Take hands out later. Memory for
// bytes that have not arrived is thus bounded, but not resident. It returns false if
// there is no room now.
func (p *Pool) TryReserve(size int) bool { return p.budget.TryAcquire(classSize(classOf(size))) }

// ReserveForced is like TryReserve, but it may exceed the limit (I8).
func (p *Pool) ReserveForced(size int) { p.budget.Force(classSize(classOf(size))) }

// Take returns size bytes that were reserved.
func (p *Pool) Take(size int) []byte { return p.take(classOf(size), size) }

// TakeRun returns between 1 and n pieces of size bytes that were reserved, as one
// slice. Put takes each piece separately. TakeRun returns more than one piece only if
// size is the size of a class.
func (p *Pool) TakeRun(size, n int) []byte {
	class := classOf(size)
	if n == 1 || int64(size) != classSize(class) {
		return p.take(class, size)
	}
	return p.takeRun(class, n)
}

// Unreserve releases a reservation of size bytes that were not taken.
func (p *Pool) Unreserve(size int) { p.budget.Release(classSize(classOf(size))) }

// Put frees memory that Get, GetForced, TryGet or Take returned. The slice may have
// been cut at its end, but not at its start. Putting memory twice panics.
func (p *Pool) Put(b []byte) {
	addr := addressOf(b)
	p.mu.Lock()
	s := p.slabs[addr/slabSize]
	if s == nil {
		p.mu.Unlock()
		panic("cache: memory put back that is not of this pool")
	}
	size := s.chunkSize()
	i := int(addr%slabSize) / size
	if int(addr%slabSize)%size != 0 || !s.isHeld(i) {
		p.mu.Unlock()
		panic("cache: memory put back twice, or not from its start")
	}
	p.release(s, i)
	p.mu.Unlock()
	p.budget.Release(int64(size))
}

// release turns the held chunk i of s into a warm one. p.mu is held.
func (p *Pool) release(s *slab, i int) {
	size := int64(s.chunkSize())
	if s.free() == 0 {
		p.link(s)
	}
	s.putBack(i)
	p.held -= size
	p.warm += size
	if p.guard {
		protect(s.chunk(i))
	}
	if p.timer == nil {
		seen := p.gets
		p.timer = time.AfterFunc(idleAfter, func() { p.trimIdle(seen) })
	}
}

// take returns a chunk of the class. The budget is charged already.
func (p *Pool) take(class, size int) []byte { return p.takeRun(class, 1)[:size] }

// slabsLookedAt bounds the search for a run of chunks. Readers put memory back in
// order, so the longest runs are in the slabs that were used last.
const slabsLookedAt = 8

// takeRun returns between 1 and n consecutive chunks of the class. The budget is
// charged for n already. It prefers warm chunks, because they cost no page fault.
func (p *Pool) takeRun(class, n int) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gets++
	s, first, got := p.findWarm(class, n)
	warm := got > 0
	if !warm {
		if s = p.partial[class]; s == nil {
			s = p.grow(class)
		}
		first, got = s.cold.longest(s.chunks(), n)
	}
	s.takeOut(first, got)
	size := int64(got) << (minClassBits + class)
	p.held += size
	if warm {
		p.warm -= size
	} else if excess := p.held + p.warm - p.budget.limit; excess > 0 {
		p.cool(excess)
	}
	if s.free() == 0 {
		p.unlink(s)
	}
	b := s.run(first, got)
	if p.guard {
		unprotect(b)
	}
	return b
}

// findWarm returns the longest run of up to n warm chunks in the first slabs. got is 0
// if there is none. p.mu is held.
func (p *Pool) findWarm(class, n int) (best *slab, first, got int) {
	for s, i := p.partial[class], 0; s != nil && i < slabsLookedAt && got < n; s, i = s.next, i+1 {
		if at, run := s.warm.longest(s.chunks(), n); run > got {
			best, first, got = s, at, run
		}
	}
	return best, first, got
}

// grow reuses an unused slab for the class or maps a new one. p.mu is held.
func (p *Pool) grow(class int) *slab {
	for c := range p.partial {
		for s := p.partial[c]; s != nil; s = s.next {
			if s.held == 0 {
				p.unlink(s)
				p.warm -= s.coolAll()
				s.reset(class)
				p.link(s)
				return s
			}
		}
	}
	s := newSlab(class, p.guard)
	p.slabs[addressOf(s.mem)/slabSize] = s
	p.link(s)
	return s
}

// cool returns about n bytes of warm chunks to the OS. p.mu is held.
func (p *Pool) cool(n int64) {
	for c := range p.partial {
		for s := p.partial[c]; s != nil && n > 0; s = s.next {
			freed := s.coolAll()
			p.warm -= freed
			n -= freed
		}
	}
}

// trimIdle returns all free memory to the OS if nobody has called Get since the count
// of Gets was seen. Otherwise it checks again later.
func (p *Pool) trimIdle(seen uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gets != seen {
		seen = p.gets
		p.timer = time.AfterFunc(idleAfter, func() { p.trimIdle(seen) })
		return
	}
	p.timer = nil
	p.trim()
}

// Trim returns all free memory to the OS now.
func (p *Pool) Trim() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.trim()
}

// trim unmaps unused slabs and cools the others. p.mu is held.
func (p *Pool) trim() {
	for c := range p.partial {
		for s := p.partial[c]; s != nil; {
			next := s.next
			p.warm -= s.coolAll()
			if s.held == 0 {
				p.unlink(s)
				delete(p.slabs, addressOf(s.mem)/slabSize)
				s.unmap()
			}
			s = next
		}
	}
}

// link puts s, which has free chunks, at the front of the list of its class. p.mu is
// held.
func (p *Pool) link(s *slab) {
	s.prev, s.next = nil, p.partial[s.class]
	if s.next != nil {
		s.next.prev = s
	}
	p.partial[s.class] = s
}

// unlink removes s from the list of its class. p.mu is held.
func (p *Pool) unlink(s *slab) {
	if s.prev == nil {
		p.partial[s.class] = s.next
	} else {
		s.prev.next = s.next
	}
	if s.next != nil {
		s.next.prev = s.prev
	}
	s.prev, s.next = nil, nil
}

// classOf returns the smallest class whose chunks hold size bytes.
func classOf(size int) int {
	if size < 1 || size > BlockSize {
		panic(fmt.Sprintf("cache: %d bytes asked of a pool of 1 to %d", size, BlockSize))
	}
	return max(bits.Len(uint(size-1))-minClassBits, 0)
}

// classSize returns the bytes of a chunk of the class.
func classSize(class int) int64 { return minClass << class }
