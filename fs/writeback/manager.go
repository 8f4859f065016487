package writeback

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/s3mount/s3mount/cache"
	"github.com/s3mount/s3mount/s3"
)

// Manager holds the files of one mount that are open for writing. Its methods
// are safe for concurrent use.
type Manager struct {
	o       Options
	limits  limits
	store   Store
	pool    *cache.Pool
	spool   *spool
	notes   *uploadNotes
	journal *journal // nil: none
	zeros   *zeros

	ctx     context.Context // of all that runs in the background
	cancel  context.CancelFunc
	slots   *cache.Slots  // one per running request that carries data
	kicked  chan struct{} // wakes the spiller
	spiller chan struct{} // closed when the spiller has ended
	moving  chan struct{} // holds one element while the spiller works on files
	held    int           // of the spiller: pauses for those who have the turn of a file (heldPauses)

	mu      sync.Mutex
	files   map[*File]struct{}
	jobs    int                   // background work: uploads, commits, aborts
	idle    []chan struct{}       // closed when jobs becomes 0
	waiting map[*starved]struct{} // writers that wait for memory
	stuck   []s3.UploadID         // uploads whose abort failed

	dirty, memory      atomic.Int64
	inFlight, uploads  atomic.Int64
	commits, early     atomic.Int64
	sent, copied       atomic.Int64
	conflicts, recover atomic.Int64
	broken             atomic.Int64 // files in the recovery directory that close(2) has acknowledged

	born        time.Time
	persistedAt atomic.Int64 // when the journal last took a file, since born
}

// New makes a manager that writes through store from memory of pool.
func New(store Store, pool *cache.Pool, o Options) (*Manager, error) {
	if err := o.Validate(); err != nil {
		return nil, fmt.Errorf("writeback options: %w", err)
	}
	notes, err := newUploadNotes(o.StateDir)
	if err != nil {
		return nil, err
	}
	m := &Manager{
		o: o, limits: limitsFor(o.PartSize), store: store, pool: pool, notes: notes,
		spool:   newSpool(o.SpoolDir, o.SpoolLimit),
		slots:   cache.NewSlots(o.Connections),
		kicked:  make(chan struct{}, 1),
		spiller: make(chan struct{}),
		moving:  make(chan struct{}, 1),
		files:   map[*File]struct{}{},
		waiting: map[*starved]struct{}{},
		born:    time.Now(),
	}
	if o.Journal {
		if m.journal, err = newJournal(o.JournalDir, o.JournalLimit); err != nil {
			return nil, errors.Join(err, notes.close())
		}
	}
	m.ctx, m.cancel = context.WithCancel(context.Background())
	m.zeros = newZeros(m)
	pool.Budget().AddReclaimer(func(int64) int64 {
		m.kick() // nothing here is clean, but the spiller can make it so
		return 0
	})
	go m.spill()
	return m, nil
}

// Open makes a file out of a base, or a new one.
func (m *Manager) Open(in OpenInput) *File {
	f := newFile(m, in)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.files[f] = struct{}{}
	return f
}

// open returns the open files.
func (m *Manager) open() []*File {
	m.mu.Lock()
	defer m.mu.Unlock()
	files := make([]*File, 0, len(m.files))
	for f := range m.files {
		files = append(files, f)
	}
	return files
}

// begin counts a background job, end the end of it.
func (m *Manager) begin() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.jobs++
}

func (m *Manager) end() {
	m.mu.Lock()
	m.jobs--
	var idle []chan struct{}
	if m.jobs == 0 {
		idle, m.idle = m.idle, nil
	}
	m.mu.Unlock()
	for _, c := range idle {
		close(c)
	}
	m.kick()
}

// background runs job as one that Drain waits for.
func (m *Manager) background(job func()) {
	m.begin()
	go func() {
		defer m.end()
		job()
	}()
}

// quiet returns a channel that is closed when no job runs.
func (m *Manager) quiet() <-chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := make(chan struct{})
	if m.jobs == 0 {
		close(c)
	} else {
		m.idle = append(m.idle, c)
	}
	return c
}

