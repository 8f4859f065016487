package writeback

import "errors"

// Operations of a file return these errors, besides errors of s3 and of contexts.
var (
	// ErrConflict means that the object is not the version that the file's bytes are
	// built on, or that it exists although it had to be new (P3, ESTALE). The bytes are
	// kept, and the log has their path.
	ErrConflict = errors.New("another client has changed the object")
	// ErrKept means that S3 refuses bytes permanently that close(2) has acknowledged. They
	// are in the recovery directory, and the log has their path.
	ErrKept = errors.New("S3 refuses the bytes; they are kept in the recovery directory")
	// ErrNoSpace means that the spool has no room for the bytes of this write (ENOSPC).
	// Earlier bytes are unaffected.
	ErrNoSpace = errors.New("there is no space in the spool")
	// ErrTooLarge means that the file would be larger than an object may be (EFBIG).
	ErrTooLarge = errors.New("the file is too large for an object")
	// ErrBound means that the file has an object or an upload under its key. The caller
	// must commit it, copy the object and call Rebase.
	ErrBound = errors.New("the file is bound to its key")
	// ErrInterrupted means that Interrupt ended the commit. The file keeps the bytes.
	ErrInterrupted = errors.New("the commit was interrupted")
	// ErrNoData means that there is no data at or after the offset (ENXIO of lseek(2)).
	ErrNoData = errors.New("there is no data at the offset")
	// ErrClosed means that the file or its manager is closed.
	ErrClosed = errors.New("the file is closed")
)

// errSuperseded ends a commit of bytes that a truncation has removed.
var errSuperseded = errors.New("the file was truncated during its commit")

// errNotKept accompanies ErrConflict if the bytes could not be saved in the recovery
// directory either.
var errNotKept = errors.New("the bytes are not saved")
