package writeback

import (
	"context"
	"time"

	"github.com/s3mount/s3mount/s3"
)

// Store lists the S3 calls of this package. *s3.Client implements it.
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

// BaseReader reads one version of an object. *readahead.Reader implements it.
type BaseReader interface {
	// CopyAt reads like io.ReaderAt: a short read returns io.EOF.
	CopyAt(ctx context.Context, p []byte, off int64) (int, error)
	// CopyWithin is like CopyAt for a caller that reads on up to end and no farther.
	CopyWithin(ctx context.Context, p []byte, off, end int64) (int, error)
}

// Version is one version of an object.
type Version struct {
	Key, ETag string
	Size      int64 // in bytes
	VersionID string
	Date      time.Time // the server's time of the commit; zero if unknown
	// Object holds the properties of the object. An upload that ran while the file was written has the
	// properties from its start. The caller decides whether to update them, which costs a copy of the
	// object.
	Object s3.ObjectOptions
}

// OpenInput describes the start of a file.
type OpenInput struct {
	// Key is the object that a commit writes.
	Key string
	// Base is the version that the content starts from. If it is nil, the file is new or replaced: it
	// starts empty and dirty.
	Base *Version
	// Reader reads Base; nil if Base is nil. The caller closes it after Close.
	Reader BaseReader
	// Replaces is the ETag of the object that a whole replacement overwrites, or "" if there is
	// none or it is not known. A replay compares it.
	Replaces string
	// Exclusive makes the first commit fail if the key exists (O_EXCL, P3).
	Exclusive bool
	// Object holds the properties for the next commit.
	Object s3.ObjectOptions
	// Turn tries, without waiting, to become the only one that changes the object until done is
	// called. Commits without a caller (by Drain or because the spool is full) need such a turn. If
	// Turn is nil, nobody else changes the object.
	Turn func() (done func(), ok bool)
}

// call runs and counts one request. It ends the request when no byte moves for the deadline, so
// that no request can block a commit forever (P12). b is the request's body, or nil.
func (m *Manager) call(ctx context.Context, b *body, request func(context.Context) error) error {
	m.inFlight.Add(1)
	defer m.inFlight.Add(-1)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watchdog := time.AfterFunc(m.o.deadline, func() { cancel(s3.ErrDeadline) })
	defer watchdog.Stop()
	if b != nil {
		b.ctx = ctx
		b.moved = func() {
			watchdog.Reset(m.o.deadline)
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

// data is like call for requests that carry data. It bounds their number to Connections and serves
// the users in turn.
func (m *Manager) data(ctx context.Context, b *body, request func(context.Context) error) error {
	if err := m.slots.Acquire(ctx); err != nil {
		return err
	}
	defer m.slots.Release()
	return m.call(ctx, b, request)
}
