package fs

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"

	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/s3mount/s3mount/fs/entry"
	ino "github.com/s3mount/s3mount/fs/inode"
	"github.com/s3mount/s3mount/s3"
)

// Unlink takes a name away. What is open stays readable and writable (P7).
func (f *filesystem) Unlink(cancel <-chan struct{}, h *fuse.InHeader, name string) fuse.Status {
	ctx := newRequest(cancel, h)
	defer ctx.end()
	dir, st := f.writableDir(ctx, h.NodeId)
	if st != fuse.OK {
		return st
	}
	n, err := f.resolve(ctx, dir, name)
	if err != nil {
		return f.status("unlink", err)
	}
	defer f.inodes.unpin(n)
	if n.kind == entry.Directory {
		return fuse.EISDIR
	}
	if err := f.access.confirmSticky(ctx, dir, n, h.Caller); err != nil {
		return f.status("unlink", err)
	}
	if err := n.claim(ctx); err != nil {
		return f.status("unlink", err)
	}
	defer n.turns().commit.give()
	noted := f.noteRemoval(n)
	n.beginTaking()
	detached := f.detach(ctx, n)
	// Before the DELETE: a PUT under way must not come after it.
	discarded, written := n.discard()
	detached = discarded || detached
	if n.isSaved() || written {
		unlink := f.ns.Unlink
		if f.runs.goOn(h.Pid) {
			unlink = f.ns.UnlinkInRun
		}
		err = unlink(ctx, dir.snapshot(), name, n.snapshot())
	}
	f.runs.removed(h.Pid)
	if err != nil && !absent(err) {
		noted.Done()
		if detached {
			f.cutOff(n)
		}
		return f.status("unlink", err)
	}
	err = f.whenDeleted(ctx, n.snapshot(), noted)
	f.gone(n)
	dir.relisted()
	return f.status("unlink", err)
}

// discard ends all writing of the unsaved state to S3. It tells whether there
// was any, and whether a commit may have made an object of it.
func (n *inode) discard() (had, written bool) {
	n.lock()
	file := n.file
	n.unlock()
	if file == nil {
		return false, false
	}
	return true, file.Discard()
}

// beginTaking is called before a name is taken off its inode. From then on
// changed tells whether there are bytes that S3 does not hold.
func (n *inode) beginTaking() {
	n.lock()
	defer n.unlock()
	if n.file != nil && !n.file.Dirty() {
		n.changed = false
	}
}

// unlinker takes inodes off their names, and gives them new ones.
type unlinker struct {
	*services
	*teller
	*finder
	*saver
	*opener
}

// cutOff leaves an inode behind whose name is still there: an unlink or a rename of it
// failed, or someone else has written the object since. The kernel looks the name up
// again.
func (f *unlinker) cutOff(n *inode) {
	dir, name := f.inodes.parentOf(n)
	if f.leaveBehind(n) { // else the name was gone before something else failed
		f.forgetDentry(dir, name)
	}
}

// errCut is why the bytes of such a file are kept aside.
var errCut = errors.New("the name is that of another version")

// isLost: bytes were written that are not saved, under a name that still is there.
func (n *inode) isLost() bool {
	if !n.isUsed() {
		return false
	}
	n.lock()
	defer n.unlock()
	return n.IsCut() && n.changed
}

func (n *inode) isSaved() bool {
	if !n.isUsed() {
		return true
	}
	n.lock()
	defer n.unlock()
	return n.IsStored()
}

// gone marks an inode whose name is gone.
func (f *finder) gone(n *inode) {
	n.lock()
	n.Unlink()
	key, file := n.Key(), n.file
	noted := n.takeNoted()
	if n.hidden != nil {
		n.Learn(ino.Hidden, *n.hidden, ino.Situation{})
	}
	n.unlock()
	noted.Done()
	if file != nil {
		file.Discard()
		f.ns.DropPending(key, n)
	}
	f.inodes.remove(n)
}

