package fs

import (
	"sync"
	"sync/atomic"
	"time"
)

// removalRuns finds the removals that may share requests.
//
// A removal belongs to a run if the same thread has made another removal at most
// runGap before and has changed nothing else in between. A removal that belongs to no
// run has reached S3 when it returns: that of a lock file, of a database's journal,
// and the first of `rm -r`. The removals in a run are recorded on the local disk and
// gathered into batches. Every other change of the mount waits for them, and so do
// fsync of the directory, sync, unmount, and an rmdir, unless the thread has listed
// the directory that holds the name: it then is in the middle of `rm -r`, whose last
// rmdir waits.
type removalRuns struct {
	mu   sync.Mutex
	last map[uint32]time.Time // by thread: when its last removal was answered
	any  atomic.Bool          // last is not empty: most changes need not take mu
	gap  time.Duration        // runGap, but in tests
}

const (
	// runGap is the longest pause within a run: rm, find and programs like them take
	// less than a millisecond, or the time of a LIST.
	runGap = 100 * time.Millisecond
	// maxRuns bounds the threads that are remembered: those whose run is over are
	// forgotten then.
	maxRuns = 64
)

func newRemovalRuns() *removalRuns { return &removalRuns{last: map[uint32]time.Time{}, gap: runGap} }

// goOn tells whether a removal by a thread belongs to a run.
func (r *removalRuns) goOn(thread uint32) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	at, ok := r.last[thread]
	return ok && time.Since(at) <= r.gap
}

// removed notes that a removal by a thread was answered.
func (r *removalRuns) removed(thread uint32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	if len(r.last) >= maxRuns {
		for t, at := range r.last {
			if now.Sub(at) > r.gap {
				delete(r.last, t)
			}
		}
	}
	r.last[thread] = now
	r.any.Store(true)
}

// changed ends the run of a thread, because it changes something else.
func (r *removalRuns) changed(thread uint32) {
	if !r.any.Load() {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.last, thread)
	r.any.Store(len(r.last) > 0)
}
