package cache

import (
	"context"
	"sync"
	"sync/atomic"
)

// Budget counts the bytes of memory that readers, fetches and writers hold
// together, and makes them wait when the limit is reached (P11, I8). It counts;
// it does not allocate: Pool charges it for what it hands out.
//
// Clean memory that nobody uses stays charged until someone needs the room:
// then the reclaimers are asked to give it back. Only when they cannot does
// Acquire wait. The users are served in turn (fairQueue). While one waits nobody
// takes room past it, so that a large request is not starved by small ones.
//
// All methods are safe for concurrent use.
type Budget struct {
	limit   int64
	deficit atomic.Int64 // what Deficit returns, kept up to date under mu

	mu         sync.Mutex
	used       int64
	queue      fairQueue // of those who are blocked in Acquire
	reclaimers []func(int64) int64
}

// NewBudget makes a budget of limit bytes. A limit below one byte is one byte:
// everything then goes through the rules for requests beyond the limit.
func NewBudget(limit int64) *Budget {
	return &Budget{limit: max(limit, 1)}
}

// Limit returns the limit in bytes.
func (b *Budget) Limit() int64 { return b.limit }

// Used returns the bytes that are charged now. Force can bring it over Limit.
func (b *Budget) Used() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.used
}

// Waiting tells whether an Acquire is blocked.
func (b *Budget) Waiting() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.queue.first() != nil
}

// Deficit returns the bytes that would have to be released to serve the first
// waiter, or to come back under the limit after Force; 0 if there is no such
// need. Who holds clean memory gives it back while this is positive instead of
// keeping it for later. It takes no lock.
func (b *Budget) Deficit() int64 { return b.deficit.Load() }

// AddReclaimer adds a source of clean memory. The function is asked to release
// at least n bytes, does so by calling Release, and returns how many it
// released; less than n means that it has no more. It is called without locks
// of the budget held.
func (b *Budget) AddReclaimer(reclaim func(n int64) (freed int64)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reclaimers = append(b.reclaimers, reclaim)
}

// Acquire charges n bytes. It reclaims clean memory and, where that is not
// enough, waits for the turn of ctx's user. Its error is that of ctx, and then nothing is
// charged. A request beyond the limit is granted when nothing else is held.
func (b *Budget) Acquire(ctx context.Context, n int64) error {
	if b.TryAcquire(n) {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	w := newFairWaiter(UserOf(ctx), n)
	b.mu.Lock()
	b.queue.push(w)
	b.grant()
	b.mu.Unlock()
	// Memory may have turned clean between the attempt and the queueing, by
	// someone who saw nobody waiting and so kept it.
	b.reclaim(b.Deficit())
	select {
	case <-w.granted:
		return nil
	case <-ctx.Done():
		return b.abandon(ctx, w)
	}
}

// abandon takes a waiter whose context ended out of the queue. If it was
// granted in the meantime the grant stands.
func (b *Budget) abandon(ctx context.Context, w *fairWaiter) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case <-w.granted:
		return nil
	default:
	}
	b.queue.remove(w)
	b.grant() // those behind it may fit
	return ctx.Err()
}

// TryAcquire charges n bytes if there is room, or if reclaiming clean memory
// makes room, and nobody waits. It never blocks.
func (b *Budget) TryAcquire(n int64) bool {
	b.mu.Lock()
	if b.queue.first() != nil {
		b.mu.Unlock()
		return false
	}
	if b.fits(n) {
		b.used += n
		b.measure()
		b.mu.Unlock()
		return true
	}
	short := b.used + n - b.limit
	b.mu.Unlock()

	b.reclaim(short)

	b.mu.Lock()
	defer b.mu.Unlock()
	if b.queue.first() != nil || !b.fits(n) {
		return false
	}
	b.used += n
	b.measure()
	return true
}

// Force charges n bytes whatever the limit. It is for the least memory with
// which a reader or a writer can make progress (I8): the callers bound how much
// of it there is.
func (b *Budget) Force(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used += n
	b.measure()
}

// Release gives n charged bytes back and serves the waiters that now fit.
func (b *Budget) Release(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used -= n
	if b.used < 0 {
		panic("cache: more budget released than acquired")
	}
	b.grant()
}

// reclaim asks the reclaimers, in the order in which they were added, for n bytes.
func (b *Budget) reclaim(n int64) {
	b.mu.Lock()
	reclaimers := b.reclaimers
	b.mu.Unlock()
	for _, f := range reclaimers {
		if n <= 0 {
			return
		}
		n -= f(n)
	}
}

// fits tells whether n more bytes may be charged. b.mu is held.
func (b *Budget) fits(n int64) bool {
	return b.used+n <= b.limit || b.used <= 0
}

// grant serves waiters in turn, from the front of the queue while they fit. b.mu is held.
func (b *Budget) grant() {
	for w := b.queue.first(); w != nil && b.fits(w.n); w = b.queue.first() {
		b.used += w.n
		b.queue.serve()
	}
	b.measure()
}

// measure brings deficit up to date. b.mu is held.
func (b *Budget) measure() {
	need := b.used - b.limit
	if w := b.queue.first(); w != nil {
		need += w.n
	}
	b.deficit.Store(max(need, 0))
}
