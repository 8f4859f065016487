package metering

import (
	"log/slog"
	"sync/atomic"
	"time"
)

// A Tracker counts and times the requests of one mount and knows which are in
// flight. It is safe for concurrent use.
type Tracker struct {
	log      *slog.Logger
	meters   [operations]Meter
	inFlight inFlight

	read, written atomic.Uint64 // bytes
	slow          atomic.Uint64 // requests that the watchdog reported
}

// NewTracker returns a Tracker whose watchdog writes to log.
func NewTracker(log *slog.Logger) *Tracker {
	return &Tracker{log: log, inFlight: inFlight{base: time.Now()}}
}

// An Observation is one request in flight.
type Observation struct {
	t     *Tracker
	op    Operation
	start int64 // relative to inFlight.base
	slot  *slot // nil if the table was full
}

// Begin records the start of a request. Unique is the kernel's number of the
// request, nodeID the inode that it concerns. The caller must call End.
func (t *Tracker) Begin(op Operation, unique, nodeID uint64) Observation {
	now := t.inFlight.now()
	return Observation{t: t, op: op, start: now, slot: t.inFlight.enter(op, unique, nodeID, now)}
}

// End records the end of the request.
func (v Observation) End(failed bool) {
	took := time.Duration(v.t.inFlight.now() - v.start)
	v.t.meters[v.op].Observe(took, failed)
	if v.t.inFlight.leave(v.slot) {
		v.t.logSlowEnd(v.op, took)
	}
}

// AddRead counts n bytes that programs have read.
func (t *Tracker) AddRead(n int) { t.read.Add(uint64(n)) }

// AddWritten counts n bytes that programs have written.
func (t *Tracker) AddWritten(n uint32) { t.written.Add(uint64(n)) }

// Requests is a reading of a Tracker. Requests that the kernel answers by itself,
// from its page cache, its dentry cache or by passthrough, are not included.
type Requests struct {
	Operations map[string]Latency `json:"operations"` // operations that occurred, by Operation.String
	Read       uint64             `json:"bytes_read"`
	Written    uint64             `json:"bytes_written"`
	InFlight   int                `json:"in_flight"`
	Oldest     float64            `json:"oldest_seconds"` // age of the oldest request in flight
	Slow       uint64             `json:"slow"`           // counter of the requests that the watchdog reported
}

// Requests returns a reading of all counters and of the table.
func (t *Tracker) Requests() Requests {
	r := Requests{Operations: map[string]Latency{}, Read: t.read.Load(), Written: t.written.Load(), Slow: t.slow.Load()}
	for op := range operations {
		if l := t.meters[op].Latency(); l.Count > 0 {
			r.Operations[op.String()] = l
		}
	}
	t.inFlight.each(func(v request) {
		r.InFlight++
		r.Oldest = max(r.Oldest, v.age.Seconds())
	})
	return r
}
