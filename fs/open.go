package fs

import (
	"context"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/s3mount/s3mount/fs/entry"
	ino "github.com/s3mount/s3mount/fs/inode"
	"github.com/s3mount/s3mount/fs/namespace"
	"github.com/s3mount/s3mount/fs/readahead"
	"github.com/s3mount/s3mount/fs/writeback"
	"github.com/s3mount/s3mount/s3"
)

// Open opens an existing file. It revalidates against S3 (P2): for a reader
// with the GET of its first bytes, for a writer with a HEAD, and for O_TRUNC
// not at all, since nothing of the old version is kept.
func (f *filesystem) Open(cancel <-chan struct{}, in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	ctx := newRequest(cancel, &in.InHeader)
	defer ctx.end()
	n := f.inodes.get(in.NodeId)
	if n == nil {
		return fuse.ENOENT
	}
	if (writes(in.Flags) || in.Flags&syscall.O_TRUNC != 0) && f.o.ReadOnly {
		return fuse.EROFS
	}
	if writes(in.Flags) || in.Flags&syscall.O_TRUNC != 0 {
		f.runs.changed(in.Pid)
	}
	if !writes(in.Flags) && in.Flags&syscall.O_TRUNC != 0 && n.kind == entry.File {
		// As truncate(2) does it: no handle will save what this one cannot write.
		if err := f.access.confirmFile(ctx, n, in.Caller); err != nil {
			return f.status("open", err)
		}
		if err := f.resize(ctx, n, 0, false); err != nil {
			return f.status("open", err)
		}
	}
	if writes(in.Flags) { // what the last writer left is let go before the next one comes
		if err := n.turns().settling.take(ctx); err != nil {
			return f.status("open", err)
		}
		defer n.turns().settling.give()
	}
	if n.isStale() {
		f.cutOff(n)
		return fuse.Status(syscall.ESTALE)
	}
	if n.isGhost() || n.isCut() {
		return fuse.Status(syscall.ESTALE) // the kernel then looks the name up again
	}
	h := &handle{node: n, writable: writes(in.Flags), append: in.Flags&syscall.O_APPEND != 0}
	f.inodes.pin(n)
	if err := f.openRenamed(ctx, h, in.Flags); err != nil {
		f.inodes.unpin(n)
		return f.status("open", err)
	}
	if err := f.passThrough(h, in.Flags, out); err != nil {
		f.closeReader(h)
		f.inodes.unpin(n)
		return f.status("open", err)
	}
	return fuse.OK
}

// isStale: someone else has changed the object, and what was written here is kept
// aside. It stays what the handles have that are open, but the name is the other's:
// the next open must find what S3 holds (P2), also before the last of them is gone.
func (n *inode) isStale() bool {
	if !n.isUsed() {
		return false
	}
	n.lock()
	file := n.file
	n.unlock()
	return file != nil && file.Stale()
}

// opener opens files: it makes sure that a handle begins with the present version, and
// gives an inode its unsaved state.
type opener struct {
	*services
	*teller
	*finder
	*saver
	access *access
}

// openRenamed is openConfirmed, and opens the file under its new key if it was
// renamed meanwhile.
func (f *opener) openRenamed(ctx *request, h *handle, flags uint32) error {
	for {
		key := h.node.snapshot().Key
		err := f.openConfirmed(ctx, h, flags)
		again, werr := f.renamed(ctx, h.node, key, err)
		if werr != nil {
			return werr
		}
		if !again {
			return err
		}
	}
}

// openConfirmed is openVersion for a caller that the object's own attributes let in.
// O_TRUNC confirms that before it changes the file. All others confirm it after the
// request that revalidates the file, since that request brings the attributes.
func (f *opener) openConfirmed(ctx *request, h *handle, flags uint32) error {
	if flags&syscall.O_TRUNC != 0 {
		if err := f.access.confirmFile(ctx, h.node, ctx.caller); err != nil {
			return err
		}
		return f.openVersion(ctx, h, flags)
	}
	err := f.openVersion(ctx, h, flags)
	if err == nil {
		err = f.access.confirmFile(ctx, h.node, ctx.caller)
	}
	if err != nil {
		f.closeReader(h)
	}
	return err
}

