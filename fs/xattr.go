package fs

import (
	"github.com/hanwen/go-fuse/v2/fuse"
)

// invalidateXattr is the control name that drops what is cached of a path:
// setfattr -n user.s3mount.invalidate -v 1 PATH.
const invalidateXattr = "user.s3mount.invalidate"

// GetXAttr says once that there are none, which the kernel remembers. Any
// other answer would cost `ls -l` two requests per file, and every write(2)
// one for security.capability.
func (f *filesystem) GetXAttr(<-chan struct{}, *fuse.InHeader, string, []byte) (uint32, fuse.Status) {
	return 0, fuse.ENOSYS
}

// ListXAttr says once that there are none.
func (f *filesystem) ListXAttr(<-chan struct{}, *fuse.InHeader, []byte) (uint32, fuse.Status) {
	return 0, fuse.ENOSYS
}

// SetXAttr takes the control names only.
func (f *filesystem) SetXAttr(_ <-chan struct{}, in *fuse.SetXAttrIn, name string, _ []byte) fuse.Status {
	if name != invalidateXattr {
		return fuse.ENOTSUP
	}
	n := f.inodes.get(in.NodeId)
	if n == nil {
		return fuse.ENOENT
	}
	f.invalidate(n)
	return fuse.OK
}

// RemoveXAttr has nothing to remove.
func (f *filesystem) RemoveXAttr(<-chan struct{}, *fuse.InHeader, string) fuse.Status {
	return fuse.ENOTSUP
}
