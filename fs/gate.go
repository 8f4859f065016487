package fs

import (
	"context"
	"sync"
)

// nameGate keeps operations that make names out of a directory while the directory
// is renamed. Their keys would be those of the old name.
//
// An operation passes the gate for all its directories at once and never waits
// at the gate again before it leaves. A rename passes for both parents and then
// closes the directory that moves. So no two operations wait for each other.
// The gate comes before the turns of inodes.
type nameGate struct {
	inodes *inodes

	mu     sync.Mutex
	busy   map[*inode]int           // number of operations by directory
	closed map[*inode]chan struct{} // directories that are renamed; each channel is closed at the end
	left   chan struct{}            // closed when an operation leaves; nil while no rename waits for that
}

func newNameGate(t *inodes) *nameGate {
	return &nameGate{inodes: t, busy: map[*inode]int{}, closed: map[*inode]chan struct{}{}}
}

// enter waits until none of the directories is below one that is renamed. The
// caller must call leave when its names are made.
func (g *nameGate) enter(ctx context.Context, dirs ...*inode) (leave func(), err error) {
	for {
		g.mu.Lock()
		reopened := g.blocking(dirs...)
		if reopened == nil {
			break
		}
		g.mu.Unlock()
		select {
		case <-reopened:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	defer g.mu.Unlock()
	for _, dir := range dirs {
		g.busy[dir]++
	}
	return func() { g.leave(dirs) }, nil
}

func (g *nameGate) leave(dirs []*inode) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, dir := range dirs {
		if g.busy[dir]--; g.busy[dir] == 0 {
			delete(g.busy, dir)
		}
	}
	if g.left != nil {
		close(g.left)
		g.left = nil
	}
}

// blocking returns the channel of a closed directory that one of the given
// directories is or is below, or nil. g.mu is held.
func (g *nameGate) blocking(dirs ...*inode) chan struct{} {
	for closed, reopened := range g.closed {
		for _, dir := range dirs {
			if g.inodes.isBelow(dir, closed) {
				return reopened
			}
		}
	}
	return nil
}

// close keeps operations out of a directory and all that is below it, and waits
// for those that are inside. The caller must call reopen.
func (g *nameGate) close(ctx context.Context, dir *inode) (reopen func(), err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	reopened := make(chan struct{})
	g.closed[dir] = reopened
	reopen = func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		delete(g.closed, dir)
		close(reopened)
	}
	for g.isBusy(dir) {
		if g.left == nil {
			g.left = make(chan struct{})
		}
		left := g.left
		g.mu.Unlock()
		select {
		case <-left:
			g.mu.Lock()
		case <-ctx.Done():
			reopen()
			g.mu.Lock()
			return nil, ctx.Err()
		}
	}
	return reopen, nil
}

// isBusy reports whether an operation is in a directory or below it. g.mu is held.
func (g *nameGate) isBusy(dir *inode) bool {
	for d := range g.busy {
		if g.inodes.isBelow(d, dir) {
			return true
		}
	}
	return false
}

// wait waits until an inode is no longer below a directory that is renamed. It
// reports whether there was something to wait for.
func (g *nameGate) wait(ctx context.Context, n *inode) (waited bool, err error) {
	for {
		g.mu.Lock()
		reopened := g.blocking(n)
		g.mu.Unlock()
		if reopened == nil {
			return waited, nil
		}
		waited = true
		select {
		case <-reopened:
		case <-ctx.Done():
			return waited, ctx.Err()
		}
	}
}
