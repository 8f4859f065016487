package fs

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/s3mount/s3mount/fs/namespace"
	"github.com/s3mount/s3mount/fs/readahead"
	"github.com/s3mount/s3mount/fs/writeback"
	"github.com/s3mount/s3mount/s3"
)

// errnoTable maps errors to errnos (P10). The first row that matches with errors.Is
// applies. Other errors are EIO, never ENOENT.
var errnoTable = [...]struct {
	err   error
	errno syscall.Errno
}{
	{context.Canceled, syscall.EINTR},
	{writeback.ErrInterrupted, syscall.EINTR},
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
	{errors.ErrUnsupported, syscall.EPERM}, // as mknod(2) says
	{s3.ErrNoSuchBucket, syscall.EIO},      // says nothing of any name
	{s3.ErrNotFound, syscall.ENOENT},
	{s3.ErrNoCredentials, syscall.EACCES},
	{s3.ErrExpiredCredentials, syscall.EACCES},
	{s3.ErrClockSkew, syscall.EACCES},
	{s3.ErrArchived, errnoArchived},
	{s3.ErrForbidden, syscall.EACCES},
	{s3.ErrPreconditionFailed, syscall.ESTALE},
	{s3.ErrTooLarge, syscall.EFBIG},
	{s3.ErrInvalidInput, syscall.EINVAL},
	{writeback.ErrKept, syscall.ESTALE},
}

// codeErrnos has the errnos of error codes of servers that keep objects as files, where a key
// cannot be both a file and a directory (versitygw and MinIO, as measured). versitygw answers
// ExistingObjectIsDirectory also when an object with a name of 255 bytes is replaced.
var codeErrnos = map[string]syscall.Errno{
	"ExistingObjectIsDirectory":     syscall.EISDIR,
	"ObjectParentIsFile":            syscall.ENOTDIR,
	"XMinioObjectExistsAsDirectory": syscall.EISDIR,
	"XMinioParentIsObject":          syscall.ENOTDIR,
}

// status returns the status for the kernel. It logs errors that become EIO, because EIO
// does not describe them.
func (f *filesystem) status(op string, err error) fuse.Status {
	if err == nil {
		return fuse.OK
	}
	f.archived.note(f.log, op, err)
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
	var answer *s3.Error
	if errors.As(err, &answer) && codeErrnos[answer.Code] != 0 {
		return codeErrnos[answer.Code]
	}
	var errno syscall.Errno
	switch {
	case !errors.As(err, &errno):
	case isDiskTrouble(errno), isVerdict(errno) && !fromOutside(err):
		return errno
	}
	return syscall.EIO
}

// absent reports whether err means that the key does not exist.
func absent(err error) bool {
	return errors.Is(err, s3.ErrNotFound) && !errors.Is(err, s3.ErrNoSuchBucket)
}

// isDiskTrouble reports whether an errno of the local disk has the same meaning for the
// caller.
func isDiskTrouble(errno syscall.Errno) bool {
	return errno == syscall.ENOSPC || errno == syscall.EDQUOT || errno == syscall.EROFS
}

// isVerdict reports whether this package itself returns the errno as an error.
func isVerdict(errno syscall.Errno) bool {
	switch errno {
	case syscall.ENOENT, syscall.ESTALE, syscall.EINVAL, syscall.ENXIO:
		return true
	}
	return false
}

// fromOutside reports whether the errno comes from a system call on a local file or on
// the network. It then describes that file or connection, not the file of the caller:
// ENOENT of a missing token file must not look like an absent object.
func fromOutside(err error) bool {
	var (
		path *fs.PathError
		link *os.LinkError
		call *os.SyscallError
		conn *net.OpError
	)
	return errors.As(err, &path) || errors.As(err, &link) || errors.As(err, &call) || errors.As(err, &conn)
}
