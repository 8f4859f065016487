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
	"github.com/s3mount/s3mount/s3/fair"
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
	changes *changeLog
	zeros   *zeros

	ctx     context.Context // the parent of all background work
	cancel  context.CancelFunc
	slots   *fair.Slots   // one slot per running request that carries data
	kicked  chan struct{} // wakes the spiller
	spiller chan struct{} // closed when the spiller has ended
	moving  chan struct{} // holds one element while the spiller works on files
	held    int           // used by the spiller: consecutive pauses for files in another caller's turn (heldPauses)

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
	broken             atomic.Int64 // recovered files whose content close(2) had acknowledged

	born        time.Time
	persistedAt atomic.Int64 // the time of the last record of a file in the journal, since born
}

// New returns a manager that writes through store from memory of pool.
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
		spool:   newSpool(o.SpoolDir, o.spoolLimit),
		slots:   fair.NewSlots(o.Connections),
		kicked:  make(chan struct{}, 1),
		spiller: make(chan struct{}),
		moving:  make(chan struct{}, 1),
		files:   map[*File]struct{}{},
		waiting: map[*starved]struct{}{},
		born:    time.Now(),
	}
	if o.Journal {
		if m.journal, err = newJournal(o.JournalDir, o.journalLimit); err != nil {
			return nil, errors.Join(err, notes.close())
		}
	}
	m.changes = newChangeLog(m.journal, o)
	m.ctx, m.cancel = context.WithCancel(context.Background())
	m.zeros = newZeros(m)
	pool.Budget().AddReclaimer(func(int64) int64 {
		m.kick() // no memory here is clean, but the spiller can free some
		return 0
	})
	go m.spill()
	return m, nil
}

// Open returns a file over a base, or a new file.
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

// begin counts a background job, and end ends it.
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

// background runs job in a goroutine that Drain waits for.
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

// Drain commits all dirty files, except files in another caller's turn. It waits until nothing runs
// and retries failed aborts. It returns the joined errors of the commits. The files stay open and
// keep their bytes.
func (m *Manager) Drain(ctx context.Context) error {
	files := m.open()
	errs := make([]error, len(files))
	var wg sync.WaitGroup
	for i, f := range files {
		if !f.Dirty() {
			continue
		}
		done, ok := f.turn()
		if !ok { // the holder of the turn commits or discards the file
			continue
		}
		wg.Go(func() {
			defer done()
			// A file that was closed in the meantime has reported its error. A kept file has
			// nothing to commit. An interrupted file is about to be discarded.
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
	if j := m.changes.made.Load(); j != nil {
		// These records are not essential, and Close tries again.
		if err := j.writeOwed(); err != nil {
			m.o.Logger.Warn("cannot record in the journal which files are committed", "error", err)
		}
	}
	return errors.Join(append(errs, err)...)
}

// waitIdle waits until no job runs and the spiller is idle.
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

// Stats are the gauges and counters of a Manager. The gauges are 0 after a clean end (I9).
type Stats struct {
	Files    int   // open files
	Unsaved  int64 // bytes of files that S3 does not hold, holes included
	Dirty    int64 // bytes in extents, including discarded files
	Memory   int64 // bytes of the pool
	Spool    int64 // bytes of the spool
	Uploads  int64 // multipart uploads that are neither completed nor aborted
	InFlight int64 // running requests

	Queued      int       // files in the journal that S3 does not hold
	QueuedBytes int64     // their written bytes
	QueuedSince time.Time // the time of the oldest of them; zero if there is none

	Sent         int64 // counter: bytes read by requests, counted once
	Copied       int64 // counter: bytes copied inside S3
	Commits      int64 // counter: objects written
	EarlyCommits int64 // counter: commits because of a full spool
	Conflicts    int64 // counter: commits that found another version
	Recovered    int64 // counter: files kept in the recovery directory
	Broken       int64 // counter: recovered files that close(2) had acknowledged
}

// Close closes the manager and all files that are still open. Their bytes that neither S3 nor the
// journal has go to the recovery directory.
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
	if j := m.changes.made.Load(); j != nil {
		err = errors.Join(err, j.close())
	}
	return err
}
