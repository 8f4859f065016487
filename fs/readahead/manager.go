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
	"github.com/s3mount/s3mount/s3/fair"
)

// ErrStale means that the version of a reader is gone, because another client replaced or
// deleted the object (P2, ESTALE). Its error chain includes the cause.
var ErrStale = errors.New("the version is gone")

// ErrClosed is the error of reads after Manager.Close.
var ErrClosed = errors.New("readahead is closed")

// Store lists the S3 calls of this package. *s3.Client implements it.
type Store interface {
	Get(ctx context.Context, in *s3.GetInput) (*s3.GetOutput, error)
	Head(ctx context.Context, in *s3.HeadInput) (*s3.ObjectInfo, error)
}

// Version is the version of an object that a reader shows. Size is in bytes.
type Version struct {
	Key, ETag string
	Size      int64
}

// Pins are the bytes of one ReadAt, held in memory until Done.
type Pins = cache.Pins

// emergencies is the number of reads that may exceed the budget at the same time, so that
// readers make progress when other users hold all memory (I8). The largest read of FUSE is
// 1 MiB, so that the excess is at most 8 MiB.
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

	mu        sync.Mutex
	closed    bool
	running   int                // jobs in flight, at most Options.Connections
	queue     fair.Queue[func()] // jobs with a waiting caller
	hungry    []*stream          // streams that have something to fetch ahead, in turn
	planned   int                // the number of streams that fetch ahead, which share the memory
	opening   map[string]int     // GETs of Open in flight, by key
	audits    map[*cache.Object]*audit
	checksums checksumHistory
	link      link
	flow      flow
	stats     Stats

	randomAt time.Time // the time of the last read that had to wait and continued no stream
}

// Stats are gauges and counters of a Manager.
type Stats struct {
	Running int // GETs and HEADs in flight
	Queued  int // waiting for a connection
	Readers int // not closed yet

	Gets    int64 // GETs sent, with any outcome
	Hedges  int64 // GETs sent beside a late GET or after a slow body
	Heads   int64 // HEADs sent
	Fetched int64 // bytes received into blocks
	Read    int64 // bytes handed to readers
	Hits    int64 // reads that were answered from memory at once
	Misses  int64 // reads that had to wait

	Verified   int64 // versions whose bytes all came from S3 and have the right checksum
	Unverified int64 // versions with bytes from S3 that were not compared with a checksum
	Corrupt    int64 // wrong checksums
}

// New returns a manager that reads through store into blocks. It applies Defaults to the
// options.
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

// Move records that this mount has copied from to to. The readers and blocks of from become
// readers and blocks of to. The copy of a multipart object may have a different ETag.
func (m *Manager) Move(from, to Version) {
	m.blocks.Move(from.Key, from.ETag, to.Key, to.ETag, to.Size)
}

// Drop removes the blocks of v from the cache when its readers are closed.
func (m *Manager) Drop(v Version) { m.blocks.Drop(v.Key, v.ETag) }

// LocalFile returns a file with all bytes of v for FUSE passthrough, or nil if the disk cache
// does not have them. The caller must not write to it and must close it. Its bytes stay as
// long as it is open.
func (m *Manager) LocalFile(v Version) *os.File {
	return m.blocks.File(v.Key, v.ETag, v.Size)
}

// Stats returns the gauges and counters.
func (m *Manager) Stats() Stats {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.stats
	s.Running, s.Queued = m.running, m.queue.Len()
	return s
}

// Close ends all fetches and waits for them. Later reads that need a fetch return ErrClosed.
func (m *Manager) Close() {
	m.mu.Lock()
	m.closed = true
	m.hungry = nil
	m.mu.Unlock()
	m.stop(ErrClosed)
	m.wg.Wait()
}
