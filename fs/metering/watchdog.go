package metering

import (
	"log/slog"
	"time"
)

// ticksPerBound is how often the watchdog looks at the table during one bound.
// A request is reported at most a quarter of the bound late.
const ticksPerBound = 4

// Watch logs, once, every request that is in flight for longer than bound. It
// returns when done is closed. Path names the inode of a request for the log.
//
// Watch does not end slow requests: they may be transferring a lot of data, and
// their callers can interrupt them. If nothing moves, the log record shows which
// request hangs, and for which file.
func (t *Tracker) Watch(done <-chan struct{}, bound time.Duration, path func(nodeID uint64) string) {
	if bound <= 0 {
		return
	}
	tick := time.NewTicker(max(bound/ticksPerBound, time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			t.reportSlow(bound, path)
		case <-done:
			return
		}
	}
}

// reportSlow logs the requests that have become slow since the last call.
func (t *Tracker) reportSlow(bound time.Duration, path func(nodeID uint64) string) {
	t.inFlight.each(func(r request) {
		if r.age < bound || r.slot.reported.Swap(true) {
			return
		}
		t.slow.Add(1)
		t.log.Warn("a request is slow", slog.String("op", r.op.String()),
			slog.String("path", path(r.nodeID)), slog.Uint64("nodeid", r.nodeID),
			slog.Duration("age", r.age.Round(time.Millisecond)))
	})
}

// logSlowEnd logs the end of a request that was reported as slow.
func (t *Tracker) logSlowEnd(op Operation, took time.Duration) {
	t.log.Info("a slow request was answered", slog.String("op", op.String()),
		slog.Duration("age", took.Round(time.Millisecond)))
}
