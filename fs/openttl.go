package fs

import (
	"context"
	"sync"
	"time"

	"github.com/s3mount/s3mount/fs/readahead"
)

// relies reports whether an open may rely on what S3 said of the version of n, without a
// request: the option allows it, the last GET, HEAD or write of the file was within
// Options.OpenTTL, and the content is in the cache. The inode is locked.
func (f *opener) relies(n *inode) bool {
	return f.o.OpenTTL > 0 && time.Since(n.checked) < f.o.OpenTTL && f.checks.counts(n.checked) && n.Entry().ETag != ""
}

// checks are the opens of files that ask S3 and that others wait for, to rely on them.
type checks struct {
	mu    sync.Mutex
	under map[*inode]chan struct{} // closed when S3 has answered
	void  time.Time                // no check from before counts any more
}

// voidAll makes the next open of each file ask S3.
func (c *checks) voidAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.void = time.Now()
}

// counts reports whether a check of that time may be relied on.
func (c *checks) counts(at time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return at.After(c.void)
}

// begin returns a function that ends the check of n; or, if another open is asking S3,
// what its end closes.
func (c *checks) begin(n *inode) (end func(), other <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if done := c.under[n]; done != nil {
		return nil, done
	}
	done := make(chan struct{})
	if c.under == nil {
		c.under = make(map[*inode]chan struct{})
	}
	c.under[n] = done
	return func() {
		c.mu.Lock()
		delete(c.under, n)
		c.mu.Unlock()
		close(done)
	}, nil
}

// openUnchecked gives a handle a reader without a request, if that may be. Otherwise the
// caller asks S3, and calls end when it has the answer.
func (f *opener) openUnchecked(ctx context.Context, h *handle) (done bool, end func(), err error) {
	if f.o.OpenTTL == 0 {
		return false, func() {}, nil
	}
	n := h.node
	for waited := false; ; waited = true {
		n.lock()
		v, epoch, relies := versionOf(n.Entry()), n.Epoch(), f.relies(n)
		n.unlock()
		if relies && f.reads.Cached(v) {
			h.reader, h.epoch = f.reads.OpenVersion(v), epoch
			return true, nil, nil
		}
		end, other := f.checks.begin(n)
		switch {
		case end != nil:
			return false, end, nil
		case waited: // the answer was of no use to this open
			return false, func() {}, nil
		}
		select {
		case <-other:
		case <-ctx.Done():
			return false, nil, ctx.Err()
		}
	}
}

// check notes that S3 answered a GET or HEAD for v that was sent at the time asked.
func (f *opener) check(n *inode, v readahead.Version, asked time.Time) {
	if f.o.OpenTTL == 0 {
		return
	}
	n.lock()
	defer n.unlock()
	if versionOf(n.Entry()) == v {
		n.checked = asked
	}
}

// uncheck makes the next open ask S3.
func (n *inode) uncheck() {
	if !n.isUsed() {
		return
	}
	n.lock()
	defer n.unlock()
	n.checked = time.Time{}
}
