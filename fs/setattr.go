package fs

import (
	"context"
	"errors"
	"log/slog"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/s3mount/s3mount/fs/entry"
	ino "github.com/s3mount/s3mount/fs/inode"
	"github.com/s3mount/s3mount/fs/namespace"
	"github.com/s3mount/s3mount/fs/writeback"
	"github.com/s3mount/s3mount/s3"
)

// SetAttr handles chmod, chown, utimens and truncate.
func (f *filesystem) SetAttr(cancel <-chan struct{}, in *fuse.SetAttrIn, out *fuse.AttrOut) fuse.Status {
	ctx := newRequest(cancel, &in.InHeader)
	defer ctx.end()
	n := f.inodes.get(in.NodeId)
	if n == nil {
		return fuse.ENOENT
	}
	if f.o.ReadOnly {
		return fuse.EROFS
	}
	f.runs.changed(in.Pid)
	if _, open := in.GetFh(); !open && n.isCut() {
		return fuse.Status(syscall.ESTALE) // the kernel then looks the name up again
	}
	if size, ok := in.GetSize(); ok {
		fh, open := in.GetFh()
		if !open { // the access of a handle was checked at its open
			if err := f.access.confirmFile(ctx, n, in.Caller); err != nil {
				return f.status("truncate", err)
			}
		}
		if h := f.handles.file(fh); open && h != nil {
			h.wroteUnknown()
		}
		if err := f.resize(ctx, n, int64(size), open); err != nil {
			return f.status("truncate", err)
		}
	}
	if in.Valid&attrsInValid != 0 {
		if err := f.access.confirmOwner(ctx, n, in.Caller); err != nil {
			return f.status("setattr", err)
		}
		// Unchanged attributes must be those of the object, not those of a listing.
		if err := f.exactly(ctx, n); err != nil {
			return f.status("setattr", err)
		}
		before := n.snapshot().Attr
		if n.applyAttr(in) {
			if err := f.keepAttrs(ctx, n, before); err != nil {
				return f.status("setattr", err)
			}
		} else {
			n.stamp()
		}
	}
	f.fillAttrOut(n, in.Caller, out)
	return fuse.OK
}

// attrsInValid contains the bits of fuse.SetAttrIn.Valid for the attributes that
// applyAttr changes.
const attrsInValid = fuse.FATTR_MODE | fuse.FATTR_UID | fuse.FATTR_GID | fuse.FATTR_MTIME | fuse.FATTR_ATIME

// applyAttr sets the attributes in the request and reports whether any has changed.
func (n *inode) applyAttr(in *fuse.SetAttrIn) bool {
	n.lock()
	defer n.unlock()
	a := n.Entry().Attr
	if mode, ok := in.GetMode(); ok {
		a.Perm = mode
	}
	if uid, ok := in.GetUID(); ok {
		a.UID = uid
	}
	if gid, ok := in.GetGID(); ok {
		a.GID = gid
	}
	if t, ok := in.GetMTime(); ok {
		a.Mtime = t
		n.listed = time.Time{}
		n.SetTimes()
	}
	if t, ok := in.GetATime(); ok {
		a.Atime = t
	}
	if a == n.Entry().Attr {
		return false
	}
	a.Ctime = time.Now()
	n.SetAttr(a)
	return true
}

// stamp sets a new ctime that is not saved to S3: after a rename, or after a chmod to
// the same mode as cp, tar and rsync do it. A ctime alone is not worth a request.
func (n *inode) stamp() {
	n.lock()
	defer n.unlock()
	n.stamped = time.Now()
}

// keepAttrs saves changed attributes to S3: with the next PUT of the file if one is
// due, or after a short delay if S3 is expected to accept them (permitted). Otherwise
// it waits for S3. If S3 refuses the change, keepAttrs restores the previous
// attributes.
func (f *saver) keepAttrs(ctx context.Context, n *inode, before entry.Attr) error {
	n.lock()
	n.Owe()
	e, saved, unlinked, survives := n.Entry(), n.IsStored(), !n.IsLinked(), n.survives()
	rides := n.file != nil && n.file.Dirty()
	n.unlock()
	journaled := f.o.Durability == durabilityJournal
	if unlinked || n == f.inodes.root {
		return nil
	}
	if saved {
		f.ns.Observe(e)
	}
	switch {
	case rides && journaled && survives:
		f.noteAttrs(n)
		return nil
	case rides:
		return nil
	case !survives, (journaled || f.permits.has(e.Key)) && f.noteAttrs(n):
		f.attrs.add(n)
		return nil
	}
	return f.storeAttrs(ctx, n, before)
}

// storeAttrs waits until S3 has the attributes of n. It returns an error after a
// refusal and if the server does not answer. It returns nil if the server cannot store
// attributes, because copy tools must work on every server.
func (f *saver) storeAttrs(ctx context.Context, n *inode, before entry.Attr) error {
	err := f.flushAttrs(ctx, n)
	if err == nil {
		return nil
	}
	if errno := errnoOf(err); errno != syscall.EACCES && errno != syscall.EINTR && !errors.Is(err, s3.ErrTransient) {
		return nil // it was logged
	}
	n.lock()
	defer n.unlock()
	if !n.Owes() {
		n.SetAttr(before)
	}
	return err
}

