package fs

import (
	"log/slog"
	"strings"
	"time"
)

// watchTicks is how many looks the watchdog takes per bound: a request is
// reported at most a quarter of the bound late.
const watchTicks = 4

// watch logs every request that is under way for longer than bound, once, until
// done is closed. Such a request is not ended: it may well move a lot of data, and
// P12 lets its caller interrupt it. But if nothing moves, the record is what
// tells which request hangs, and where.
func (o *observed) watch(done <-chan struct{}, bound time.Duration) {
	if bound <= 0 {
		return
	}
	tick := time.NewTicker(max(bound/watchTicks, time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			o.report(bound)
		case <-done:
			return
		}
	}
}

// report logs what has become slow since the last look.
func (o *observed) report(bound time.Duration) {
	o.flight.all(func(r flying) {
		if r.age < bound || r.place.slow.Swap(true) {
			return
		}
		o.traffic.slow.Add(1)
		o.f.log.Warn("a request is slow", slog.String("op", operationNames()[r.op]),
			slog.String("path", o.f.pathOf(r.nodeid)), slog.Uint64("nodeid", r.nodeid),
			slog.Duration("age", r.age.Round(time.Millisecond)))
	})
}

// answered logs the end of a request that was reported.
func (o *observed) answered(op operation, took time.Duration) {
	o.f.log.Info("a slow request was answered", slog.String("op", operationNames()[op]),
		slog.Duration("age", took.Round(time.Millisecond)))
}

// pathOf returns the path of an inode below the mountpoint; of one without a
// name, what it was known by in S3.
func (f *filesystem) pathOf(nodeid uint64) string {
	n := f.inodes.get(nodeid)
	if n == nil {
		return ""
	}
	var names []string
	for at := n; at != f.inodes.root; {
		dir, name := f.inodes.parentOf(at)
		if dir == nil {
			return "(deleted) " + n.snapshot().Key
		}
		names = append([]string{name}, names...)
		at = dir
	}
	return "/" + strings.Join(names, "/")
}
