package fs

import (
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/s3mount/s3mount/fs/metering"
)

// observed passes each request of go-fuse to the filesystem and reports it to
// the tracker. It embeds nothing, so that an operation that is missing here
// does not compile. It does not report FORGET, which has no header, and INIT,
// which cannot wait.
type observed struct {
	f        *filesystem
	requests *metering.Tracker
}

var _ fuse.RawFileSystem = (*observed)(nil)

func newObserved(f *filesystem) *observed {
	return &observed{f: f, requests: metering.NewTracker(f.log)}
}

// observation is a request in flight whose result is a FUSE status.
type observation struct{ metering.Observation }

// begin reports the start of a request.
func (o *observed) begin(op metering.Operation, h *fuse.InHeader) observation {
	return observation{o.requests.Begin(op, h.Unique, h.NodeId)}
}

// end reports the end of a request. Callers defer it, so that it also runs when
// a handler panics.
func (v observation) end(status *fuse.Status) { v.End(isFault(*status)) }

// isFault reports whether a status is a fault. ENOENT and similar statuses are correct
// answers, and EINTR is caused by the caller.
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
