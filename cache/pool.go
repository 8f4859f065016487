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
	// minClass is the smallest size class: a page, so that any free chunk can
	// be given back to the OS by itself.
	minClass     = 4 << 10
	minClassBits = 12
	// classes counts the size classes minClass, 2*minClass, ... BlockSize.
	classes = 6
	// idleAfter is how long free memory stays mapped in. It bridges the gap
	// between two bursts of reads; page faults cost a third of a read.
	idleAfter = 5 * time.Second
)

// Pool hands out memory for object data and charges a Budget for it. The
// memory lies outside the Go heap, where it neither makes the garbage collector
// work nor lets it keep twice as much: slabs of slabSize bytes, cut into chunks
// of one size class each.
//
// Chunks that were put back stay warm (resident) for the next Get. Warm and held
// memory together stay within the budget's limit, and what lies idle goes back
// to the OS.
//
// All methods are safe for concurrent use. Pool.mu stands above Budget.mu only
// in order, they are never held together.
type Pool struct {
	budget *Budget
	guard  bool // a chunk that was put back cannot be touched

	mu      sync.Mutex
	slabs   map[uintptr]*slab // by address / slabSize
	partial [classes]*slab    // slabs with free chunks, a doubly linked list
	held    int64             // bytes in chunks that are out
	warm    int64             // bytes in free chunks that are resident
	gets    uint64            // counts Gets, to tell idleness
	timer   *time.Timer       // runs while warm > 0
}

// PoolStats are the gauges of a Pool in bytes.
type PoolStats struct {
	Held int64 // out with users
	Warm int64 // free, but still resident
}

// NewPool makes an empty pool that charges b.
func NewPool(b *Budget) *Pool {
	return &Pool{budget: b, slabs: make(map[uintptr]*slab)}
}

// Guard makes the pool protect the memory that was put back, so that any later
// use of it faults. It is for tests, and is called before the first Get.
func (p *Pool) Guard() { p.guard = true }

// Budget returns the budget that the pool charges.
func (p *Pool) Budget() *Budget { return p.budget }

// Stats returns the gauges.
func (p *Pool) Stats() PoolStats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return PoolStats{Held: p.held, Warm: p.warm}
}

// Get returns size bytes (1 to BlockSize) with undefined content. Its capacity
// is the size class, which is what the budget is charged. It waits for room;
// its error is that of ctx.
func (p *Pool) Get(ctx context.Context, size int) ([]byte, error) {
	class := classOf(size)
	if err := p.budget.Acquire(ctx, classSize(class)); err != nil {
		return nil, fmt.Errorf("waiting for memory: %w", err)
	}
	return p.take(class, size), nil
}

// GetForced is Get that does not wait and may exceed the limit (I8).
func (p *Pool) GetForced(size int) []byte {
	p.ReserveForced(size)
	return p.Take(size)
}

// TryGet is Get that returns nil when there is no room now.
func (p *Pool) TryGet(size int) []byte {
	if !p.TryReserve(size) {
		return nil
	}
	return p.Take(size)
}

// TryReserve charges the budget for size bytes that Take will hand out later, so
// that what waits for bytes to come is bounded, but not resident. It returns
// false when there is no room now.
func (p *Pool) TryReserve(size int) bool { return p.budget.TryAcquire(classSize(classOf(size))) }

// ReserveForced is TryReserve that may exceed the limit (I8).
func (p *Pool) ReserveForced(size int) { p.budget.Force(classSize(classOf(size))) }

// Take returns size bytes that were reserved.
func (p *Pool) Take(size int) []byte { return p.take(classOf(size), size) }

// TakeRun returns at least one and up to n pieces of size bytes that were reserved,
// as one: it is as long as they are together. Each is put back by itself. More than
// one is only given of a size that is a class's.
func (p *Pool) TakeRun(size, n int) []byte {
	class := classOf(size)
	if n == 1 || int64(size) != classSize(class) {
		return p.take(class, size)
	}
	return p.takeRun(class, n)
}

// Unreserve gives back a reservation of size bytes that were not taken.
func (p *Pool) Unreserve(size int) { p.budget.Release(classSize(classOf(size))) }

// Put takes back memory that Get, GetForced, TryGet or Take returned. It may have
// been cut at its end, not at its start. Putting it twice panics.
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

// release makes chunk i of s free and warm. p.mu is held.
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

// take returns a chunk of the class, of which the budget is charged already.
func (p *Pool) take(class, size int) []byte { return p.takeRun(class, 1)[:size] }

// slabsLookedAt bounds the search for a run of chunks: what is put back in order,
// as readers do it, lies in the slab that was used last.
const slabsLookedAt = 8

// takeRun returns up to n chunks of the class that lie in a row, at least one; the
// budget is charged for n already. Warm ones are taken first: they cost no page fault.
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

// findWarm finds a run of up to n warm chunks, the longest one near at hand; got is 0
// if there is none. p.mu is held.
func (p *Pool) findWarm(class, n int) (best *slab, first, got int) {
	for s, i := p.partial[class], 0; s != nil && i < slabsLookedAt && got < n; s, i = s.next, i+1 {
		if at, run := s.warm.longest(s.chunks(), n); run > got {
			best, first, got = s, at, run
		}
	}
	return best, first, got
}

// grow finds an unused slab for the class or maps a new one. p.mu is held.
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

// cool gives about n bytes of warm chunks back to the OS. p.mu is held.
func (p *Pool) cool(n int64) {
	for c := range p.partial {
		for s := p.partial[c]; s != nil && n > 0; s = s.next {
			freed := s.coolAll()
			p.warm -= freed
			n -= freed
		}
	}
}

// trimIdle gives all free memory back to the OS if nobody asked for memory
// since gets was seen, and otherwise looks again later.
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

// Trim gives all free memory back to the OS now.
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

// link puts s, which has free chunks, at the front of its class. p.mu is held.
func (p *Pool) link(s *slab) {
	s.prev, s.next = nil, p.partial[s.class]
	if s.next != nil {
		s.next.prev = s
	}
	p.partial[s.class] = s
}

// unlink takes s out of its class's list. p.mu is held.
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
