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
	// patience is how long the spiller lets a writer wait for running uploads
	// to free memory before it moves bytes to disk that an upload would have to
	// read back. At 90 MB/s a part of 8 MiB takes 93 ms.
	patience = 100 * time.Millisecond
	// spillBatch is what one step of the spiller moves from one file: enough
	// that a disk writes it in one go, little enough that writers go on soon.
	spillBatch = 4 << 20
	// heldPauses is how often the spiller waits for patience while all that can
	// be committed is in somebody's turn: for five seconds, in which S3 copies
	// more than a GiB. Who has the turn may be waiting for memory itself.
	heldPauses = 50
)

// stuckError ends a writer's wait: nothing frees memory any more.
type stuckError struct {
	reason error // why bytes cannot go to the spool; nil: there are none
}

func (e *stuckError) Error() string { return "no memory can be freed" }

// starved is a writer that waits for memory.
type starved struct {
	cancel context.CancelCauseFunc
}

// get returns size bytes of memory for f, waiting for room in the budget while
// the spiller makes some. When nothing can be freed it exceeds the budget by up
// to one part per writer (I8), and beyond that says why nothing could.
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
		case stuck.reason != nil: // whose errno is of the spool, and says nothing of the file
			return nil, fmt.Errorf("wait for memory: %v", stuck.reason)
		}
	}
}

// memory returns the bytes of pool memory that the file holds.
func (f *File) memory() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.mem
}

// await waits for memory. Its error is the context's, or a stuckError with the
// spiller's reason.
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

// giveUp tells all waiting writers that nothing can be freed.
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

// spill frees memory while the budget is short, until the manager ends.
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

// short tells whether someone lacks memory. A writer may be about to wait.
func (m *Manager) short() bool {
	m.mu.Lock()
	waiting := len(m.waiting) > 0
	m.mu.Unlock()
	return waiting || m.pool.Budget().Deficit() > 0
}

// relieve does one step: first what costs least. It tells whether it is worth
// another.
//
//  1. Bytes of uploaded parts go to the spool: nobody will read them back
//     unless the application does, or the upload fails at last.
//  2. So do bytes of files that no upload takes yet.
//  3. Running uploads get some time to free memory.
//  4. Everything goes to the spool, also what uploads must read back.
//  5. The spool is full: a file is committed early, as fsync would.
//  6. Work that runs is waited for, and so is who keeps a file from being
//     committed. If there is none, the writers are told.
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
		if !m.pause(patience) { // who has the turn does not tell us of its end
			m.held++
		}
		return true
	}
	m.giveUp(err)
	return false
}

// pause waits for news for at most d and tells whether there was any.
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

// busy tells whether jobs run that will free memory.
func (m *Manager) busy() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.jobs > 0
}

// spillFiles lets one, of all files in the order of their memory, move bytes to
// the spool, until one batch is moved. err is why bytes that are there could
// not be moved.
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

// commitEarly starts a commit of the file with the most bytes, because the
// spool is full. held tells that there are such files, and that each is somebody's
// whose turn it is, as for a copy of the object or a rename.
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

// committable returns how many bytes a commit of the file, as it is, would free.
func (f *File) committable() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.state != stateDirty || f.err != nil || f.torn != nil {
		return 0
	}
	return f.ext.total
}

// startEarly starts a commit that nobody asked for; nil if there is nothing to commit.
func (f *File) startEarly() *run {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.state != stateDirty || f.err != nil || f.torn != nil {
		return nil
	}
	r := f.start()
	f.m.early.Add(1)
	f.m.o.Logger.Warn("spool is full: committing an open file early, as fsync would",
		"key", f.key, "bytes", f.ext.total, "spool", f.m.spool.size())
	return r
}

// bySize returns the open files of which size is not 0, the largest first.
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
