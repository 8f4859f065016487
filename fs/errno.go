package fs

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/s3mount/s3mount/fs/namespace"
	"github.com/s3mount/s3mount/fs/readahead"
	"github.com/s3mount/s3mount/fs/writeback"
	"github.com/s3mount/s3mount/s3"
)

// errnoTable is the one place where errors become errnos (P10). The first row
// that errors.Is finds wins; what no row names is EIO, never ENOENT.
var errnoTable = [...]struct {
	err   error
	errno syscall.Errno
}{
	{context.Canceled, syscall.EINTR},
	{readahead.ErrStale, syscall.ESTALE},
	{writeback.ErrConflict, syscall.ESTALE},
	{namespace.ErrStale, syscall.ESTALE},
	{writeback.ErrNoSpace, syscall.ENOSPC},
	{writeback.ErrTooLarge, syscall.EFBIG},
	{writeback.ErrNoData, syscall.ENXIO},
	{namespace.ErrNotEmpty, syscall.ENOTEMPTY},
	{namespace.ErrExists, syscall.EEXIST},
	{namespace.ErrNotDir, syscall.ENOTDIR},
	{namespace.ErrIsDir, syscall.EISDIR},
	{namespace.ErrNameTooLong, syscall.ENAMETOOLONG},
	{namespace.ErrInvalidName, syscall.EINVAL},
	{namespace.ErrInvalid, syscall.EINVAL},
	{namespace.ErrReserved, syscall.EPERM},
	{namespace.ErrTooManyLinks, syscall.EMLINK},
	{errors.ErrUnsupported, syscall.EPERM}, // as link(2) and mknod(2) say
	{s3.ErrNoSuchBucket, syscall.EIO},      // says nothing of any name
	{s3.ErrNotFound, syscall.ENOENT},
	{s3.ErrNoCredentials, syscall.EACCES},
	{s3.ErrExpiredCredentials, syscall.EACCES},
	{s3.ErrClockSkew, syscall.EACCES},
	{s3.ErrForbidden, syscall.EACCES},
	{s3.ErrPreconditionFailed, syscall.ESTALE},
	{s3.ErrTooLarge, syscall.EFBIG},
	{s3.ErrInvalidInput, syscall.EINVAL},
}

// status turns err into what the kernel gets. An error that the table does not
// know is EIO and, since the errno says so little, logged.
func (f *filesystem) status(op string, err error) fuse.Status {
	if err == nil {
		return fuse.OK
	}
	errno := errnoOf(err)
	if errno == syscall.EIO {
		f.log.Warn("operation failed", slog.String("op", op), slog.Any("error", err))
	}
	return fuse.Status(errno)
}

func errnoOf(err error) syscall.Errno {
	for _, row := range errnoTable {
		if errors.Is(err, row.err) {
			return row.errno
		}
	}
	var errno syscall.Errno
	if errors.As(err, &errno) && !errors.Is(err, io.EOF) && isLocal(errno) {
		return errno
	}
	return syscall.EIO
}

// absent: S3 has told that there is no such key.
func absent(err error) bool {
	return errors.Is(err, s3.ErrNotFound) && !errors.Is(err, s3.ErrNoSuchBucket)
}

// isLocal: errnos that come from the local disk or from our own checks and
// mean the same to the caller. Those of the network (ECONNREFUSED and the
// like) mean nothing to a program that works on a file.
func isLocal(errno syscall.Errno) bool {
	switch errno {
	case syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS, syscall.EINVAL, syscall.EISDIR, syscall.ENOTDIR,
		syscall.ENOTEMPTY, syscall.EEXIST, syscall.ENOENT, syscall.EPERM, syscall.EACCES, syscall.EBADF,
		syscall.ENAMETOOLONG, syscall.EFBIG, syscall.ENXIO, syscall.EBUSY, syscall.EOPNOTSUPP, syscall.EXDEV,
		syscall.ESTALE:
		return true
	}
	return false
}
