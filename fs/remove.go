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

// Unlink removes a name. Open files stay readable and writable (P7).
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
	// A PUT in progress must end before the DELETE.
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

// discard ends the upload of unsaved data. had reports whether there were any, and
// written whether a commit may have created an object.
func (n *inode) discard() (had, written bool) {
	n.lock()
	file := n.file
	n.unlock()
	if file == nil {
		return false, false
	}
	return true, file.Discard()
}

// beginTaking is called before an inode loses its name. From then on changed reports
// whether there are data that S3 does not have.
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

// cutOff leaves an inode behind whose name still exists, because its unlink or rename
// failed or another client has written the object. The kernel looks the name up again.
func (f *unlinker) cutOff(n *inode) {
	dir, name := f.inodes.parentOf(n)
	if f.leaveBehind(n) { // otherwise the name was already gone
		f.forgetDentry(dir, name)
	}
}

// errCut is the reason for saving the data of such a file locally.
var errCut = errors.New("the name is that of another version")

// isLost reports whether the inode has unsaved data and its name belongs to another
// inode.
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

// gone updates an inode that has lost its name.
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

// keepWhole is the largest size in bytes of an unlinked open file whose content is read
// into memory or the spool. For such files a GET costs less than the copy and the
// delete of a hidden object.
const keepWhole = 1 << 20

// zerosPrefix is the prefix of objects of zeros, from which holes of files are copied.
// It is below the prefix of the mount.
const zerosPrefix = ".s3mount/zeros/"

// hiddenPrefix is the prefix of the data of open files without a name, below the prefix
// of the mount. These objects are useless after the end of the mount.
const hiddenPrefix = ".s3mount/unlinked/"

// detach makes an open file independent of its key, which is about to be deleted or
// replaced. The caller has the turn of the inode. If detach fails, readers get ESTALE,
// but the removal continues. detach returns false if there was nothing to do.
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

// takeIn reads the whole content into unsaved state that is never uploaded. Handles may
// write at the same time.
func (f *unlinker) takeIn(ctx context.Context, n *inode) error {
	n.lock()
	file := f.dirty(n)
	n.unlock()
	file.Discard()
	return file.DetachBase(ctx)
}

// hide copies the object inside S3 to a hidden key, which is deleted at the last close.
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

// dropHidden deletes the object of a file without a name.
func (f *saver) dropHidden(ctx context.Context, key string) {
	if _, err := f.store.Delete(ctx, &s3.DeleteInput{Bucket: f.o.Bucket, Key: key}); err != nil {
		f.log.Warn("cannot delete the bytes of an unlinked file", slog.String("key", key), slog.Any("error", err))
	}
}
