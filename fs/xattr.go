package fs

import (
	"context"
	"maps"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/s3mount/s3mount/fs/attrs"
	"github.com/s3mount/s3mount/fs/entry"
)

// invalidateXattr is the control attribute that drops the cached state of a path:
// setfattr -n user.s3mount.invalidate -v 1 PATH.
const invalidateXattr = "user.s3mount.invalidate"

// Extended attributes (xattr(7)) are attributes like mode and owner: they are stored on
// the object (entry.Attr.Xattr). The next PUT of the file carries them, or attrQueue
// saves them.
//
// Without --xattr the mount answers once that it supports none, which the kernel
// remembers until the unmount. Any other answer would cost ls -l one or two requests
// per file, and every write(2) one for security.capability.

// These are flags of setxattr(2).
const (
	xattrCreate  = 1
	xattrReplace = 2
)

// storable reports whether extended attributes with this name are stored. POSIX ACLs
// (system.*) are refused, because the kernel would not check them. Programs that copy
// them continue without.
func storable(name string) bool {
	space, _, _ := strings.Cut(name, ".")
	return space == "user" || space == "trusted" || space == "security"
}

// GetXAttr returns one value.
func (f *filesystem) GetXAttr(cancel <-chan struct{}, h *fuse.InHeader, name string, dest []byte) (uint32, fuse.Status) {
	switch {
	case !f.o.Xattr:
		return 0, fuse.ENOSYS
	case !storable(name):
		return 0, fuse.ENOTSUP
	}
	// Names outside of user.* are worth no request, because the kernel and ls ask for
	// them for every file.
	_, all, st := f.xattrsOf(cancel, h, strings.HasPrefix(name, "user."))
	if st != fuse.OK {
		return 0, st
	}
	value, ok := all[name]
	if !ok {
		return 0, fuse.ENODATA
	}
	return answer(dest, value)
}

// ListXAttr returns the names, each terminated by a NUL byte.
func (f *filesystem) ListXAttr(cancel <-chan struct{}, h *fuse.InHeader, dest []byte) (uint32, fuse.Status) {
	if !f.o.Xattr {
		return 0, fuse.ENOSYS
	}
	_, all, st := f.xattrsOf(cancel, h, true)
	if st != fuse.OK {
		return 0, st
	}
	var list []byte
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if !storable(name) || strings.HasPrefix(name, "trusted.") && h.Uid != 0 {
			continue
		}
		list = append(append(list, name...), 0)
	}
	return answer(dest, list)
}

// answer copies a value into the answer to the kernel.
func answer(dest, value []byte) (uint32, fuse.Status) {
	if len(value) > len(dest) {
		return uint32(len(value)), fuse.ERANGE // go-fuse returns the size to callers that asked for it
	}
	return uint32(copy(dest, value)), fuse.OK
}

// SetXAttr sets one value, or executes a control attribute.
func (f *filesystem) SetXAttr(cancel <-chan struct{}, in *fuse.SetXAttrIn, name string, value []byte) fuse.Status {
	if name == invalidateXattr {
		n := f.inodes.get(in.NodeId)
		if n == nil {
			return fuse.ENOENT
		}
		f.invalidate(n)
		return fuse.OK
	}
	if !f.o.Xattr || !storable(name) {
		return fuse.ENOTSUP
	}
	n, all, st := f.ownXattrs(cancel, &in.InHeader)
	if st != fuse.OK {
		return st
	}
	_, exists := all[name]
	switch {
	case in.Flags&xattrCreate != 0 && exists:
		return fuse.Status(syscall.EEXIST)
	case in.Flags&xattrReplace != 0 && !exists:
		return fuse.ENODATA
	}
	if all == nil {
		all = map[string][]byte{}
	}
	all[name] = slices.Clone(value)
	return f.setXattrs(cancel, &in.InHeader, n, all)
}

// RemoveXAttr removes one value.
func (f *filesystem) RemoveXAttr(cancel <-chan struct{}, h *fuse.InHeader, name string) fuse.Status {
	if !f.o.Xattr || !storable(name) {
		return fuse.ENOTSUP
	}
	n, all, st := f.ownXattrs(cancel, h)
	if st != fuse.OK {
		return st
	}
	if _, ok := all[name]; !ok {
		return fuse.ENODATA
	}
	delete(all, name)
	return f.setXattrs(cancel, h, n, all)
}

// ownXattrs is xattrsOf for a change. It makes sure that the other metadata of the
// object are known, because they reduce the available size.
func (f *filesystem) ownXattrs(cancel <-chan struct{}, h *fuse.InHeader) (*inode, map[string][]byte, fuse.Status) {
	if n := f.inodes.get(h.NodeId); n != nil && n.kind == entry.File && !n.private() {
		n.lock()
		known := n.carried().Metadata != nil
		n.unlock()
		ctx := newRequest(cancel, h)
		defer ctx.end()
		if !known {
			if err := f.revalidateByHead(ctx, n); err != nil {
				return nil, nil, f.status("xattr", err)
			}
		}
	}
	return f.xattrsOf(cancel, h, true)
}

// xattrsOf returns the inode of a request and its extended attributes in a new map. If
// exact is set, it asks S3 unless the attributes are known exactly.
func (f *filesystem) xattrsOf(cancel <-chan struct{}, h *fuse.InHeader, exact bool) (*inode, map[string][]byte, fuse.Status) {
	n := f.inodes.get(h.NodeId)
	if n == nil {
		return nil, nil, fuse.ENOENT
	}
	if exact {
		ctx := newRequest(cancel, h)
		defer ctx.end()
		if err := f.access.confirmFile(ctx, n, h.Caller); err != nil {
			return nil, nil, f.status("xattr", err)
		}
		if err := f.exactly(ctx, n); err != nil {
			return nil, nil, f.status("xattr", err)
		}
	}
	all, err := attrs.DecodeXattrs(n.snapshot().Attr.Xattr)
	if err != nil {
		f.log.Debug("extended attributes are not shown", "key", n.snapshot().Key, "error", err)
		return nil, nil, fuse.ENOTSUP // so that nothing overwrites them
	}
	return n, all, fuse.OK
}

// exactly makes sure that the inode has the attributes of its object.
func (f *filesystem) exactly(ctx context.Context, n *inode) error {
	if n.private() || n == f.inodes.root {
		return nil
	}
	e := n.snapshot()
	if e.Exact || e.Implicit {
		return nil
	}
	asked := f.inodes.now()
	now, err := f.ns.Stat(ctx, e)
	if err != nil {
		return err
	}
	if now.Kind != n.kind {
		return syscall.ESTALE
	}
	if !f.learn(n, now, asked) {
		f.forgetName(n)
		return syscall.ESTALE // the kernel looks the name up again
	}
	return nil
}

// setXattrs sets all extended attributes of an inode. If they are too large, it returns
// ENOSPC, as ext4 does.
func (f *filesystem) setXattrs(cancel <-chan struct{}, h *fuse.InHeader, n *inode, all map[string][]byte) fuse.Status {
	ctx := newRequest(cancel, h)
	defer ctx.end()
	text := attrs.EncodeXattrs(all)
	n.lock()
	if len(text) > attrs.XattrRoom(n.carried().Metadata) {
		n.unlock()
		return fuse.Status(syscall.ENOSPC)
	}
	before := n.Entry().Attr
	after := before
	after.Xattr, after.Ctime = text, time.Now()
	n.SetAttr(after)
	n.unlock()
	if err := f.keepAttrs(ctx, n, before); err != nil {
		return f.status("xattr", err)
	}
	f.refresh(n) // the ctime
	return fuse.OK
}
