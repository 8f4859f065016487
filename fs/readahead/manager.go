package readahead

import (
	"context"
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/s3mount/s3mount/cache"
	"github.com/s3mount/s3mount/s3"
)

// ErrStale says that the version that a reader holds is gone: the object was
// replaced or deleted by someone else (P2, ESTALE). The cause is wrapped beside it.
var ErrStale = errors.New("version is gone")

// ErrClosed is what reads get after Manager.Close.
var ErrClosed = errors.New("readahead is closed")

// Store is what readahead asks of S3; *s3.Client meets it.
type Store interface {
	Get(ctx context.Context, in *s3.GetInput) (*s3.GetOutput, error)
	Head(ctx context.Context, in *s3.HeadInput) (*s3.ObjectInfo, error)
}

// Version is the one state of an object that a reader shows. Size is in bytes.
type Version struct {
	Key, ETag string
	Size      int64
}

// Pins are the bytes of one ReadAt, held in memory until Done.
type Pins = cache.Pins

// emergencies is how many reads at a time may take memory beyond the budget
// when there is none left, so that readers progress whatever the others hold
// (I8). With reads of 1 MiB, the largest that FUSE sends, that is 8 MiB in all.
const emergencies = 8

// Manager fetches object data for all readers of a mount. All methods are safe
// for concurrent use.
type Manager struct {
	store  Store
	blocks *cache.Blocks
	o      Options

	ctx       context.Context // ends with Close; the parent of every fetch
	stop      context.CancelCauseFunc
	wg        sync.WaitGroup // jobs, queued or running
	emergency chan struct{}  // a token for each of the emergencies

	began      time.Time
	progressAt atomic.Int64 // nanoseconds after began of the last progress of S3

	mu      sync.Mutex
	closed  bool
	running int            // jobs in flight, at most Options.Connections
	queue   []func()       // jobs that someone waits for, in order
	hungry  []*stream      // streams that have something to fetch ahead, in turn
	planned int            // streams that fetch ahead at all, for their share of memory
	opening map[string]int // GETs of Open in flight, by key
	audits  map[*cache.Object]*audit
	habit   habit
	link    link
	flow    flow
	stats   Stats

	randomAt time.Time // of the last read that had to wait and continued no stream
}

// Stats are gauges and counters of a Manager.
type Stats struct {
	Running int // GETs and HEADs in flight
	Queued  int // waiting for a connection
	Readers int // not closed

	Gets    int64 // GETs sent, of any outcome
	Hedges  int64 // of them, sent beside one whose answer was late, or after one whose body was slow
	Heads   int64 // HEADs sent
	Fetched int64 // bytes received into blocks
	Read    int64 // bytes handed to readers
	Hits    int64 // reads that were answered from memory at once
	Misses  int64 // reads that had to wait

	Verified   int64 // versions of which all bytes came from S3 and have its checksum
	Unverified int64 // versions of which bytes came from S3 that were not held to a checksum
	Corrupt    int64 // wrong checksums
}

// New makes a manager that reads through store into blocks. The options are
// completed by Defaults.
func New(store Store, blocks *cache.Blocks, o Options) *Manager {
	m := &Manager{
		store: store, blocks: blocks, o: o.Defaults(), began: time.Now(),
		emergency: make(chan struct{}, emergencies),
		opening:   make(map[string]int),
		audits:    make(map[*cache.Object]*audit),
	}
	m.ctx, m.stop = context.WithCancelCause(context.Background())
	return m
}

// OpenVersion returns a reader of v without a request, for a version that this
// mount has just committed or verified.
func (m *Manager) OpenVersion(v Version) *Reader {
	return m.newReader(m.blocks.Object(v.Key, v.ETag, v.Size))
}

// Move tells that this mount has copied from to to: its readers and blocks go
// on as to. A copy of an uploaded object may have an ETag of its own.
func (m *Manager) Move(from, to Version) {
	m.blocks.Move(from.Key, from.ETag, to.Key, to.ETag, to.Size)
}

// Drop tells that the blocks of v are of no more use, once its readers are closed.
func (m *Manager) Drop(v Version) { m.blocks.Drop(v.Key, v.ETag) }

// LocalFile returns a file with all bytes of v if the disk cache has them, else
// nil: for FUSE passthrough. It is to be read only, and closed by the caller; as
// long as it is open its bytes stay.
func (m *Manager) LocalFile(v Version) *os.File {
	return m.blocks.File(v.Key, v.ETag, v.Size)
}

// Stats returns the gauges and counters.
func (m *Manager) Stats() Stats {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.stats
	s.Running, s.Queued = m.running, len(m.queue)
	return s
}

// Close ends all fetches and waits for them. Reads that need one fail with
// ErrClosed from then on.
func (m *Manager) Close() {
	m.mu.Lock()
	m.closed = true
	m.hungry = nil
	m.mu.Unlock()
	m.stop(ErrClosed)
	m.wg.Wait()
}
