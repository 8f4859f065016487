package writeback

import (
	"context"
	"time"

	"github.com/s3mount/s3mount/cache"
	"github.com/s3mount/s3mount/s3"
)

// Store is what writeback asks of S3; *s3.Client meets it.
type Store interface {
	Put(ctx context.Context, in *s3.PutInput) (*s3.PutOutput, error)
	CreateUpload(ctx context.Context, in *s3.CreateUploadInput) (s3.UploadID, error)
	UploadPart(ctx context.Context, in *s3.UploadPartInput) (*s3.Part, error)
	CopyPart(ctx context.Context, in *s3.CopyPartInput) (*s3.Part, error)
	CompleteUpload(ctx context.Context, in *s3.CompleteUploadInput) (*s3.PutOutput, error)
	AbortUpload(ctx context.Context, id s3.UploadID) error
	Head(ctx context.Context, in *s3.HeadInput) (*s3.ObjectInfo, error)
}

var _ Store = (*s3.Client)(nil)

// BaseReader reads one version of an object; *readahead.Reader meets it.
type BaseReader interface {
	// CopyAt reads as io.ReaderAt does: io.EOF at the end.
	CopyAt(ctx context.Context, p []byte, off int64) (int, error)
}

// Version is one state of an object.
type Version struct {
	Key, ETag string
	Size      int64 // in bytes
	VersionID string
	Date      time.Time // the server's clock at the commit; zero if unknown
}

// OpenInput says what a file starts from.
type OpenInput struct {
	// Key is the object that a commit writes.
	Key string
	// Base is the version that the content starts from. Nil is a new or
	// replaced file: it starts empty and dirty.
	Base *Version
	// Reader reads Base; nil if Base is nil. It stays the caller's to close,
	// after Close or after the first Commit that wrote something.
	Reader BaseReader
	// Exclusive makes the first commit fail if the key exists (O_EXCL, P3).
	Exclusive bool
	// Object holds the properties that the next commit gives the object.
	Object s3.ObjectOptions
}

// Stats are the gauges of a Manager. All but the counters are 0 after a clean end (I9).
type Stats struct {
	Files    int   // open files
	Dirty    int64 // bytes that S3 does not hold, in memory and in the spool
	Memory   int64 // bytes of the pool
	Spool    int64 // bytes of the spool
	Uploads  int   // running multipart uploads
	InFlight int   // running requests

	Commits     int64 // counter: objects written
	EarlyCommit int64 // counter: commits forced by a full spool
	Conflicts   int64 // counter: commits that found another version
	Recovered   int64 // counter: files kept in the recovery directory
}

// Manager holds the dirty files of one mount.
type Manager struct{ o Options }

// New makes a manager that writes through store from memory of pool.
func New(store Store, pool *cache.Pool, o Options) (*Manager, error) { return nil, ErrClosed }

// Open makes a file out of a base, or a new one.
func (m *Manager) Open(in OpenInput) *File { return nil }

// Drain commits all dirty files and waits until nothing runs.
func (m *Manager) Drain(ctx context.Context) error { return ErrClosed }

// AbortOrphans aborts the uploads that a dead mount left behind and returns their number.
func (m *Manager) AbortOrphans(ctx context.Context) (int, error) { return 0, ErrClosed }

// Stats returns the gauges.
func (m *Manager) Stats() Stats { return Stats{} }

// Close ends the manager after Drain.
func (m *Manager) Close() error { return ErrClosed }

// File is a base object overlaid by extents.
type File struct{}

// WriteAt writes p at off.
func (f *File) WriteAt(ctx context.Context, p []byte, off int64) (int, error) { return 0, ErrClosed }

// Append writes p at the current end, atomically, and returns where that was.
func (f *File) Append(ctx context.Context, p []byte) (off int64, err error) { return 0, ErrClosed }

// ReadAt reads the base overlaid by the extents; it is short at the end, with io.EOF.
func (f *File) ReadAt(ctx context.Context, p []byte, off int64) (int, error) { return 0, ErrClosed }

// Truncate sets the size, up (a hole) or down.
func (f *File) Truncate(ctx context.Context, size int64) error { return ErrClosed }

// Allocate grows the size to at least off+n.
func (f *File) Allocate(ctx context.Context, off, n int64) error { return ErrClosed }

// PunchHole makes the range read as zeros; the size stays.
func (f *File) PunchHole(ctx context.Context, off, n int64) error { return ErrClosed }

// SeekData returns the first offset at or after off that holds data.
func (f *File) SeekData(off int64) (int64, error) { return 0, ErrClosed }

// SeekHole returns the first offset at or after off that is in a hole; the end is one.
func (f *File) SeekHole(off int64) (int64, error) { return 0, ErrClosed }

// Size returns the size in bytes.
func (f *File) Size() int64 { return 0 }

// Dirty tells whether S3 does not hold the content yet.
func (f *File) Dirty() bool { return false }

// Err returns the error of the background that was not reported yet (I5). It stays.
func (f *File) Err() error { return nil }

// Version returns the last committed version or the base; nil for a new file.
func (f *File) Version() *Version { return nil }

// Key returns the key that a commit writes.
func (f *File) Key() string { return "" }

// SetObject sets the properties for the next commit. It does not make the file dirty.
func (f *File) SetObject(o s3.ObjectOptions) {}

// Commit returns when S3 holds the content (I4).
func (f *File) Commit(ctx context.Context) (Version, error) { return Version{}, ErrClosed }

// Rename gives a file that nothing binds to its key another key.
func (f *File) Rename(key string) error { return ErrBound }

// Rebase says that the clean file now is v, read by r.
func (f *File) Rebase(v Version, r BaseReader) {}

// Discard ends all commits: the file has no name any more (P7).
func (f *File) Discard() {}

// Close commits a dirty file and releases its memory.
func (f *File) Close(ctx context.Context) error { return ErrClosed }
