package writeback

import (
	"context"
	"time"

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
	ListParts(ctx context.Context, in *s3.ListPartsInput) (*s3.PartsPage, error)
	Head(ctx context.Context, in *s3.HeadInput) (*s3.ObjectInfo, error)
	Delete(ctx context.Context, in *s3.DeleteInput) (*s3.DeleteOutput, error)
}

var _ Store = (*s3.Client)(nil)

// BaseReader reads one version of an object; *readahead.Reader meets it.
type BaseReader interface {
	// CopyAt reads as io.ReaderAt does: io.EOF at the end.
	CopyAt(ctx context.Context, p []byte, off int64) (int, error)
	// CopyWithin is CopyAt where all up to end will be asked for, and nothing
	// behind it: what a part needs of the base.
	CopyWithin(ctx context.Context, p []byte, off, end int64) (int, error)
}

// Version is one state of an object.
type Version struct {
	Key, ETag string
	Size      int64 // in bytes
	VersionID string
	Date      time.Time // the server's clock at the commit; zero if unknown
	// Object is what the object carries. An upload that ran while the file was
	// written carries what was set when it started; to bring it up to date is
	// the caller's to decide, since it costs a copy of the object.
	Object s3.ObjectOptions
}

// OpenInput says what a file starts from.
type OpenInput struct {
	// Key is the object that a commit writes.
	Key string
	// Base is the version that the content starts from. Nil is a new or
	// replaced file: it starts empty and dirty.
	Base *Version
	// Reader reads Base; nil if Base is nil. It stays the caller's to close,
	// after Close.
	Reader BaseReader
	// Replaces is the ETag of the object that a whole replacement is begun over;
	// "" if there is none, or it is not known. A replay goes by it.
	Replaces string
	// Exclusive makes the first commit fail if the key exists (O_EXCL, P3).
	Exclusive bool
	// Object holds the properties that the next commit gives the object.
	Object s3.ObjectOptions
	// Turn asks, without waiting, to be the only one that changes the object
	// until done is called. Commits that no caller of the file asked for, because
	// the spool is full or by Drain, are made in such a turn only. Nil: nobody else changes it.
	Turn func() (done func(), ok bool)
}

// call runs one request. It counts it, and ends it when nothing moves for the
// deadline: s3 has deadlines of its own, but nothing may hang a commit for ever
// (P12). b is the request's body, nil if it has none.
func (m *Manager) call(ctx context.Context, b *body, request func(context.Context) error) error {
	m.inFlight.Add(1)
	defer m.inFlight.Add(-1)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watchdog := time.AfterFunc(m.o.Deadline, func() { cancel(s3.ErrDeadline) })
	defer watchdog.Stop()
	if b != nil {
		b.ctx = ctx
		b.moved = func() {
			watchdog.Reset(m.o.Deadline)
			if b.at > b.high {
				m.sent.Add(b.at - b.high)
				b.high = b.at
			}
		}
	}
	err := request(ctx)
	if err != nil && context.Cause(ctx) == s3.ErrDeadline {
		return s3.ErrDeadline
	}
	return err
}

// data is call for requests that carry data, of which Connections run at a time.
// Users who want more are served in turn.
func (m *Manager) data(ctx context.Context, b *body, request func(context.Context) error) error {
	if err := m.slots.Acquire(ctx); err != nil {
		return err
	}
	defer m.slots.Release()
	return m.call(ctx, b, request)
}
