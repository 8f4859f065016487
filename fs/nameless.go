package fs

import (
	"context"
	"errors"
	"syscall"

	"github.com/s3mount/s3mount/fs/readahead"
)

// An inode whose name was removed or replaced keeps its content while an open handle
// can read it, or an OPEN that the kernel has sent before it got the answer (P7). The
// content stays until the last handle is closed and the kernel has forgotten the inode.

// isReferenced reports whether the kernel has references to the inode.
func (t *inodes) isReferenced(n *inode) bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return n.nlookup > 0
}

// forgotten releases the content of an inode without references. inodes.mu is held, so
// the work runs in the background.
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

// isBare reports whether the inode has lost its name and has no content.
func (n *inode) isBare() bool {
	if !n.isUsed() {
		return false
	}
	n.lock()
	defer n.unlock()
	return !n.IsLinked() && n.file == nil && n.hidden == nil
}

// openBare opens a bare inode, if S3 still has its version. Otherwise it returns
// ESTALE, after which the kernel looks the name up again.
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
