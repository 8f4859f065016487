package cache

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/s3mount/s3mount/s3/fair"
)

// Budget counts the bytes of memory that readers, fetches and writers hold together,
// and makes them wait when the limit is reached (P11, I8). It does not allocate: Pool
// charges the Budget for the memory that it hands out.
//
// Clean memory that nobody uses stays charged until someone needs the room. The Budget
// then calls the reclaimers, and Acquire waits only if they cannot free enough. The
// users are served in turn (fair.Queue). No caller takes room while another one waits,
// so that small requests do not starve a large one.
//
// All methods are safe for concurrent use.
type Budget struct {
	limit   int64
	deficit atomic.Int64 // the result of Deficit, updated under mu

	mu         sync.Mutex
	used       int64
	queue      fair.Queue[*waiter] // the callers that are blocked in Acquire
	reclaimers []func(int64) int64
}

// waiter is a caller that is blocked in Acquire.
type waiter struct {
	n       int64         // the number of bytes that it waits for
	granted chan struct{} // closed when they are charged
}

// NewBudget returns a budget of limit bytes. The limit is at least one byte.
func NewBudget(limit int64) *Budget {
	return &Budget{limit: max(limit, 1)}
}

// Limit returns the limit in bytes.
func (b *Budget) Limit() int64 { return b.limit }

// Used returns the number of charged bytes. Force can raise it above Limit.
func (b *Budget) Used() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.used
}

// Waiting reports whether an Acquire is blocked.
func (b *Budget) Waiting() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.queue.First() != nil
}

// Deficit returns the number of bytes that must be released to serve the first waiter,
// or to return to the limit after Force. It is 0 if there is no such need. While it is
// positive, holders of clean memory release it instead of keeping it. Deficit takes no
// lock.
func (b *Budget) Deficit() int64 { return b.deficit.Load() }

// AddReclaimer adds a source of clean memory. The budget calls reclaim to release at
// least n bytes. The function calls Release and returns the number of bytes that it
// released. Less than n means that it has no more. The budget holds no lock during the
// call.
func (b *Budget) AddReclaimer(reclaim func(n int64) (freed int64)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reclaimers = append(b.reclaimers, reclaim)
}

// Acquire charges n bytes. It reclaims clean memory and, if that is not enough, waits
// for the turn of ctx's user. If ctx ends, it returns the error of ctx and charges
// nothing. A request beyond the limit is granted when nothing else is charged.
func (b *Budget) Acquire(ctx context.Context, n int64) error {
	if b.TryAcquire(n) {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	w := &waiter{n: n, granted: make(chan struct{})}
	b.mu.Lock()
	place := b.queue.Push(fair.UserOf(ctx), w)
	b.grant()
	b.mu.Unlock()
	// Memory may have become clean between the attempt and the queueing. Its holder
	// saw no waiter then, and kept it.
	b.reclaim(b.Deficit())
	select {
	case <-w.granted:
		return nil
	case <-ctx.Done():
		return b.abandon(ctx, place)
	}
}

// abandon removes a waiter whose context has ended from the queue. If the waiter was
// granted in the meantime, the grant stands.
func (b *Budget) abandon(ctx context.Context, w *fair.Item[*waiter]) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case <-w.Value.granted:
		return nil
	default:
	}
	b.queue.Remove(w)
	b.grant() // the waiters behind it may fit
	return ctx.Err()
}

// TryAcquire charges n bytes if nobody waits and there is room, after reclaiming if
// necessary. It never blocks.
func (b *Budget) TryAcquire(n int64) bool {
	b.mu.Lock()
	if b.queue.First() != nil {
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
	if b.queue.First() != nil || !b.fits(n) {
		return false
	}
	b.used += n
	b.measure()
	return true
}

// Force charges n bytes and ignores the limit. It is for the minimum of memory with
// which a reader or a writer can make progress (I8). The callers bound its amount.
func (b *Budget) Force(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used += n
	b.measure()
}

// Release releases n charged bytes and serves the waiters that now fit.
func (b *Budget) Release(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used -= n
	if b.used < 0 {
		panic("cache: more budget released than acquired")
	}
	b.grant()
}

// reclaim calls the reclaimers in the order of AddReclaimer until n bytes are free.
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

// fits reports whether n more bytes may be charged. b.mu is held.
func (b *Budget) fits(n int64) bool {
	return b.used+n <= b.limit || b.used <= 0
}

// grant serves waiters in turn, from the front of the queue while they fit. b.mu is held.
func (b *Budget) grant() {
	for w := b.queue.First(); w != nil && b.fits(w.Value.n); w = b.queue.First() {
		b.used += w.Value.n
		close(b.queue.Pop().granted)
	}
	b.measure()
}

// measure updates deficit. b.mu is held.
func (b *Budget) measure() {
	need := b.used - b.limit
	if w := b.queue.First(); w != nil {
		need += w.Value.n
	}
	b.deficit.Store(max(need, 0))
}
