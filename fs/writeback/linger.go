package writeback

import (
	"context"
	"time"
)

// linger holds the commit of a file back that the journal has: what is renamed,
// written again or removed a moment later costs one request, or none, and what
// is read needs none. It is guarded by the file's mu.
type linger struct {
	timer *time.Timer
	since time.Time
	due   bool          // the time was over while the file was written again
	over  chan struct{} // closed when it ends, by the start of a commit or otherwise
}

const (
	// lingerTimes is for how many times Options.Linger a file lingers at most
	// while others are closed: with 8, and a quarter of a second, git finds all
	// files here that it reads again because they are as young as its index.
	lingerTimes = 8
	// lingerMost is the most dirty bytes of a file that lingers: lock files and
	// sources are small, and what is larger is better sent than kept.
	lingerMost = 1 << 20
	// lingerAll is the most dirty bytes of all files with which one lingers, so
	// that a small budget is not used up by it.
	lingerAll = 16 << 20
)

// startSoon starts a commit when no file was closed for Options.Linger, or the
// file has lingered for lingerTimes as long; at once if memory is short or it is
// large. The caller holds mu, and the journal has the content.
func (f *File) startSoon() {
	f.m.persistedAt.Store(int64(time.Since(f.m.born)))
	switch {
	case f.linger != nil && !f.linger.due:
	case f.linger != nil:
		f.linger.due = false
		f.linger.timer.Reset(f.m.o.Linger)
	case f.m.o.Linger == 0, f.ext.total > lingerMost, f.m.crowded():
		f.start()
	default:
		l := &linger{since: time.Now(), over: make(chan struct{})}
		l.timer = time.AfterFunc(f.m.o.Linger, func() { f.lingered(l) })
		f.linger = l
	}
}

// crowded tells whether memory is better given back than kept.
func (m *Manager) crowded() bool { return m.dirty.Load() > lingerAll || m.pool.Budget().Waiting() }

// lingered starts the commit when the time is over. What was written since is
// waited for: others are to see what was closed, not the middle of a change (I7).
func (f *File) lingered(l *linger) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.linger != l:
	case f.state != stateDirty:
		f.endLinger()
	case !f.journal.holds(f.seq):
		l.due = true
	default:
		if rest := f.m.restless(l.since); rest > 0 && !f.m.crowded() {
			l.timer.Reset(rest)
			return
		}
		f.start()
	}
}

// restless returns for how long a file goes on lingering that was closed at since.
func (m *Manager) restless(since time.Time) time.Duration {
	closed := time.Since(m.born) - time.Duration(m.persistedAt.Load())
	return min(m.o.Linger-closed, lingerTimes*m.o.Linger-time.Since(since))
}

// endLinger ends the wait; the caller holds mu.
func (f *File) endLinger() {
	if l := f.linger; l != nil {
		l.timer.Stop()
		close(l.over)
		f.linger = nil
	}
}

// Hurry starts the commit of what Persist took, if it is held back.
func (f *File) Hurry() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.linger != nil && f.state == stateDirty && f.journal.holds(f.seq) {
		f.start()
	}
}

// Linger returns when nothing holds the commit of the file back any more, or
// when ctx ends. It starts none itself.
func (f *File) Linger(ctx context.Context) {
	f.mu.Lock()
	l := f.linger
	f.mu.Unlock()
	if l == nil {
		return
	}
	select {
	case <-l.over:
	case <-ctx.Done():
	}
}