// Drain commits all dirty files, but those that somebody brings to S3 in their
// turn, waits until nothing runs and tries again to abort what could not be
// aborted. It returns the errors of the commits, joined;
// the files stay open and keep their bytes.
func (m *Manager) Drain(ctx context.Context) error {
	files := m.open()
	errs := make([]error, len(files))
	var wg sync.WaitGroup
	for i, f := range files {
		if !f.Dirty() {
			continue
		}
		done, ok := f.turn()
		if !ok { // who has it brings the file to S3, or to its end
			continue
		}
		wg.Go(func() {
			defer done()
			// A file that was closed meanwhile has reported itself what became of it.
			// One that is kept has nothing left to commit, and one that was
			// interrupted is about to be discarded.
			if _, err := f.Commit(ctx); err != nil && !isAny(err, ErrClosed, ErrKept, ErrInterrupted) {
				errs[i] = fmt.Errorf("commit %q: %w", f.Key(), err)
			}
		})
	}
	wg.Wait()
	err := m.waitIdle(ctx)
	if err == nil && m.retryAborts() {
		err = m.waitIdle(ctx)
	}
	if m.journal != nil {
		// Nothing is lost without these notes, and the end tries again.
		if err := m.journal.pay(); err != nil {
			m.o.Logger.Warn("cannot note in the journal what S3 has", "error", err)
		}
	}
	return errors.Join(append(errs, err)...)
}

// settle waits until no job runs and the spiller holds nothing.
func (m *Manager) waitIdle(ctx context.Context) error {
	select {
	case <-m.quiet():
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case m.moving <- struct{}{}:
		<-m.moving
	case <-ctx.Done():
		return ctx.Err()
	}
	m.spool.trim()
	return nil
}

// Stats returns the gauges and counters.
func (m *Manager) Stats() Stats {
	files, unsaved := m.open(), int64(0)
	for _, f := range files {
		unsaved += f.unsaved()
	}
	st := Stats{
		Files: len(files), Unsaved: unsaved, Dirty: m.dirty.Load(), Memory: m.memory.Load(), Spool: m.spool.size(),
		Uploads: m.uploads.Load(), InFlight: m.inFlight.Load(),
		Sent: m.sent.Load(), Copied: m.copied.Load(), Commits: m.commits.Load(), EarlyCommits: m.early.Load(),
		Conflicts: m.conflicts.Load(), Recovered: m.recover.Load(),
		Broken: m.broken.Load(),
	}
	if m.journal != nil {
		st.Queued, st.QueuedBytes, st.QueuedSince = m.journal.queue()
	}
	return st
}

// Stats are the gauges and counters of a Manager. The gauges are 0 after a
// clean end (I9).
type Stats struct {
	Files    int   // open files
	Unsaved  int64 // bytes of files that S3 does not hold, holes included
	Dirty    int64 // bytes in extents: what S3 does not hold, and what was discarded
	Memory   int64 // bytes of the pool
	Spool    int64 // bytes of the spool
	Uploads  int64 // multipart uploads that are neither completed nor aborted
	InFlight int64 // running requests

	Queued      int       // files in the journal that S3 does not hold
	QueuedBytes int64     // their written bytes
	QueuedSince time.Time // the oldest of them; zero if there is none

	Sent         int64 // counter: bytes handed to requests, without those of further attempts
	Copied       int64 // counter: bytes copied inside S3
	Commits      int64 // counter: objects written
	EarlyCommits int64 // counter: commits that a full spool forced
	Conflicts    int64 // counter: commits that found another version
	Recovered    int64 // counter: files kept in the recovery directory
	Broken       int64 // counter: those of them that close(2) had acknowledged
}

// Close ends the manager. Nobody uses files that are still open: what neither S3
// nor the journal has of them goes to the recovery directory.
func (m *Manager) Close() error {
	m.cancel()
	<-m.quiet()
	for _, f := range m.open() {
		f.rescue()
	}
	<-m.quiet()
	<-m.spiller
	m.spool.close()
	err := m.notes.close()
	if m.journal != nil {
		err = errors.Join(err, m.journal.close())
	}
	return err
}
