package metering

import (
	"sync/atomic"
	"time"
)

const (
	// slots bounds the requests in flight that are known. The kernel sends up to
	// 128 requests in the background and one more for each thread that waits.
	// Requests beyond the bound are counted and answered, but not watched.
	slots = 1024
	// probes is the number of slots that are tried for one request. The kernel
	// numbers requests in sequence, so the first slot is nearly always free.
	probes = 8
)

// slot describes one request in flight. It fills a cache line, because
// different threads write to neighbouring slots.
type slot struct {
	since    atomic.Int64 // start time plus one, or 0 if the slot is free
	op       atomic.Uint32
	reported atomic.Bool // the watchdog has logged the request
	nodeID   atomic.Uint64
	_        [40]byte
}

// inFlight is the table of the requests in flight.
type inFlight struct {
	base  time.Time // all times are relative to it
	slots [slots]slot
}

// now returns the time since base in nanoseconds.
func (t *inFlight) now() int64 { return int64(time.Since(t.base)) }

// enter takes a slot for a request. It returns nil if no slot is free.
func (t *inFlight) enter(op Operation, unique, nodeID uint64, now int64) *slot {
	first := unique >> 1 // the kernel's numbers are even (FUSE_REQ_ID_STEP)
	for i := range uint64(probes) {
		s := &t.slots[(first+i)%slots]
		if s.since.CompareAndSwap(0, now+1) {
			s.op.Store(uint32(op))
			s.nodeID.Store(nodeID)
			return s
		}
	}
	return nil
}

// leave frees a slot. It returns true if the watchdog has reported the request.
func (t *inFlight) leave(s *slot) (reported bool) {
	if s == nil {
		return false
	}
	reported = s.reported.Load()
	if reported {
		s.reported.Store(false)
	}
	s.since.Store(0)
	return reported
}

// request is a request in flight as seen by an observer.
type request struct {
	op     Operation
	nodeID uint64
	age    time.Duration
	slot   *slot
}

// each calls f for each request in flight. A request that ends during the call
// may be included.
func (t *inFlight) each(f func(request)) {
	now := t.now()
	for i := range t.slots {
		s := &t.slots[i]
		if since := s.since.Load(); since != 0 {
			f(request{Operation(s.op.Load()), s.nodeID.Load(), time.Duration(now - (since - 1)), s})
		}
	}
}
