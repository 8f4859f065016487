package fs

import (
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// observed stands between go-fuse and the filesystem: it counts and times each
// request and knows which are under way. Nothing is embedded: an operation that
// is missing here does not compile. Where a request has no header (FORGET) or
// cannot wait (INIT) it is passed on only.
type observed struct {
	f       *filesystem
	meters  [operations]Meter
	traffic traffic
	flight  flight
}

var _ fuse.RawFileSystem = (*observed)(nil)

func newObserved(f *filesystem) *observed {
	return &observed{f: f, flight: flight{base: time.Now()}}
}

// traffic are the counters of all requests together.
type traffic struct {
	read, written atomic.Uint64 // bytes to and from programs
	slow          atomic.Uint64 // requests that the watchdog reported
}

// observation is one request under way.
type observation struct {
	o     *observed
	op    operation
	start int64 // since flight.base
	place *place
}

// begin takes down a request.
func (o *observed) begin(op operation, h *fuse.InHeader) observation {
	now := o.flight.now()
	return observation{o: o, op: op, start: now, place: o.flight.enter(op, h, now)}
}

// end is deferred, so that also a handler that panics leaves nothing behind.
func (v observation) end(status *fuse.Status) {
	took := time.Duration(v.o.flight.now() - v.start)
	v.o.meters[v.op].Observe(took, isFault(*status))
	if v.o.flight.leave(v.place) {
		v.o.answered(v.op, took)
	}
}

// isFault tells answers that say that something went wrong from those that are
// true of the files, such as ENOENT, and from what the caller ended itself.
func isFault(s fuse.Status) bool {
	switch syscall.Errno(s) {
	case syscall.EIO, syscall.EACCES, syscall.ESTALE, syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG,
		syscall.ENOMEM, syscall.ETIMEDOUT, syscall.EBUSY, syscall.ENODEV, syscall.ENXIO:
		return true
	}
	return false
}

func (o *observed) String() string                { return o.f.String() }
func (o *observed) SetDebug(on bool)              { o.f.SetDebug(on) }
func (o *observed) Init(s *fuse.Server)           { o.f.Init(s) }
func (o *observed) OnUnmount()                    { o.f.OnUnmount() }
func (o *observed) Forget(nodeid, nlookup uint64) { o.f.Forget(nodeid, nlookup) }
func (o *observed) ReleaseDir(in *fuse.ReleaseIn) { o.f.ReleaseDir(in) }
