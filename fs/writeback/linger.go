package writeback

import (
	"context"
	"time"
)

// linger delays the commit of a file that is in the journal. A file that is renamed, rewritten or
// removed soon after costs one request or none. The file's mu guards it.
type linger struct {
	timer *time.Timer
	since time.Time
	due   bool          // the delay ended while the file was being rewritten
	over  chan struct{} // closed when the delay ends
}

const (
	// lingerTimes bounds the delay of a file to so many times Options.Linger while other
	// files are being closed. With 8 times a quarter of a second, git still finds all files
	// here that it reads again because they are as young as its index.
	lingerTimes = 8
	// lingerMost is the largest number of dirty bytes of a file that lingers. Lock files and
	// sources are smaller.
	lingerMost = 1 << 20
	// lingerAll is the largest number of dirty bytes of all files with which a file lingers,
	// so that lingering files do not use up a small budget.
	lingerAll = 16 << 20
)

// startSoon starts a commit when no file was closed for Options.Linger, or when the file has lingered
// for lingerTimes as long. It starts the commit at once if memory is short or if the file is large. The
// caller holds mu, and the journal has the content.
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

// crowded reports whether the dirty bytes should be committed now to free memory.
func (m *Manager) crowded() bool { return m.dirty.Load() > lingerAll || m.pool.Budget().Waiting() }

// lingered starts the commit after the delay. If the file has been rewritten since, it waits for the
// next close, so that other clients do not see a partial change (I7).
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

// restless returns how much longer a file that was closed at since has to linger.
func (m *Manager) restless(since time.Time) time.Duration {
	closed := time.Since(m.born) - time.Duration(m.persistedAt.Load())
	return min(m.o.Linger-closed, lingerTimes*m.o.Linger-time.Since(since))
}

// endLinger ends the delay. The caller holds mu.
func (f *File) endLinger() {
	if l := f.linger; l != nil {
		l.timer.Stop()
		close(l.over)
		f.linger = nil
	}
}

// Hurry starts a delayed commit now.
func (f *File) Hurry() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.linger != nil && f.state == stateDirty && f.journal.holds(f.seq) {
		f.start()
	}
}

// Linger returns when the commit of the file is not delayed any more, or when ctx ends. It does not
// start the commit.
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
