package fs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/s3mount/s3mount/fs/namespace"
	"github.com/s3mount/s3mount/fs/readahead"
	"github.com/s3mount/s3mount/fs/writeback"
	"github.com/s3mount/s3mount/s3"
)

func TestErrno(t *testing.T) {
	for _, c := range []struct {
		err  error
		want syscall.Errno
	}{
		{&s3.Error{Op: "HeadObject", Status: 404, Err: s3.ErrNotFound}, syscall.ENOENT},
		{&s3.Error{Op: "HeadObject", Status: 404, Err: errors.Join(s3.ErrNoSuchBucket, s3.ErrNotFound)}, syscall.EIO},
		{syscall.ESTALE, syscall.ESTALE},
		{&s3.Error{Op: "GetObject", Status: 403, Err: s3.ErrForbidden}, syscall.EACCES},
		{&s3.Error{Op: "PutObject", Status: 412, Err: s3.ErrPreconditionFailed}, syscall.ESTALE},
		{&s3.Error{Op: "PutObject", Status: 503, Err: s3.ErrThrottled}, syscall.EIO},
		{&s3.Error{Op: "GetObject", Status: 500, Err: s3.ErrTransient}, syscall.EIO},
		{&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, syscall.EIO},
		{&s3.Error{Op: "PutObject", Status: 409, Code: "ExistingObjectIsDirectory", Err: s3.ErrConflict}, syscall.EISDIR},
		{&s3.Error{Op: "PutObject", Status: 409, Code: "ObjectParentIsFile", Err: s3.ErrConflict}, syscall.ENOTDIR},
		{&s3.Error{Op: "PutObject", Status: 409, Code: "OperationAborted", Err: s3.ErrConflict}, syscall.EIO},
		{context.Canceled, syscall.EINTR},
		{context.DeadlineExceeded, syscall.EIO},
		{io.ErrUnexpectedEOF, syscall.EIO},
		{readahead.ErrStale, syscall.ESTALE},
		{writeback.ErrConflict, syscall.ESTALE},
		{writeback.ErrNoSpace, syscall.ENOSPC},
		{writeback.ErrTooLarge, syscall.EFBIG},
		{writeback.ErrNoData, syscall.ENXIO},
		{namespace.ErrNotEmpty, syscall.ENOTEMPTY},
		{namespace.ErrNameTooLong, syscall.ENAMETOOLONG},
		{namespace.ErrExists, syscall.EEXIST},
		{namespace.ErrReserved, syscall.EPERM},
		{syscall.ENOSPC, syscall.ENOSPC},
		{syscall.ECONNRESET, syscall.EIO},
		{errors.New("something new"), syscall.EIO},
		// The errnos of system calls on local files and connections do not describe the
		// file of the caller.
		{&fs.PathError{Op: "open", Path: "token", Err: syscall.ENOENT}, syscall.EIO},
		{&fs.PathError{Op: "open", Path: "token", Err: syscall.EACCES}, syscall.EIO},
		{&os.LinkError{Op: "rename", Old: "a", New: "b", Err: syscall.ENOENT}, syscall.EIO},
		{&fs.PathError{Op: "write", Path: "spool", Err: syscall.ENOSPC}, syscall.ENOSPC},
		{&fs.PathError{Op: "open", Path: "spool", Err: syscall.EROFS}, syscall.EROFS},
		{&net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.EPERM)}, syscall.EIO},
		{&net.OpError{Op: "dial", Net: "unix", Err: os.NewSyscallError("connect", syscall.ENOENT)}, syscall.EIO},
		{syscall.ENOENT, syscall.ENOENT},
	} {
		err := fmt.Errorf("wrap: %w", c.err)
		if got := errnoOf(err); got != c.want {
			t.Errorf("errnoOf(%v) = %v, want %v", c.err, got, c.want)
		}
	}
}
