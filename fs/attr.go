package fs

import (
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/s3mount/s3mount/fs/entry"
)

// blockSize is st_blksize. cat, cp and Python use it as the size of their buffers.
// Buffers of this size need the fewest FUSE requests.
const blockSize = 1 << 20

// fillAttr sets the attributes that stat(2) shows.
func fillAttr(n *inode, e entry.Entry, a *fuse.Attr) {
	*a = fuse.Attr{
		Ino:  n.id,
		Size: uint64(e.Size),
		// in units of 512 bytes, see stat(2)
		Blocks:  uint64(e.Size+511) / 512,
		Mode:    typeBits(e.Kind) | e.Attr.Perm&0o7777,
		Nlink:   1, // also for directories; find then does not count subdirectories
		Owner:   fuse.Owner{Uid: e.Attr.UID, Gid: e.Attr.GID},
		Rdev:    e.Attr.Rdev,
		Blksize: blockSize,
	}
	if n.gone() {
		a.Nlink = 0
	}
	mtime := firstTime(e.Attr.Mtime, e.LastModified)
	ctime := firstTime(e.Attr.Ctime, mtime)
	atime := firstTime(e.Attr.Atime, mtime)
	a.SetTimes(&atime, &mtime, &ctime)
}

func firstTime(a, b time.Time) time.Time {
	switch {
	case !a.IsZero():
		return a
	case !b.IsZero():
		return b
	}
	return time.Unix(0, 0)
}

// typeBits returns the S_IFMT bits of a kind (inode(7)).
func typeBits(k entry.Kind) uint32 {
	switch k {
	case entry.Directory:
		return syscall.S_IFDIR
	case entry.Symlink:
		return syscall.S_IFLNK
	case entry.FIFO:
		return syscall.S_IFIFO
	case entry.Socket:
		return syscall.S_IFSOCK
	case entry.CharDevice:
		return syscall.S_IFCHR
	case entry.BlockDevice:
		return syscall.S_IFBLK
	}
	return syscall.S_IFREG
}

// kindOf is the inverse of typeBits. ok is false for types that mknod(2) cannot create.
func kindOf(mode uint32) (k entry.Kind, ok bool) {
	switch mode & syscall.S_IFMT {
	case 0, syscall.S_IFREG:
		return entry.File, true
	case syscall.S_IFIFO:
		return entry.FIFO, true
	case syscall.S_IFSOCK:
		return entry.Socket, true
	case syscall.S_IFCHR:
		return entry.CharDevice, true
	case syscall.S_IFBLK:
		return entry.BlockDevice, true
	}
	return 0, false
}

// fillEntry sets the answer to LOOKUP and to operations that create a name.
func (f *filesystem) fillEntry(n *inode, caller fuse.Caller, out *fuse.EntryOut) {
	e := n.tell()
	f.access.told(n, e, caller)
	out.NodeId, out.Generation = n.id, 1
	fillAttr(n, e, &out.Attr)
	ttl := f.ns.TTL(e)
	out.SetEntryTimeout(ttl)
	if e.Exact || !f.ns.Hinted(e) {
		out.SetAttrTimeout(ttl)
	} // else the kernel asks with GETATTR when it needs them
}

// fillAttrOut sets the answer to GETATTR and SETATTR.
func (f *filesystem) fillAttrOut(n *inode, caller fuse.Caller, out *fuse.AttrOut) {
	e := n.tell()
	f.access.told(n, e, caller)
	fillAttr(n, e, &out.Attr)
	out.SetTimeout(f.ns.TTL(e))
}

// newAttr returns the attributes of a new file or directory of caller in dir. In a
// directory with the setgid bit, a new file gets the group of the directory, and a new
// directory also gets the bit.
func newAttr(dir entry.Entry, caller fuse.Caller, perm uint32, isDir bool) entry.Attr {
	now := time.Now()
	a := entry.Attr{Perm: perm & 0o7777, UID: caller.Uid, GID: caller.Gid, Mtime: now, Ctime: now, Atime: now}
	if dir.Attr.Perm&syscall.S_ISGID != 0 {
		a.GID = dir.Attr.GID
		if isDir {
			a.Perm |= syscall.S_ISGID
		}
	}
	return a
}