// openVersion makes the inode and the handle ready for what flags ask.
func (f *opener) openVersion(ctx context.Context, h *handle, flags uint32) error {
	n := h.node
	if n.isBare() {
		return f.openBare(ctx, h)
	}
	if h.writable && flags&syscall.O_TRUNC != 0 {
		return f.truncate(ctx, n, 0)
	}
	if n.private() {
		return nil
	}
	if flags&syscall.O_ACCMODE == syscall.O_WRONLY {
		if err := f.revalidateByHead(ctx, n); err != nil {
			return err
		}
	} else if err := f.revalidateByGet(ctx, h); err != nil {
		return err
	}
	if n.hasShrunk() {
		f.closeReader(h)
		return syscall.ESTALE
	}
	return nil
}

// hasShrunk: the kernel believes in a larger size, and would read zeros behind
// the end. On ESTALE it looks the name up again, and then knows.
func (n *inode) hasShrunk() bool {
	if !n.isUsed() {
		return false
	}
	n.lock()
	defer n.unlock()
	return n.HasShrunk()
}

func (f *opener) revalidateByHead(ctx context.Context, n *inode) error {
	n.lock()
	old, asked, relies := n.snapshotLocked(), f.inodes.now(), f.relies(n)
	n.unlock()
	if relies {
		return nil
	}
	sent := time.Now()
	info, err := f.store.Head(ctx, &s3.HeadInput{Bucket: f.o.Bucket, Key: old.Key})
	if err != nil {
		return f.vanished(n, err)
	}
	if err := f.learned(ctx, n, old, info, asked); err != nil {
		return err
	}
	f.check(n, readahead.Version{Key: old.Key, ETag: info.ETag, Size: info.Size}, sent)
	return nil
}

// learned takes over what a HEAD or GET of an open told of a file.
func (f *opener) learned(ctx context.Context, n *inode, old entry.Entry, info *s3.ObjectInfo, asked ino.Moment) error {
	e := f.ns.FromInfo(info)
	f.ns.Observe(e)
	if e.Kind != n.kind {
		return syscall.ESTALE // the kernel looks the name up again, and finds the other kind
	}
	if err := f.learnAtOpen(ctx, n, e, asked); err != nil {
		return err
	}
	n.lock()
	n.ShrinkFrom(old.Size)
	if n.Entry().ETag == info.ETag {
		n.foreign = foreignOptions(info)
	}
	n.unlock()
	if e.ETag != old.ETag || e.Size != old.Size || !sameAccess(e.Attr, old.Attr) {
		f.refresh(n)
	}
	return nil
}

// sameAccess reports whether two sets of attributes show the same mode and owner.
func sameAccess(a, b entry.Attr) bool {
	return a.Perm == b.Perm && a.UID == b.UID && a.GID == b.GID
}

// learnAtOpen is learn for an open, which must see the version e (P2): attributes that
// wait are saved first. On ESTALE the kernel looks the name up again.
func (f *opener) learnAtOpen(ctx context.Context, n *inode, e entry.Entry, asked ino.Moment) error {
	n.lock()
	waits := n.Owes() && n.showsVersion() && !ino.SameVersion(n.Entry(), e)
	n.unlock()
	if waits {
		if err := f.flushAttrs(ctx, n); err != nil {
			return err
		}
		f.ns.Invalidate(e.Key)
	}
	if !f.learn(n, e, asked) {
		return syscall.ESTALE
	}
	return nil
}

func (f *opener) revalidateByGet(ctx context.Context, h *handle) error {
	n := h.node
	done, end, err := f.openUnchecked(ctx, h)
	if done || err != nil {
		return err
	}
	defer end()
	n.lock()
	old, epoch, asked := n.Entry(), n.Epoch(), f.inodes.now()
	n.unlock()
	sent := time.Now()
	open := f.reads.Open
	if !old.Exact && f.o.Posix != string(namespace.PosixOff) {
		open = f.reads.OpenWithInfo // the attributes of the object are not known
	}
	r, info, err := open(ctx, old.Key, versionOf(old))
	if err != nil {
		return f.vanished(n, err)
	}
	if info != nil {
		if err := f.learned(ctx, n, old, info, asked); err != nil {
			r.Close()
			return err
		}
	}
	h.reader, h.epoch = r, epoch
	f.check(n, r.Version(), sent)
	return nil
}

