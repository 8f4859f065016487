package fs

import (
	"strings"
	"syscall"

	"github.com/s3mount/s3mount/fs/entry"
)

// isLockFile reports whether a name is that of a lock file. O_EXCL decides at open who
// creates a lock file, so that it works between mounts (P3).
func isLockFile(name string) bool {
	return name == "lock" || strings.HasSuffix(name, ".lock") || strings.HasSuffix(name, ".lck")
}

// createLock creates an empty object, which must not exist, and the inode of its file
// with unsaved state. The error is namespace.ErrExists if another client has the lock.
func (f *filesystem) createLock(ctx *request, dir *inode, name string, perm uint32, _ bool) (*inode, error) {
	parent := dir.snapshot()
	e, err := f.ns.Mknod(ctx, parent, name, entry.File, newAttr(parent, ctx.caller, perm, false), "")
	if err != nil {
		return nil, err
	}
	n := f.enter(dir, name, e, f.inodes.now())
	if n == nil {
		return nil, syscall.ESTALE
	}
	f.permits.wrote(e.Key)
	dir.relisted()
	n.lock()
	defer n.unlock()
	f.dirty(n)
	return n, nil
}
