package namespace

import (
	"errors"

	"github.com/s3mount/s3mount/fs/background"
)

// These are the errors of this package in addition to those of package s3. Callers find
// them with errors.Is. fs maps each of them to an errno.
var (
	// ErrNotEmpty means that the directory has children (ENOTEMPTY).
	ErrNotEmpty = errors.New("directory not empty")
	// ErrExists means that the name exists (EEXIST).
	ErrExists = errors.New("name exists")
	// ErrNotDir means that the name is not a directory (ENOTDIR).
	ErrNotDir = errors.New("not a directory")
	// ErrIsDir means that the name is a directory (EISDIR).
	ErrIsDir = errors.New("is a directory")
	// ErrNameTooLong: the name is over 255 bytes, or its key over 1024 (ENAMETOOLONG).
	ErrNameTooLong = errors.New("name too long")
	// ErrInvalidName: no key can have this name (EINVAL).
	ErrInvalidName = errors.New("invalid name")
	// ErrReserved: the name belongs to this tool's own hints (EPERM).
	ErrReserved = errors.New("reserved name")
	// ErrStale: the object is no longer the version that this mount saw (ESTALE).
	ErrStale = errors.New("stale version")
	// ErrClosed: the namespace was closed (EIO).
	ErrClosed = background.ErrClosed
	// ErrInvalid: the request makes no sense, as moving a directory into itself (EINVAL).
	ErrInvalid = errors.New("invalid argument")
)
