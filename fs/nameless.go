package fs

import (
	"context"
	"errors"
	"syscall"

	"github.com/s3mount/s3mount/fs/readahead"
)

// An inode whose name was removed or replaced keeps its content for as long as
// something can read it: an open handle, or an OPEN that the kernel has sent before
// it heard of the change (P7). So the content stays until the last handle is closed
// and the kernel has forgotten the inode.

// isReferenced tells whether the kernel can still name the inode.
func (t *inodes) isReferenced(n *inode) bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return n.nlookup > 0
}

// forgotten releases the content of an inode that nothing refers to any more. It is
// called with inodes.mu held, and so leaves the work to the background.
func (f *saver) forgotten(n *inode) {
	if !n.isUsed() {
		return
	}
	n.lock()
	holds := !n.IsLinked() && (n.file != nil || n.hidden != nil)
	n.unlock()
	if !holds {
		return
	}
	f.watching.Go(func() {
		ctx, stop := background()
		defer stop()
		f.letGo(ctx, n)
	})
}

// isBare tells whether the inode has lost its name, and has no content of its own.
func (n *inode) isBare() bool {
	if !n.isUsed() {
		return false
	}
	n.lock()
	defer n.unlock()
	return !n.IsLinked() && n.file == nil && n.hidden == nil
}

// openBare opens an inode that is bare, if S3 still has its version. Otherwise the
// error is ESTALE, on which the kernel looks the name up again.
func (f *opener) openBare(ctx context.Context, h *handle) error {
	n := h.node
	n.lock()
	e, epoch := n.Entry(), n.Epoch()
	n.unlock()
	if h.writable || e.ETag == "" {
		return syscall.ESTALE
	}
	r, info, err := f.reads.Open(ctx, e.Key, versionOf(e))
	switch {
	case absent(err), errors.Is(err, readahead.ErrStale):
		return syscall.ESTALE
	case err != nil:
		return err
	case info != nil && info.ETag != e.ETag:
		r.Close()
		return syscall.ESTALE
	}
	h.reader, h.epoch = r, epoch
	return nil
}