// flushAttrs returns when S3 has the attributes of n.
func (f *saver) flushAttrs(ctx context.Context, n *inode) error {
	n.lock()
	idle := !n.Owes() || !n.IsLinked() || n == f.inodes.root
	n.unlock()
	if idle {
		return nil
	}
	return n.inTurn(ctx, func() error { return f.flushAttrsNow(ctx, n) })
}

// flushAttrsNow is flushAttrs for callers that have the turn of the inode.
func (f *saver) flushAttrsNow(ctx context.Context, n *inode) error {
	f.takeSaved(n)
	n.lock()
	e := n.Entry()
	if !n.Owes() || !n.IsLinked() || !n.IsStored() || (n.file != nil && n.file.Dirty()) {
		n.unlock()
		return nil // nothing to do, or the commit carries them
	}
	n.sent = &e.Attr
	n.unlock()

	to, same, err := f.writeAttrs(ctx, e)
	n.lock()
	n.sent = nil
	n.unlock()
	f.permits.changedAttrs(e.Key, err)
	if f.isRetryable(ctx, err) {
		f.log.Warn("cannot save attributes yet; they are in the journal", slog.String("key", e.Key), slog.Any("error", err))
		if f.ending.Err() == nil {
			f.attrs.add(n)
		}
		return err
	}
	if err != nil && ctx.Err() != nil {
		f.attrs.add(n) // the caller no longer waits
		return err
	}
	n.lock()
	if err != nil {
		defer n.takeNoted().Done()
		n.Refuse()
		n.unlock()
		f.ns.Invalidate(e.Key)
		f.refresh(n)
		f.log.Warn("cannot save attributes", slog.String("key", e.Key), slog.Any("error", err))
		return err
	}
	if n.Entry().Attr == e.Attr {
		n.Settle()
		defer n.takeNoted().Done()
	}
	if !same {
		n.Learn(ino.Replaced, to, ino.Situation{At: f.inodes.next(), Open: n.opens > 0, Unsaved: n.file != nil})
		n.unlock()
		f.refresh(n)
		return nil
	}
	f.moved(n, to)
	n.unlock()
	return nil
}

// writeAttrs saves the attributes of an entry to S3. same is false if another client
// has written the object.
func (f *saver) writeAttrs(ctx context.Context, e entry.Entry) (to entry.Entry, same bool, err error) {
	to, err = f.ns.SetAttr(ctx, e, e.Attr)
	if !errors.Is(err, namespace.ErrStale) {
		return to, true, err
	}
	// Another client wrote the object. The new version gets the attributes.
	now, err := f.ns.Stat(ctx, e)
	if err != nil {
		return now, false, err
	}
	same = now.ETag == e.ETag && now.Size == e.Size
	to, err = f.ns.SetAttr(ctx, now, e.Attr)
	return to, same, err
}

// resize sets the size of a file. A file that is not open is saved at once.
func (f *filesystem) resize(ctx context.Context, n *inode, size int64, open bool) error {
	if n.kind != entry.File {
		return syscall.EINVAL
	}
	if n.isGhost() {
		return syscall.ESTALE
	}
	if !open {
		if err := f.beginWriting(ctx, n); err != nil {
			return err
		}
		defer f.endWriting(ctx, n)
	}
	if !open && size > 0 && !n.private() {
		if err := f.revalidateByHead(ctx, n); err != nil {
			return err
		}
	}
	if err := f.truncate(ctx, n, size); err != nil {
		return err
	}
	if open {
		return nil
	}
	return f.commit(ctx, n)
}

// beginWriting keeps the unsaved state for a write without a handle, until endWriting.
func (f *saver) beginWriting(ctx context.Context, n *inode) error {
	if err := n.turns().closing.take(ctx); err != nil {
		return err
	}
	defer n.turns().closing.give()
	n.lock()
	defer n.unlock()
	n.writers++
	return nil
}

// endWriting lets the unsaved state go, unless there is another writer.
func (f *saver) endWriting(ctx context.Context, n *inode) {
	n.lock()
	n.writers--
	n.unlock()
	f.letGoInBackground(ctx, n)
}

// truncate sets the size in the unsaved state. A size of 0 is a full replacement:
// nothing of the old version is kept, so the commit has no condition (P3).
func (f *opener) truncate(ctx context.Context, n *inode, size int64) error {
	n.lock()
	fresh := size == 0 && n.file == nil && n.IsLinked()
	if fresh {
		n.foreign = nil
		in := writeback.OpenInput{Key: n.Key(), Object: f.objectOptions(n), Turn: n.turns().commit.try}
		if n.IsStored() {
			in.Replaces = n.Entry().ETag
		}
		n.file = f.writes.Open(in)
	}
	file, key := f.dirty(n), n.Key()
	n.touch()
	n.changed = n.changed && !fresh
	n.unlock()
	if fresh {
		f.showPending(n, key)
		return nil
	}
	if err := f.space.reserve(size - file.Size()); err != nil {
		return err
	}
	return file.Truncate(ctx, size)
}

// touch records a change of the content by this mount. The inode is locked.
func (n *inode) touch() {
	n.Touch(time.Now())
	n.changed = true
}
