package namespace

import (
	"errors"

	"github.com/s3mount/s3mount/fs/background"
)

// The errors of this package beside those of package s3. fs maps each to an
// errno; they are found with errors.Is.
var (
	// ErrNotEmpty: the directory has children (ENOTEMPTY).
	ErrNotEmpty = errors.New("directory not empty")
	// ErrExists: the name is taken (EEXIST).
	ErrExists = errors.New("name exists")
	// ErrNotDir: a directory was asked for and the name is something else (ENOTDIR).
	ErrNotDir = errors.New("not a directory")
	// ErrIsDir: the name is a directory and something else was asked for (EISDIR).
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
