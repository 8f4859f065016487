package writeback

import "errors"

// What a file's operations can fail with, beside the errors of s3 and of contexts.
var (
	// ErrConflict: the object is no longer the version that the file's bytes
	// were built on, or it exists although it had to be new (P3, ESTALE). The
	// bytes are kept; the log says where.
	ErrConflict = errors.New("object was changed by someone else")
	// ErrKept: S3 refuses bytes for good that close(2) has acknowledged. They are in
	// the recovery directory; the log says where.
	ErrKept = errors.New("S3 refuses the bytes; they are kept in the recovery directory")
	// ErrNoSpace: the spool has no room for the bytes of this write (ENOSPC).
	// No earlier byte is harmed.
	ErrNoSpace = errors.New("no space in the spool")
	// ErrTooLarge: the file would be larger than an object may be (EFBIG).
	ErrTooLarge = errors.New("file too large for an object")
	// ErrBound: the file is bound to its key by an object or an upload there.
	// Commit it, copy the object, then Rebase.
	ErrBound = errors.New("file is bound to its key")
	// ErrInterrupted: Interrupt ended the commit. The bytes are still here.
	ErrInterrupted = errors.New("commit was interrupted")
	// ErrNoData: there is no data at or after the offset (ENXIO of lseek(2)).
	ErrNoData = errors.New("no data there")
	// ErrClosed: the file or its manager is closed.
	ErrClosed = errors.New("file is closed")
)

// errSuperseded ends a commit of bytes that a truncation has taken away.
var errSuperseded = errors.New("file was truncated during its commit")

// errNotKept stands beside ErrConflict if the recovery directory did not take the
// bytes either.
var errNotKept = errors.New("bytes are not kept")
