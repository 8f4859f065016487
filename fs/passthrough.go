package fs

import (
	"log/slog"
	"os"
	"sync"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/s3mount/s3mount/fs/readahead"
)

// With passthrough the kernel reads a file of the disk cache directly, at the speed of
// the local disk, and sends no READ
// (https://docs.kernel.org/filesystems/fuse/fuse-passthrough.html).
//
// The kernel binds the backing file to the inode. While one handle is in this mode,
// every open of the inode must be, with the same file, and mappings always map the
// backing file. Such an inode cannot be written through a mapping, and its open handles
// do not show writes. P4 promises both, so that only read-only mounts use passthrough.
// If the object has changed in S3, the inode keeps the version of its handles without a
// name, and the name gets a new inode for the new version.

// backingFiles contains the methods of *fuse.Server for passthrough.
type backingFiles interface {
	RegisterBackingFd(m *fuse.BackingMap) (int32, syscall.Errno)
	UnregisterBackingFd(id int32) syscall.Errno
}

// backing is a file of the disk cache that the kernel knows by id.
type backing struct {
	id      int32
	file    *os.File // its lock keeps the cache from evicting it
	version readahead.Version
}

// passer passes files that are in the disk cache to the kernel.
type passer struct {
	*services
	kernel backingFiles // reads the disk cache; nil where passThrough must not
}

// usePassthrough enables passthrough on read-only mounts of root with a disk cache.
func (f *passer) usePassthrough(kernel backingFiles) {
	if f.o.ReadOnly && f.o.CacheDir != "" && os.Geteuid() == 0 {
		f.kernel = &untilRefused{backingFiles: kernel, log: f.log}
	}
}

// untilRefused is a backingFiles that does not ask the kernel again after it has
// refused once.
type untilRefused struct {
	backingFiles
	log *slog.Logger

	mu      sync.Mutex
	refused syscall.Errno
}

// RegisterBackingFd implements backingFiles.
func (k *untilRefused) RegisterBackingFd(m *fuse.BackingMap) (int32, syscall.Errno) {
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

// passThrough is opened for files that the kernel may read directly. After ESTALE the
// kernel looks the name up again and opens the new inode.
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

// register registers the file of h with the kernel. It returns nil if the disk cache
// does not have all of it, or if the inode is open already.
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

// unregister releases a backing that no handle uses. b may be nil.
func (f *passer) unregister(b *backing) {
	if b == nil {
		return
	}
	if errno := f.kernel.UnregisterBackingFd(b.id); errno != 0 {
		f.log.Warn("cannot take a file of the disk cache back from the kernel", slog.Any("error", errno))
	}
	_ = b.file.Close() // it was not written
}
