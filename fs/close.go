package fs

import (
	"context"
	"log/slog"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/s3mount/s3mount/cache"
	"github.com/s3mount/s3mount/fs/writeback"
)

// Flush handles close(2). It returns when S3 has the file (P1). It does nothing if
// other processes have written through the handle and the caller has not (inherited.go).
func (f *filesystem) Flush(cancel <-chan struct{}, in *fuse.FlushIn) fuse.Status {
	if h := f.handles.file(in.Fh); h != nil && h.isBystander(in.LockOwner) {
		return fuse.OK
	}
	return f.save(cancel, &in.InHeader, in.Fh, "close")
}

// Fsync handles fsync(2) and fdatasync(2).
func (f *filesystem) Fsync(cancel <-chan struct{}, in *fuse.FsyncIn) fuse.Status {
	return f.save(cancel, &in.InHeader, in.Fh, "fsync")
}

func (f *filesystem) save(cancel <-chan struct{}, in *fuse.InHeader, fh uint64, op string) fuse.Status {
	h := f.handles.file(fh)
	if h == nil {
		return fuse.EBADF
	}
	ctx := newRequest(cancel, in)
	defer ctx.end()
	if op == "close" && h.node.isUnwritten() && heldOpen(in.Pid, h.node.id) {
		return fuse.OK // another descriptor is open; its close saves the file
	}
	if op == "close" && f.o.Durability == durabilityJournal && !h.node.isLost() {
		return f.status(op, f.persistInTurn(ctx, h.node))
	}
	err := f.saveAtClose(ctx, h.node, op)
	if err == nil && h.writable && h.node.isLost() {
		err = syscall.ESTALE
	}
	if err == nil && op == "fsync" {
		err = f.flushAttrs(ctx, h.node)
	}
	return f.status(op, err)
}

// saveAtClose commits a file for close(2) or fsync(2). It measures how long the close of a small
// file waits.
func (f *filesystem) saveAtClose(ctx context.Context, n *inode, op string) error {
	if op != "close" || !n.hasSmallChange() {
		return f.commit(ctx, n)
	}
	f.closes.begin()
	defer f.closes.end(time.Now())
	return f.commit(ctx, n)
}

// hasSmallChange reports whether a file of at most 1 MiB has bytes that S3 does not hold.
func (n *inode) hasSmallChange() bool {
	if !n.isUsed() {
		return false
	}
	n.lock()
	defer n.unlock()
	return n.file != nil && n.file.Dirty() && n.file.Size() <= cache.SmallObject
}

// Release ends a handle after its last close. Pages that were written through a mapping
// arrive after that close, so Release saves unsaved data.
func (f *filesystem) Release(_ <-chan struct{}, in *fuse.ReleaseIn) {
	h := f.handles.removeFile(in.Fh)
	if h == nil {
		return
	}
	n := h.node
	f.closeReader(h)

	n.lock()
	n.opens--
	if h.writable {
		n.writers--
		n.saving++
	}
	var idle *backing
	if n.opens == 0 {
		idle, n.backing = n.backing, nil
	}
	n.unlock()
	f.unregister(idle)
	if h.writable && f.o.Durability == durabilityJournal {
		f.watching.Go(func() { f.released(h, n) }) // the kernel limits the number of waiting requests
		return
	}
	f.released(h, n)
}

// released saves unsaved data after the end of a handle and then calls letGo.
func (f *filesystem) released(h *handle, n *inode) {
	defer f.inodes.unpin(n)
	if h.writable {
		defer n.endSaving()
	}
	switch {
	case !h.writable && n.isSavePending():
		return // the end of the handle that wrote does it
	case h.writable && !f.linger(n):
		return // the end of the newer handle does it
	case h.writable:
		f.saveReleased(n)
	}
	ctx, stop := background()
	defer stop()
	f.letGo(ctx, n)
}

// isSavePending reports whether the end of a handle that wrote is about to save the
// file. Until then the unsaved state must not be let go.
func (n *inode) isSavePending() bool {
	n.lock()
	defer n.unlock()
	return n.saving > 0 && n.file != nil && n.IsLinked() && !n.isCurrent()
}

// endSaving records that the end of a handle that wrote has saved the file.
func (n *inode) endSaving() {
	n.lock()
	defer n.unlock()
	n.saving--
}

// linger waits while the journal holds the file back. It returns false if another
// handle writes the file, so that there is nothing left to do.
func (f *saver) linger(n *inode) bool {
	n.lock()
	file := n.file
	n.unlock()
	if file == nil || f.o.Durability != durabilityJournal {
		return true
	}
	file.Linger(f.ending)
	n.lock()
	defer n.unlock()
	return n.writers == 0
}

