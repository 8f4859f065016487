package fs

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/s3mount/s3mount/s3"
)

// recount is the time between two counts of the objects. A count costs a LIST per 1000
// objects, and corrects for the changes of other clients.
const recount = time.Hour

// space counts the bytes of the objects of the mount, for df and for the quota. It counts
// them by listings, from the start of the mount and then every hour, and adds the changes
// of this mount in between. Without a size and a quota it does nothing.
type space struct {
	size, quota int64 // 0: none
	prefix      string
	unsaved     func() int64  // bytes that S3 does not hold
	counted     chan struct{} // closed when the first count has ended

	room atomic.Int64 // bytes that may be written before the quota is compared again

	mu     sync.Mutex
	used   int64  // as far as it is known
	scan   bool   // a count is under way
	sum    int64  // of the count under way
	cursor string // its last key
}

// newSpace returns the space of a mount.
func newSpace(o Options, unsaved func() int64) *space {
	return &space{size: o.Size, quota: o.Quota, prefix: o.Prefix, unsaved: unsaved, counted: make(chan struct{})}
}

// counts reports whether anybody asks for the space.
func (s *space) counts() bool { return s.size > 0 || s.quota > 0 }

// run counts the objects until ctx ends.
func (s *space) run(ctx context.Context, ls func(context.Context, *s3.LsInput) (*s3.LsPage, error), bucket string, log *slog.Logger) {
	tick := time.NewTicker(recount)
	defer tick.Stop()
	for first := true; ; first = false {
		if err := s.count(ctx, ls, bucket); err != nil && ctx.Err() == nil {
			log.Warn("cannot determine the space in use; df shows an older value", slog.Any("error", err))
		}
		if first {
			close(s.counted)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// count counts all objects once.
func (s *space) count(ctx context.Context, ls func(context.Context, *s3.LsInput) (*s3.LsPage, error), bucket string) error {
	s.mu.Lock()
	s.scan, s.sum, s.cursor = true, 0, ""
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.scan = false
		s.mu.Unlock()
	}()
	in := &s3.LsInput{Bucket: bucket, Prefix: s.prefix}
	for {
		page, err := ls(ctx, in)
		if err != nil {
			return err
		}
		s.mu.Lock()
		for _, o := range page.Objects {
			if !s.reserved(o.Key) {
				s.sum += o.Size
			}
			s.cursor = o.Key
		}
		if page.NextToken == "" {
			s.used = s.sum
		}
		s.used = max(s.used, s.sum)
		s.mu.Unlock()
		if in.ContinuationToken = page.NextToken; page.NextToken == "" {
			return nil
		}
	}
}

// reserved reports whether a key is one of the mount's own.
func (s *space) reserved(key string) bool { return strings.HasPrefix(key, s.prefix+".s3mount/") }

// changed adds a change of this mount. A count under way sees the change itself if it has
// not come to the key.
func (s *space) changed(key string, delta int64) {
	if delta == 0 || s.reserved(key) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used = max(s.used+delta, 0)
	if s.scan && key <= s.cursor {
		s.sum += delta
	}
}

// taken returns the bytes in use, with those that wait for S3.
func (s *space) taken() int64 {
	s.mu.Lock()
	used := s.used
	s.mu.Unlock()
	return used + s.unsaved()
}

// reserve returns EDQUOT if n further bytes exceed the quota.
func (s *space) reserve(n int64) error {
	if s.quota == 0 || n <= 0 || s.room.Add(-n) >= 0 {
		return nil
	}
	left := s.quota - s.taken()
	s.room.Store(max(left-n, 0))
	if left < n {
		return syscall.EDQUOT
	}
	return nil
}

// statfs returns the total and the free bytes for df. ok is false if nobody asks for the space.
func (s *space) statfs() (total, free int64, ok bool) {
	if !s.counts() {
		return 0, 0, false
	}
	used := s.taken()
	total = s.size
	if total == 0 {
		total = s.quota
	}
	free = total - used
	if s.quota > 0 {
		free = min(free, s.quota-used)
	}
	return total, max(free, 0), true
}
