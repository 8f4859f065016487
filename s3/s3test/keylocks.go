package s3test

import (
	"context"
	"sync"
	"time"
)

// keyLocks are locks on keys. Some servers hold them during a request: a GET whose body
// is not read to its end blocks writes of the key, and a conditional PUT whose body is
// not sent to its end blocks GETs.
type keyLocks struct {
	mu      sync.Mutex
	holders map[string]int // readers; -1 is a writer
	changed chan struct{}  // closed when a lock is given back
}

// lock waits for a lock on a key, and returns false if it does not get it in
// time. unlock gives it back.
func (l *keyLocks) lock(ctx context.Context, key string, write bool, patience time.Duration) (unlock func(), ok bool) {
	late := time.NewTimer(patience)
	defer late.Stop()
	for {
		l.mu.Lock()
		if l.holders == nil {
			l.holders, l.changed = map[string]int{}, make(chan struct{})
		}
		if n := l.holders[key]; n == 0 || n > 0 && !write {
			if write {
				l.holders[key] = -1
			} else {
				l.holders[key]++
			}
			l.mu.Unlock()
			return func() { l.unlock(key, write) }, true
		}
		changed := l.changed
		l.mu.Unlock()
		select {
		case <-changed:
		case <-late.C:
			return nil, false
		case <-ctx.Done():
			return nil, false
		}
	}
}

func (l *keyLocks) unlock(key string, write bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if write {
		l.holders[key] = 0
	} else {
		l.holders[key]--
	}
	close(l.changed)
	l.changed = make(chan struct{})
}

// lockKey takes the lock that the request holds on its key, as far as the
// server has such locks.
func (c *call) lockKey() (unlock func(), err error) {
	none := func() {}
	if c.opts.KeyLocks == 0 || c.key == "" {
		return none, nil
	}
	write := false
	switch c.kind {
	case "GetObject", "HeadObject":
	case "PutObject", "CopyObject", "CompleteMultipartUpload", "DeleteObject":
		write = true
	default:
		return none, nil
	}
	unlock, ok := c.locks.lock(c.r.Context(), c.bucket+"/"+c.key, write, c.opts.KeyLocks)
	if !ok {
		return none, fail(503, "RequestTimeout", "A timeout occurred while trying to lock a resource, please reduce your request rate")
	}
	return unlock, nil
}