// saveReleased saves a file without handles. If the journal has the content,
// saveReleased retries until S3 has it, S3 refuses it permanently, or the mount ends.
// The inode shows the content in the meantime.
func (f *saver) saveReleased(n *inode) {
	const longest = time.Minute // longest pause between two attempts; it is short enough to notice soon that S3 works again
	for wait := time.Second; ; wait = min(2*wait, longest) {
		err := f.saveOnce(n)
		if err == nil {
			return
		}
		log := f.log.With(slog.String("key", n.snapshot().Key), slog.Any("error", err))
		if !n.inJournal() {
			log.Error("cannot save a file that no program has open any more")
			return
		}
		log.Warn("cannot save a file yet; it is in the journal")
		select {
		case <-time.After(wait):
		case <-f.ending.Done():
			return
		}
	}
}

// saveOnce is one attempt of saveReleased.
func (f *saver) saveOnce(n *inode) error {
	ctx, stop := background()
	defer stop()
	return f.commit(ctx, n)
}

// inJournal reports whether the journal has the unsaved data of the inode.
func (n *inode) inJournal() bool {
	n.lock()
	file := n.file
	n.unlock()
	return file != nil && file.Dirty() && !file.Stale() && file.InJournal()
}

func (f *opener) closeReader(h *handle) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.reader != nil {
		h.reader.Close()
		h.reader = nil
	}
}

// letGoInBackground is letGo for a request without a handle. If ctx ends, it returns at
// once, and the work continues. Until then the inode shows the unsaved state, so that
// later writes are not based on an older one.
func (f *saver) letGoInBackground(ctx context.Context, n *inode) {
	f.inodes.pin(n)
	done := make(chan struct{})
	f.watching.Go(func() {
		defer close(done)
		defer f.inodes.unpin(n)
		work, stop := background()
		defer stop()
		if ctx.Err() != nil {
			f.saveReleased(n)
		}
		f.letGo(work, n)
	})
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// letGo drops the unsaved state of an inode, unless a handle or the journal still needs
// it.
func (f *saver) letGo(ctx context.Context, n *inode) {
	if n.turns().closing.take(ctx) != nil {
		return
	}
	defer n.turns().closing.give()
	if n.turns().commit.take(ctx) != nil {
		return
	}
	defer n.turns().commit.give()
	referenced := f.inodes.isReferenced(n)
	n.lock()
	file, base, hidden := n.file, n.base, n.hidden
	waits := file != nil && file.InJournal() && file.Dirty() && !file.Stale() && f.ending.Err() == nil
	if waits || n.writers > 0 || !n.IsLinked() && (n.opens > 0 || referenced && !n.IsCut()) {
		n.unlock()
		return
	}
	unsaved := n.IsCut() && n.changed
	n.file, n.base, n.changed = nil, nil, false
	if n.opens == 0 {
		n.hidden = nil
	} else {
		hidden = nil
	}
	n.unlock()

	if file != nil && unsaved {
		file.Keep(errCut)
	}
	if file != nil {
		f.closeFile(ctx, n, file)
	}
	if base != nil {
		base.Close()
	}
	if hidden != nil {
		f.dropHidden(ctx, hidden.Key)
	}
}

// closeFile closes a writeback.File. If its data could not be saved, they are in the
// recovery directory, and the inode shows the object in S3 again.
func (f *saver) closeFile(ctx context.Context, n *inode, file *writeback.File) {
	ctx, stop := f.untilEnding(ctx)
	err := file.Close(ctx)
	stop()
	n.lock()
	n.NextEpoch()
	e, unlinked := n.Entry(), !n.IsLinked()
	lost := err != nil || n.conflict
	n.conflict = false
	if lost {
		n.SetPages("")
	}
	// There is no object, unless another handle has begun to write the file again.
	ghost := lost && n.file == nil && n.Vanish()
	n.unlock()
	if unlinked {
		return
	}
	if v := file.Version(); !lost && v != nil && v.ETag != e.ETag {
		f.committed(n, *v) // Close has saved data that an earlier commit could not save
	}
	f.ns.DropPending(e.Key, n)
	if err != nil {
		f.log.Error("a file could not be saved", slog.String("key", e.Key), slog.Any("error", err))
	}
	if lost {
		f.ns.Invalidate(e.Key)
		f.forgetName(n)
	}
	if ghost {
		f.inodes.remove(n)
	}
}
