package fs

import (
	"log/slog"
	"os"
	"sync"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/s3mount/s3mount/fs/readahead"
)

// Passthrough: the kernel reads a file of the disk cache by itself, at the
// speed of the local disk, and this process sees no READ any more
// (https://docs.kernel.org/filesystems/fuse/fuse-passthrough.html).
//
// The kernel binds the backing file to the inode: as long as one handle is in
// this mode, every open of the inode must be, of the same file, and a mapping
// is always one of the backing file. So such an inode can neither be written
// through a mapping nor show a write to the handles that are open, both of
// which P4 promises. That is why only read-only mounts pass through. When the
// object has changed in S3, the inode stays what its handles have open, without
// a name, and the name gets a new inode for the new version.

// backingFiles is what go-fuse offers for passthrough; *fuse.Server meets it.
type backingFiles interface {
	RegisterBackingFd(m *fuse.BackingMap) (int32, syscall.Errno)
	UnregisterBackingFd(id int32) syscall.Errno
}

// backing is a file of the disk cache that the kernel knows by id.
type backing struct {
	id      int32
	file    *os.File // its lock keeps the bytes
	version readahead.Version
}

// passer passes files that are in the disk cache to the kernel.
type passer struct {
	*services
	kernel backingFiles // reads the disk cache; nil where passThrough must not
}

// usePassthrough lets the kernel read the disk cache, where that can be: for
// root only, see above for the rest.
func (f *passer) usePassthrough(kernel backingFiles) {
	if f.o.ReadOnly && f.o.CacheDir != "" && os.Geteuid() == 0 {
		f.kernel = &tried{backingFiles: kernel, log: f.log}
	}
}

// tried asks the kernel until it refuses once: then it cannot.
type tried struct {
	backingFiles
	log *slog.Logger

	mu      sync.Mutex
	refused syscall.Errno
}

// RegisterBackingFd is that of go-fuse.
func (k *tried) RegisterBackingFd(m *fuse.BackingMap) (int32, syscall.Errno) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.refused != 0 {
		return 0, k.refused
	}
	id, errno := k.backingFiles.RegisterBackingFd(m)
	if errno != 0 {
		k.refused = errno
		k.log.Debug("the kernel does not read the disk cache by itself", slog.Any("error", errno))
	}
	return id, errno
}

// passThrough is opened for files that the kernel may read by itself. ESTALE
// makes the kernel look the name up again, and open what it finds then.
func (f *passer) passThrough(h *handle, flags uint32, out *fuse.OpenOut) error {
	passes := f.kernel != nil && !h.writable
	var fresh *backing
	if passes {
		fresh = f.register(h)
	}
	n := h.node
	n.lock()
	stale := h.isStale() || passes && (!n.IsLinked() || n.backing != nil && (h.reader == nil || h.reader.Version() != n.backing.version))
	switch {
	case stale:
	case n.backing == nil && (fresh == nil || n.opens > 0):
		f.openedLocked(h, flags, out) // the page cache serves
	default:
		if n.backing == nil {
			n.backing, fresh = fresh, nil
		}
		n.opens++
		out.OpenFlags |= fuse.FOPEN_PASSTHROUGH | fuse.FOPEN_NOFLUSH
		out.BackingID = n.backing.id
		out.Fh = f.handles.addFile(h)
	}
	n.unlock()
	f.unregister(fresh)
	if stale {
		return syscall.ESTALE
	}
	return nil
}

// register makes a backing of what h has opened; nil if the disk cache does
// not have all of it, or the inode is open already.
func (f *passer) register(h *handle) *backing {
	n := h.node
	n.lock()
	open, e := n.opens > 0, n.Entry()
	n.unlock()
	if open || h.reader == nil || versionOf(e) != h.reader.Version() {
		return nil
	}
	file := f.reads.LocalFile(versionOf(e))
	if file == nil {
		return nil
	}
	id, errno := f.kernel.RegisterBackingFd(&fuse.BackingMap{Fd: int32(file.Fd())}) //nolint:gosec // descriptors are small
	if errno != 0 {
		_ = file.Close()
		return nil
	}
	return &backing{id: id, file: file, version: versionOf(e)}
}

// unregister lets a backing go that no handle uses; nil is none.
func (f *passer) unregister(b *backing) {
	if b == nil {
		return
	}
	if errno := f.kernel.UnregisterBackingFd(b.id); errno != 0 {
		f.log.Warn("cannot take a file of the disk cache back from the kernel", slog.Any("error", errno))
	}
	_ = b.file.Close() // it was only read
}
