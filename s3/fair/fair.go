// Package fair shares what is scarce, such as connections and memory, fairly between users. A
// user with hundreds of waiters does not delay a user with one.
package fair

import (
	"container/list"
	"context"
	"sync"
)

// User identifies a user, for example by the user id of the system.
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

// Queue is a queue that serves the users in turn, and the items of each user in the order in
// which they came. The zero value is empty. The owner of the queue provides the lock.
type Queue[T any] struct {
	lines map[User]*line
	ring  list.List // of *line, the next to be served in front; none is empty
	n     int
}

// line holds the items of one user.
type line struct {
	user  User
	items list.List // of *Item
	place *list.Element
}

// Item is an item of a Queue.
type Item[T any] struct {
	Value T

	user  User
	place *list.Element
}

// Len returns the number of items.
func (q *Queue[T]) Len() int { return q.n }

// First returns the next item, or nil if the queue is empty.
func (q *Queue[T]) First() *Item[T] {
	e := q.ring.Front()
	if e == nil {
		return nil
	}
	return e.Value.(*line).items.Front().Value.(*Item[T])
}

// Push adds a value behind the other items of the same user.
func (q *Queue[T]) Push(u User, value T) *Item[T] {
	l := q.lines[u]
	if l == nil {
		if q.lines == nil {
			q.lines = map[User]*line{}
		}
		l = &line{user: u}
		l.place = q.ring.PushBack(l)
		q.lines[u] = l
	}
	i := &Item[T]{Value: value, user: u}
	i.place = l.items.PushBack(i)
	q.n++
	return i
}

// Remove removes an item from any place of the queue.
func (q *Queue[T]) Remove(i *Item[T]) {
	l := q.lines[i.user]
	l.items.Remove(i.place)
	q.n--
	if l.items.Len() == 0 {
		q.ring.Remove(l.place)
		delete(q.lines, i.user)
	}
}

// Pop removes the first item and returns its value. The next item belongs to another user, if
// there is one. The queue must not be empty.
func (q *Queue[T]) Pop() T {
	i := q.First()
	q.ring.MoveToBack(q.ring.Front())
	q.Remove(i)
	return i.Value
}

// Slots bounds the number of concurrent operations. If more callers want a slot, the users are
// served in turn. All methods are safe for concurrent use.
type Slots struct {
	mu    sync.Mutex
	free  int
	queue Queue[chan struct{}] // closed when the slot is granted
}

// NewSlots returns n free slots.
func NewSlots(n int) *Slots { return &Slots{free: n} }

// TryAcquire takes a slot if one is free, and reports whether it did.
func (s *Slots) TryAcquire() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.free == 0 {
		return false
	}
	s.free-- // nobody waits while a slot is free
	return true
}

// Acquire takes a slot for the user of ctx. It waits until one is free, or returns the cause for
// which ctx ended.
func (s *Slots) Acquire(ctx context.Context) error {
	if s.TryAcquire() {
		return nil
	}
	s.mu.Lock()
	i := s.queue.Push(UserOf(ctx), make(chan struct{}))
	s.serve()
	s.mu.Unlock()
	select {
	case <-i.Value:
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-i.Value: // it was granted in the meantime
		return nil
	default:
		s.queue.Remove(i)
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
	for s.free > 0 && s.queue.First() != nil {
		s.free--
		close(s.queue.Pop())
	}
}
