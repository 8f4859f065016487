package writeback

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

const (
	// patience is how long the spiller lets a writer wait for running uploads to free memory
	// before it moves bytes to disk that an upload has to read back. At 90 MB/s a part of
	// 8 MiB takes 93 ms.
	patience = 100 * time.Millisecond
	// spillBatch is the amount that one step of the spiller moves from one file. A disk writes
	// it at once, and writers continue soon.
	spillBatch = 4 << 20
	// heldPauses is the number of pauses of the spiller while every file that it could commit
	// is in another caller's turn. It corresponds to five seconds, in which S3 copies more than
	// a GiB. The caller may be waiting for memory itself.
	heldPauses = 50
)

// stuckError ends the wait of a writer when nothing can free memory.
type stuckError struct {
	reason error // the cause for which bytes cannot go to the spool; nil: there are no bytes
}

func (e *stuckError) Error() string { return "no memory can be freed" }

// starved is a writer that waits for memory.
type starved struct {
	cancel context.CancelCauseFunc
}

// get returns size bytes of memory for f. It waits for the spiller to make room in the budget. If
// nothing can be freed, it exceeds the budget by up to one part per writer (I8). Beyond that it
// returns the cause.
func (m *Manager) get(ctx context.Context, f *File, size int) ([]byte, error) {
	for {
		if b := m.pool.TryGet(size); b != nil {
			return b, nil
		}
		b, err := m.await(ctx, size)
		if err == nil {
			return b, nil
		}
		var stuck *stuckError
		switch {
		case !errors.As(err, &stuck):
			return nil, err
		case f.memory() < m.o.PartSize:
			return m.pool.GetForced(size), nil
		case errors.Is(stuck.reason, ErrNoSpace):
			return nil, fmt.Errorf("wait for memory: %w", stuck.reason)
		case stuck.reason != nil: // its errno concerns the spool, not the file
			return nil, fmt.Errorf("wait for memory: %v", stuck.reason)
		}
	}
}

// memory returns the number of bytes of pool memory that the file holds.
func (f *File) memory() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.mem
}

// await waits for memory. Its error is the error of the context, or a stuckError with the spiller's
// reason.
func (m *Manager) await(ctx context.Context, size int) ([]byte, error) {
	wait, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	s := &starved{cancel: cancel}
	m.mu.Lock()
	m.waiting[s] = struct{}{}
	m.mu.Unlock()
	defer func() {
		m.mu.Lock()
		delete(m.waiting, s)
		m.mu.Unlock()
	}()
	m.kick()
	b, err := m.pool.Get(wait, size)
	if err != nil && ctx.Err() == nil {
		err = context.Cause(wait)
	}
	return b, err
}

// giveUp fails all waiting writers because nothing can be freed.
func (m *Manager) giveUp(reason error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for s := range m.waiting {
		s.cancel(&stuckError{reason})
	}
}

// kick wakes the spiller.
func (m *Manager) kick() {
	select {
	case m.kicked <- struct{}{}:
	default:
	}
}

// spill frees memory while the budget is short, until the manager is closed.
func (m *Manager) spill() {
	defer close(m.spiller)
	for {
		select {
		case <-m.kicked:
		case <-m.ctx.Done():
			m.giveUp(ErrClosed)
			return
		}
		m.held = 0
		for m.ctx.Err() == nil && m.short() && m.relieve() {
		}
		m.spool.trim()
	}
}

// short reports whether a writer lacks memory, or is about to wait for it.
func (m *Manager) short() bool {
	m.mu.Lock()
	waiting := len(m.waiting) > 0
	m.mu.Unlock()
	return waiting || m.pool.Budget().Deficit() > 0
}

// relieve frees memory with the cheapest step that is possible. It reports whether to try again.
//
//  1. Move bytes of uploaded parts to the spool. They are read back only if the application reads them
//     or the upload fails.
//  2. Move bytes of files without an upload to the spool.
//  3. Wait a short time for running uploads to free memory.
//  4. Move all other bytes to the spool, also bytes that uploads must read back.
//  5. Commit a file early, as fsync would, because the spool is full.
//  6. Wait for running jobs, or for callers that prevent a commit. If there are none, fail the writers.
func (m *Manager) relieve() bool {
	moved, _ := m.spillFiles((*File).spillUploaded)
	if moved {
		return true
	}
	moved, _ = m.spillFiles((*File).spillIdle)
	if moved {
		return true
	}
	if m.inFlight.Load() > 0 && m.pause(patience) {
		return true
	}
	moved, err := m.spillFiles((*File).spillAny)
	if moved {
		return true
	}
	var early, held bool
	if err != nil {
		early, held = m.commitEarly()
	}
	switch {
	case early:
		return true
	case m.busy():
		m.pause(time.Second)
		return true
	case held && m.held < heldPauses:
		if !m.pause(patience) { // nothing signals the end of a turn
			m.held++
		}
		return true
	}
	m.giveUp(err)
	return false
}

// pause waits for a kick for at most d and reports whether there was one.
func (m *Manager) pause(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-m.kicked:
		return true
	case <-t.C:
		return false
	case <-m.ctx.Done():
		return false
	}
}

// busy reports whether jobs run that will free memory.
func (m *Manager) busy() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.jobs > 0
}

// spillFiles calls one for the files in the order of their memory, until one batch is moved to the spool.
// err is the cause for which bytes could not be moved.
func (m *Manager) spillFiles(one func(*File) (int64, error)) (moved bool, err error) {
	m.moving <- struct{}{}
	defer func() { <-m.moving }()
	total := int64(0)
	for _, f := range m.bySize((*File).memory) {
		n, e := one(f)
		if total += n; total >= spillBatch {
			break
		}
		if e != nil {
			err = e
		}
	}
	return total > 0, err
}

// commitEarly starts a commit of the file with the most bytes, because the spool is full. held
// reports that there are such files, but other callers have their turns, for example for a copy or
// a rename.
func (m *Manager) commitEarly() (started, held bool) {
	for _, f := range m.bySize((*File).committable) {
		done, ok := f.turn()
		if !ok {
			held = true
			continue
		}
		if r := f.startEarly(); r != nil {
			m.background(func() {
				<-r.done
				done()
			})
			return true, false
		}
		done()
	}
	return false, held
}

// committable returns the number of bytes that a commit of the file would free.
func (f *File) committable() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.state != stateDirty || f.err != nil || f.refusal != nil {
		return 0
	}
	return f.ext.total
}

// startEarly starts a commit without a caller. It returns nil if there is nothing to commit.
func (f *File) startEarly() *run {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.state != stateDirty || f.err != nil || f.refusal != nil {
		return nil
	}
	r := f.start()
	f.m.early.Add(1)
	f.m.o.Logger.Warn("the spool is full; an open file is committed early, as by fsync",
		"key", f.key, "bytes", f.ext.total, "spool", f.m.spool.size())
	return r
}

// bySize returns the open files whose size is not 0, the largest first.
func (m *Manager) bySize(size func(*File) int64) []*File {
	type sized struct {
		f *File
		n int64
	}
	var found []sized
	for _, f := range m.open() {
		if n := size(f); n > 0 {
			found = append(found, sized{f, n})
		}
	}
	slices.SortFunc(found, func(a, b sized) int { return cmp.Compare(b.n, a.n) })
	files := make([]*File, len(found))
	for i, s := range found {
		files[i] = s.f
	}
	return files
}
