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

// Flush answers close(2): it returns when S3 holds the file (P1), unless all that
// was written is of others, who still have it open.
func (f *filesystem) Flush(cancel <-chan struct{}, in *fuse.FlushIn) fuse.Status {
	if h := f.handles.file(in.Fh); h != nil && h.bystander(in.LockOwner) {
		return fuse.OK
	}
	return f.save(cancel, &in.InHeader, in.Fh, "close")
}

// Fsync answers fsync(2) and fdatasync(2).
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
	if op == "close" && h.node.untouched() && heldOpen(in.Pid, h.node.id) {
		return fuse.OK // a duplicate: the close that saves the file is still to come
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

// Release ends a handle, after the last close of it. Pages that were written
// through a mapping arrive after that close, so what is unsaved is saved here.
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
		f.watching.Go(func() { f.released(h, n) }) // the kernel lets only so many requests wait
		return
	}
	f.released(h, n)
}

// released saves what is unsaved after the end of a handle, and lets it go.
func (f *filesystem) released(h *handle, n *inode) {
	defer f.inodes.unpin(n)
	if h.writable {
		defer n.endSaving()
	}
	switch {
	case !h.writable && n.pending():
		return // to the end of the handle that wrote
	case h.writable && !f.linger(n):
		return // to that of the handle that writes since
	case h.writable:
		f.saveReleased(n)
	}
	ctx, stop := background()
	defer stop()
	f.letGo(ctx, n)
}

// pending: who wrote the file is about to save it. Until then the inode shows it
// by its unsaved state, which nobody else may let go.
func (n *inode) pending() bool {
	n.lock()
	defer n.unlock()
	return n.saving > 0 && n.file != nil && n.IsLinked() && !n.isCurrent()
}

// endSaving notes that a handle that wrote has come to its end.
func (n *inode) endSaving() {
	n.lock()
	defer n.unlock()
	n.saving--
}

// linger waits as long as the file is held back that the journal has. It tells
// whether there is something left to do: not if somebody writes the file again.
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

// saveReleased saves what nobody waits for any more. Content that the journal has
// is tried again until S3 holds it, S3 refuses it for good or the mount ends, and
// the inode shows it meanwhile.
func (f *saver) saveReleased(n *inode) {
	const longest = time.Minute // between two attempts: S3 is asked rarely enough, and found soon
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

// inJournal tells whether the journal has what is unsaved of the inode.
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

// settle is letGo for the end of a request that has no handle. Who is interrupted
// does not wait. The work goes on, and until it is done the inode shows the unsaved
// state, so that what others write is not built on an older one.
func (f *saver) settle(ctx context.Context, n *inode) {
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

// letGo lets the unsaved state of an inode go once nobody can add to it.
func (f *saver) letGo(ctx context.Context, n *inode) {
	if n.turns().settling.take(ctx) != nil {
		return
	}
	defer n.turns().settling.give()
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

// closeFile ends a writeback.File. If its bytes could not be saved they are in
// the recovery directory, and the inode shows again what S3 holds.
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
	// S3 has nothing of it, unless someone has begun to write it anew.
	ghost := lost && n.file == nil && n.Vanish()
	n.unlock()
	if unlinked {
		return
	}
	if v := file.Version(); !lost && v != nil && v.ETag != e.ETag {
		f.committed(n, *v) // closing has saved what an earlier commit could not
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
