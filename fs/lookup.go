package fs

import (
	"context"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// Lookup finds a name. If the name is absent, the kernel may cache a negative entry.
func (f *filesystem) Lookup(cancel <-chan struct{}, h *fuse.InHeader, name string, out *fuse.EntryOut) fuse.Status {
	ctx := newRequest(cancel, h)
	defer ctx.end()
	dir := f.inodes.get(h.NodeId)
	if dir == nil || dir.gone() {
		return fuse.ENOENT
	}
	if len(name) > unix.NAME_MAX { // the kernel allows longer names for FUSE
		return fuse.Status(syscall.ENAMETOOLONG)
	}
	n, err := f.lookupName(ctx, dir, name)
	if err != nil && !absent(err) {
		return f.status("lookup", err)
	}
	if err := f.mayFind(ctx, dir, n, h.Caller); err != nil {
		if n != nil {
			f.inodes.forget(n.id, 1)
		}
		return f.status("lookup", err)
	}
	if n == nil {
		ttl := f.ns.NegativeTTL(dir.snapshot())
		if ttl <= 0 {
			return fuse.ENOENT
		}
		out.SetEntryTimeout(ttl)
		return fuse.OK
	}
	f.fillEntry(n, h.Caller, out)
	return fuse.OK
}

// mayFind returns an error if the caller may not see n, the result of a lookup in dir.
// n is nil if the name is absent. It is called after the lookup, which often also
// provides the attributes of the directory.
func (f *filesystem) mayFind(ctx context.Context, dir, n *inode, caller fuse.Caller) error {
	if err := f.access.confirmSearch(ctx, dir, caller); err != nil || n == nil {
		return err
	}
	return f.access.found(ctx, n, caller)
}

// lookupName returns the inode of a name and adds a reference of the kernel. It repeats
// the lookup if the directory, or a parent of it, was renamed in the meantime.
func (f *finder) lookupName(ctx context.Context, dir *inode, name string) (*inode, error) {
	for {
		asked, parent := f.inodes.now(), dir.snapshot()
		e, err := f.ns.Lookup(ctx, parent, name)
		if err == nil {
			n := f.enter(dir, name, e, asked)
			if n == nil && dir.holdsKey(parent.Key) {
				err = syscall.ESTALE
			}
			if n != nil || err != nil {
				return n, err
			}
			continue
		}
		again, werr := f.renamed(ctx, dir, parent.Key, err)
		if werr != nil {
			return nil, werr
		}
		if !again {
			return nil, err
		}
	}
}

// renamed reports whether a key is absent only because its inode, or a directory above
// it, has another key now. It waits for a rename in progress.
func (f *finder) renamed(ctx context.Context, n *inode, key string, err error) (bool, error) {
	if !absent(err) {
		return false, nil
	}
	if waited, err := f.gate.wait(ctx, n); waited || err != nil {
		return err == nil, err
	}
	return n.snapshot().Key != key, nil
}

// Forget drops references of the kernel.
func (f *filesystem) Forget(nodeid, nlookup uint64) { f.inodes.forget(nodeid, nlookup) }

// GetAttr handles stat(2) after the attribute timeout.
func (f *filesystem) GetAttr(cancel <-chan struct{}, in *fuse.GetAttrIn, out *fuse.AttrOut) fuse.Status {
	ctx := newRequest(cancel, &in.InHeader)
	defer ctx.end()
	n := f.inodes.get(in.NodeId)
	if n == nil {
		return fuse.ENOENT
	}
	if f.endOfFile(n, in) {
		e := n.tell()
		f.access.told(n, e, in.Caller)
		fillAttr(n, e, &out.Attr)
		return fuse.OK // without a timeout: a stat of the name asks again
	}
	if err := f.revalidate(ctx, n); err != nil {
		return f.status("getattr", err)
	}
	if err := f.access.show(ctx, n); err != nil {
		return f.status("getattr", err)
	}
	f.fillAttrOut(n, in.Caller, out)
	return fuse.OK
}

// endOfFile reports whether the kernel asks only for the size, for a handle whose
// version is the version of the inode. S3 cannot have newer information about this
// handle. The kernel passes a handle when a read or seek reaches the end of a file
// (fuse_update_attributes in Linux), but not for fstat(2). Otherwise a program that
// reads a file for longer than the attribute timeout would wait for S3 again at the
// end.
func (f *filesystem) endOfFile(n *inode, in *fuse.GetAttrIn) bool {
	if in.Flags()&fuse.FUSE_GETATTR_FH == 0 {
		return false
	}
	h := f.handles.file(in.Fh())
	if h == nil || h.node != n || h.writable {
		return false
	}
	n.lock()
	defer n.unlock()
	v, ok := h.version()
	return ok && v == versionOf(n.Entry()) && v.ETag != "" && n.file == nil && n.IsLinked()
}

// revalidate updates an inode from S3, within the metadata TTL. It does not change an
// inode that this mount is writing or that has no name. If the handles of an inode show
// an older version, it keeps that version, and the kernel looks the name up again.
func (f *finder) revalidate(ctx context.Context, n *inode) error {
	dir, name := f.inodes.parentOf(n)
	if dir == nil || n.private() {
		return nil
	}
	asked, parent := f.inodes.now(), dir.snapshot()
	e, err := f.ns.Lookup(ctx, parent, name)
	if again, werr := f.renamed(ctx, dir, parent.Key, err); again {
		return f.revalidate(ctx, n)
	} else if werr != nil {
		return werr
	}
	switch {
	case absent(err) && n.private():
		return nil // unlinked or created here in the meantime
	case absent(err) && n.isOpen():
		return nil // deleted elsewhere: fstat still shows what is open
	case err != nil:
		return err
	case e.Kind != n.kind:
		return syscall.ESTALE
	}
	if !f.learn(n, e, asked) {
		f.forgetDentry(dir, name)
	}
	return nil
}

// private reports whether only this mount knows the state of the inode.
func (n *inode) private() bool {
	if !n.isUsed() {
		return false
	}
	n.lock()
	defer n.unlock()
	return n.file != nil || !n.IsLinked()
}

func (n *inode) isOpen() bool {
	if !n.isUsed() {
		return false
	}
	n.lock()
	defer n.unlock()
	return n.opens > 0
}

func (n *inode) gone() bool {
	if !n.isUsed() {
		return false
	}
	n.lock()
	defer n.unlock()
	return !n.IsLinked()
}

// Access returns OK, because the kernel decides (default_permissions).
func (f *filesystem) Access(<-chan struct{}, *fuse.AccessIn) fuse.Status { return fuse.OK }

// Readlink returns the target of a symlink.
func (f *filesystem) Readlink(cancel <-chan struct{}, h *fuse.InHeader) ([]byte, fuse.Status) {
	ctx := newRequest(cancel, h)
	defer ctx.end()
	n := f.inodes.get(h.NodeId)
	if n == nil {
		return nil, fuse.ENOENT
	}
	e := n.snapshot()
	if e.Target != "" {
		return []byte(e.Target), fuse.OK
	}
	target, err := f.ns.Readlink(ctx, e)
	if err != nil {
		return nil, f.status("readlink", err)
	}
	return []byte(target), fuse.OK
}

const (
	// S3 has no size. Without --size and --quota, df shows 1 PiB, which is enough for
	// installers and desktops and does not overflow 64-bit arithmetic.
	statfsBlock  = 4096
	statfsBlocks = 1 << 50 / statfsBlock
	statfsFiles  = 1 << 40
	// maxName is NAME_MAX; longer key segments are split (namespace).
	maxName = 255
)

// StatFs handles statfs(2), for example of df(1).
func (f *filesystem) StatFs(_ <-chan struct{}, _ *fuse.InHeader, out *fuse.StatfsOut) fuse.Status {
	*out = fuse.StatfsOut{
		Bsize: blockSize, Frsize: statfsBlock, NameLen: maxName,
		Blocks: statfsBlocks, Bfree: statfsBlocks, Bavail: statfsBlocks,
		Files: statfsFiles, Ffree: statfsFiles,
	}
	if total, free, ok := f.space.statfs(); ok {
		out.Blocks, out.Bfree = uint64(total/statfsBlock), uint64(free/statfsBlock)
		out.Bavail = out.Bfree
	}
	return fuse.OK
}

// Statx returns ENOSYS. The kernel then uses GetAttr.
func (f *filesystem) Statx(<-chan struct{}, *fuse.StatxIn, *fuse.StatxOut) fuse.Status {
	return fuse.ENOSYS
}
