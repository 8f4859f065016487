package fs

import (
	"sync"
	"sync/atomic"
	"time"
)

// removalRuns detects runs of removals, which may share requests.
//
// A removal belongs to a run if the same thread has made another removal at most runGap
// before and has changed nothing else in between. A removal outside of a run has
// reached S3 when it returns, for example the removal of a lock file, of the journal of
// a database, or the first one of rm -r. The removals in a run are recorded on the
// local disk and sent in batches. Every other change of the mount waits for them, and
// so do fsync of the directory, sync, and unmount. An rmdir also waits, unless the
// thread has listed the parent directory: it is then in the middle of rm -r, whose last
// rmdir waits.
type removalRuns struct {
	mu   sync.Mutex
	last map[uint32]time.Time // by thread: time of the answer to its last removal
	any  atomic.Bool          // last is not empty; avoids taking mu for most changes
	gap  time.Duration        // runGap, except in tests
}

const (
	// runGap is the longest pause within a run. rm, find and similar programs pause for
	// less than a millisecond, or for the time of a LIST.
	runGap = 100 * time.Millisecond
	// maxRuns is the number of threads above which finished runs are dropped.
	maxRuns = 64
)

func newRemovalRuns() *removalRuns { return &removalRuns{last: map[uint32]time.Time{}, gap: runGap} }

// goOn reports whether a removal by a thread belongs to a run.
func (r *removalRuns) goOn(thread uint32) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	at, ok := r.last[thread]
	return ok && time.Since(at) <= r.gap
}

// removed records the answer to a removal by a thread.
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
