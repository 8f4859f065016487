package cache

import (
	"container/list"
	"context"
	"sync"
)

// User is a user id of the system. Users share memory and connections.
type User uint32

// UserKey is the context key of the User.
type UserKey struct{}

// WithUser returns a context of work that is done for u.
func WithUser(ctx context.Context, u User) context.Context {
	return context.WithValue(ctx, UserKey{}, u)
}

// UserOf returns the user that ctx works for, or 0 if ctx has none.
func UserOf(ctx context.Context) User {
	u, _ := ctx.Value(UserKey{}).(User)
	return u
}

// fairQueue is a queue that serves the users in turn, and the waiters of each user in
// the order in which they came. A user with hundreds of waiters does not delay a user
// with one. The zero value is empty. The owner of the queue provides the lock.
type fairQueue struct {
	lines map[User]*fairLine
	ring  list.List // of *fairLine, the next to be served in front; none is empty
}

// fairLine holds the waiters of one user.
type fairLine struct {
	user    User
	waiters list.List // of *fairWaiter
	place   *list.Element
}

// fairWaiter is one blocked caller.
type fairWaiter struct {
	user    User
	n       int64         // the amount that it waits for
	granted chan struct{} // closed when the amount is granted
	place   *list.Element
}

func newFairWaiter(u User, n int64) *fairWaiter {
	return &fairWaiter{user: u, n: n, granted: make(chan struct{})}
}

// first returns the next waiter to be served, or nil.
func (q *fairQueue) first() *fairWaiter {
	e := q.ring.Front()
	if e == nil {
		return nil
	}
	return e.Value.(*fairLine).waiters.Front().Value.(*fairWaiter)
}

// push adds w behind the other waiters of the same user.
func (q *fairQueue) push(w *fairWaiter) {
	l := q.lines[w.user]
	if l == nil {
		if q.lines == nil {
			q.lines = map[User]*fairLine{}
		}
		l = &fairLine{user: w.user}
		l.place = q.ring.PushBack(l)
		q.lines[w.user] = l
	}
	w.place = l.waiters.PushBack(w)
}

// remove removes w from any place of the queue.
func (q *fairQueue) remove(w *fairWaiter) {
	l := q.lines[w.user]
	l.waiters.Remove(w.place)
	if l.waiters.Len() == 0 {
		q.ring.Remove(l.place)
		delete(q.lines, w.user)
	}
}

// serve removes the first waiter and grants its request. The next waiter belongs to
// another user, if there is one.
func (q *fairQueue) serve() {
	w := q.first()
	q.ring.MoveToBack(q.ring.Front())
	q.remove(w)
	close(w.granted)
}

// Slots bounds the number of concurrent operations. If more callers want a slot, the
// users are served in turn. All methods are safe for concurrent use.
type Slots struct {
	mu    sync.Mutex
	free  int
	queue fairQueue
}

// NewSlots returns n free slots.
func NewSlots(n int) *Slots { return &Slots{free: n} }

// Acquire takes a slot for the user of ctx. It waits until one is free, or returns the
// cause for which ctx ended.
func (s *Slots) Acquire(ctx context.Context) error {
	w := newFairWaiter(UserOf(ctx), 1)
	s.mu.Lock()
	s.queue.push(w)
	s.serve()
	s.mu.Unlock()
	select {
	case <-w.granted:
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-w.granted: // it was granted in the meantime
		return nil
	default:
		s.queue.remove(w)
		return context.Cause(ctx)
	}
}

// Release returns a slot.
func (s *Slots) Release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free++
	s.serve()
}

// serve grants free slots to waiters. s.mu is held.
func (s *Slots) serve() {
	for s.free > 0 && s.queue.first() != nil {
		s.free--
		s.queue.serve()
	}
}
