package fs

import (
	"sync/atomic"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
)

const (
	// places bounds the requests under way that are known. The kernel has some
	// 64 in the background and one more for each thread that waits; beyond that
	// requests are answered all the same, and counted, but not watched.
	places = 1024
	// probes is how many places are tried for one request. The kernel numbers
	// requests one after the other, so the first is nearly always free.
	probes = 8
)

// place is where a request is noted while it is under way. It fills a cache
// line of its own, as each is written by another thread.
type place struct {
	since  atomic.Int64 // time of its begin plus one; 0: free
	op     atomic.Uint32
	slow   atomic.Bool // it was reported
	nodeid atomic.Uint64
	_      [40]byte
}

// flight knows the requests under way. Its zero value but for base is ready.
type flight struct {
	base  time.Time // of all times
	table [places]place
}

// now is the time since base, in nanoseconds.
func (t *flight) now() int64 { return int64(time.Since(t.base)) }

// enter notes a request; nil if there is no place for it.
func (t *flight) enter(op operation, h *fuse.InHeader, now int64) *place {
	first := h.Unique >> 1 // the kernel's numbers are even (FUSE_REQ_ID_STEP)
	for i := range uint64(probes) {
		p := &t.table[(first+i)%places]
		if p.since.CompareAndSwap(0, now+1) {
			p.op.Store(uint32(op))
			p.nodeid.Store(h.NodeId)
			return p
		}
	}
	return nil
}

// leave frees a place and tells whether its request was reported as slow.
func (t *flight) leave(p *place) (slow bool) {
	if p == nil {
		return false
	}
	slow = p.slow.Load()
	if slow {
		p.slow.Store(false)
	}
	p.since.Store(0)
	return slow
}

// flying is a request under way as others see it.
type flying struct {
	op     operation
	nodeid uint64
	age    time.Duration
	place  *place
}

// all calls f for each request under way. One that ends meanwhile may still be
// among them.
func (t *flight) all(f func(flying)) {
	now := t.now()
	for i := range t.table {
		p := &t.table[i]
		if since := p.since.Load(); since != 0 {
			f(flying{operation(p.op.Load()), p.nodeid.Load(), time.Duration(now - (since - 1)), p})
		}
	}
}