// Rmdir removes an empty directory.
func (f *filesystem) Rmdir(cancel <-chan struct{}, h *fuse.InHeader, name string) fuse.Status {
	ctx := newRequest(cancel, h)
	defer ctx.end()
	dir, st := f.writableDir(ctx, h.NodeId)
	if st != fuse.OK {
		return st
	}
	n, err := f.resolve(ctx, dir, name)
	if err != nil {
		return f.status("rmdir", err)
	}
	defer f.inodes.unpin(n)
	if n.kind != entry.Directory {
		return fuse.ENOTDIR
	}
	if err := f.access.confirmSticky(ctx, dir, n, h.Caller); err != nil {
		return f.status("rmdir", err)
	}
	if err := n.turns().commit.take(ctx); err != nil {
		return f.status("rmdir", err)
	}
	defer n.turns().commit.give()
	noted := f.noteRemoval(n)
	rmdir := f.ns.Rmdir
	if f.runs.goOn(h.Pid) && h.Pid != 0 && dir.listedBy.Load() == h.Pid {
		rmdir = f.ns.RmdirInRun
	}
	err = rmdir(ctx, dir.snapshot(), name, n.snapshot())
	f.runs.removed(h.Pid)
	if err != nil {
		noted.Done()
		return f.status("rmdir", err)
	}
	err = f.whenDeleted(ctx, n.snapshot(), noted)
	f.gone(n)
	dir.relisted()
	return f.status("rmdir", err)
}

// keepWhole is the size in bytes up to which the content of an unlinked open
// file is taken into memory or the spool: below it a GET costs less than the
// copy and the delete of a hidden object.
const keepWhole = 1 << 20

// zerosPrefix holds the zeros that holes of files are copied from, below the
// mount's prefix.
const zerosPrefix = ".s3mount/zeros/"

// hiddenPrefix holds the bytes of open files without a name, below the mount's
// prefix. Nothing there is of use once the mount is gone.
const hiddenPrefix = ".s3mount/unlinked/"

// detach makes an open file independent of its key, which is about to be
// deleted or replaced. The caller has the inode's turn. Where it fails the
// readers will see ESTALE, which is no reason to refuse the removal. It tells
// whether there was something to do.
func (f *unlinker) detach(ctx context.Context, n *inode) bool {
	n.lock()
	e, open, saved, whole := n.snapshotLocked(), n.opens > 0, n.IsStored(), n.file != nil && n.file.Version() == nil
	n.unlock()
	if !open || !saved || whole || n.kind != entry.File {
		return false
	}
	var err error
	if e.Size <= keepWhole {
		err = f.takeIn(ctx, n)
	} else {
		err = f.hide(ctx, n)
	}
	if err != nil {
		f.log.Warn("an open file lost its bytes with its name", slog.String("key", e.Key), slog.Any("error", err))
	}
	return true
}

// takeIn reads the whole content into unsaved state that is never saved. Handles
// may write at the same time.
func (f *unlinker) takeIn(ctx context.Context, n *inode) error {
	n.lock()
	file := f.dirty(n)
	n.unlock()
	file.Discard()
	return file.DetachBase(ctx)
}

// hide copies the object inside S3 to a key of its own until the last close.
func (f *unlinker) hide(ctx context.Context, n *inode) error {
	n.lock()
	e := n.Entry()
	n.unlock()
	to := e
	to.Key = f.o.Prefix + hiddenPrefix + rand.Text()
	out, err := f.store.Copy(ctx, &s3.CopyInput{
		SrcBucket: f.o.Bucket, SrcKey: e.Key, SrcIf: s3.Conditions{IfMatch: e.ETag}, SrcSize: e.Size,
		Bucket: f.o.Bucket, Key: to.Key,
	})
	if err != nil {
		return fmt.Errorf("keep the bytes of an open file: %w", err)
	}
	to.ETag, to.VersionID, to.LastModified = out.ETag, out.VersionID, out.LastModified
	n.lock()
	defer n.unlock()
	f.reads.Move(versionOf(e), versionOf(to))
	n.hidden = &to
	return nil
}

// dropHidden deletes the bytes of a file that had no name.
func (f *saver) dropHidden(ctx context.Context, key string) {
	if _, err := f.store.Delete(ctx, &s3.DeleteInput{Bucket: f.o.Bucket, Key: key}); err != nil {
		f.log.Warn("cannot delete the bytes of an unlinked file", slog.String("key", key), slog.Any("error", err))
	}
}
