// Package background runs work that no caller waits for, until its owner is closed.
package background

import (
	"context"
	"errors"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/s3mount/s3mount/fs/lockorder"
)

// ErrClosed is the cause with which the context of a closed Group ends (EIO).
var ErrClosed = errors.New("filesystem is closed")

// Group runs functions in the background until it is closed. Its lock is the last of
// any order: it calls nothing while it holds the lock.
type Group struct {
	ctx  context.Context
	stop context.CancelCauseFunc

	mu   lockorder.Mutex[lockorder.Background] // so that nothing starts after Close
	jobs sync.WaitGroup
}

// NewGroup returns a Group that runs nothing yet.
func NewGroup() *Group {
	g := &Group{}
	g.ctx, g.stop = context.WithCancelCause(context.Background())
	return g
}

// Context returns the context of the work. It ends when the Group is closed.
func (g *Group) Context() context.Context { return g.ctx }

// Go runs f with the context of the Group in the background. It does nothing if the
// Group is closed.
func (g *Group) Go(f func(ctx context.Context)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ctx.Err() == nil {
		g.jobs.Go(func() { f(g.ctx) })
	}
}

// Close ends the context and waits for everything that runs.
func (g *Group) Close() {
	g.mu.Lock()
	g.stop(ErrClosed)
	g.mu.Unlock()
	g.jobs.Wait()
}

// Each runs f on all items, at most limit at a time, and returns the first error.
func Each[T any](ctx context.Context, limit int, items []T, f func(context.Context, T) error) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(limit)
	for _, it := range items {
		g.Go(func() error { return f(ctx, it) })
	}
	return g.Wait()
}