// vanished: when open finds no object, names that are cached for it are wrong.
func (f *opener) vanished(n *inode, err error) error {
	if absent(err) {
		f.ns.Invalidate(n.snapshot().Key)
		f.forgetName(n)
	}
	return err
}

// opened counts the handle and chooses how the kernel treats its pages.
//
// A file that is opened for writing only, by nobody else, goes past the page
// cache: that is 2.2 times as fast with large writes (3.1 against 1.3 GiB/s)
// and no slower with small ones. All other handles of the file then do the
// same until the last close, so that no page can be stale.
func (f *passer) opened(h *handle, flags uint32, out *fuse.OpenOut) {
	h.node.lock()
	defer h.node.unlock()
	f.openedLocked(h, flags, out)
}

// openedLocked is opened for callers that hold the inode's mu.
func (f *passer) openedLocked(h *handle, flags uint32, out *fuse.OpenOut) {
	n, etag := h.node, h.shows()
	if n.opens == 0 {
		n.direct = flags&syscall.O_ACCMODE == syscall.O_WRONLY
	}
	n.opens++
	if h.writable {
		n.writers++
	} else {
		out.OpenFlags |= fuse.FOPEN_NOFLUSH
	}
	switch {
	case n.direct:
		out.OpenFlags |= fuse.FOPEN_DIRECT_IO
	case n.file != nil || (n.Pages() != "" && n.Pages() == etag):
		out.OpenFlags |= fuse.FOPEN_KEEP_CACHE
	}
	if n.file == nil {
		n.SetPages(etag)
	}
	out.Fh = f.handles.addFile(h)
}

// shows returns the ETag of the version that reads of h get: not that of the entry if
// someone else has changed the object since h asked for it. The mu of its inode is held.
func (h *handle) shows() string {
	if v, ok := h.version(); ok {
		return v.ETag
	}
	return h.node.Entry().ETag
}

// isStale reports whether reads of h would get another version than that of the inode,
// which has become known while h was being opened. The mu of its inode is held.
func (h *handle) isStale() bool {
	v, ok := h.version()
	if !ok || h.node.file != nil || !h.node.IsLinked() {
		return false
	}
	e := h.node.Entry()
	return v.Size != e.Size || v.ETag != "" && e.ETag != "" && ino.OpaqueTag(v.ETag) != ino.OpaqueTag(e.ETag)
}

// version returns the version that reads of h get, once it has been read or asked for.
// The mu of its inode is held.
func (h *handle) version() (v readahead.Version, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.reader == nil || h.epoch != h.node.Epoch() {
		return v, false
	}
	return h.reader.Version(), true
}

// dirty returns the file that takes the inode's writes; The inode is locked.
func (f *opener) dirty(n *inode) *writeback.File { return f.dirtyOn(n, versionOf(n.Entry())) }

// dirtyThrough is dirty for a write through h. It is built on the version that h
// reads, although the mount may have heard of a newer one: the commit is then
// refused, since who wrote has not seen that one (P3). The inode's mu is held.
func (f *opener) dirtyThrough(h *handle) *writeback.File {
	v, ok := h.version()
	if !ok {
		v = versionOf(h.node.Entry())
	}
	return f.dirtyOn(h.node, v)
}

func (f *opener) dirtyOn(n *inode, v readahead.Version) *writeback.File {
	if n.file != nil {
		return n.file
	}
	base := writeback.Version{Key: v.Key, ETag: v.ETag, Size: v.Size}
	if v == versionOf(n.Entry()) {
		base.VersionID = n.Entry().VersionID
	}
	n.base = f.reads.OpenVersion(v)
	n.file = f.writes.Open(writeback.OpenInput{Key: n.Key(), Base: &base, Reader: n.base,
		Object: f.objectOptions(n), Turn: n.turns().commit.try})
	return n.file
}
