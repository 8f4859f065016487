package fs

import (
	"context"
	"fmt"
	"strings"
	"syscall"

	"github.com/s3mount/s3mount/fs/entry"
)

// Object names the object behind a path of the mount.
type Object struct {
	Key     string
	ETag    string // of the version that the mount shows; "" if it knows none
	Kind    string // file, directory, symlink and so on
	Saved   bool   // S3 holds an object for the path
	Unsaved bool   // the file has bytes or attributes that S3 does not hold
}

// Object returns the object of a path relative to the mountpoint. It looks every name up as
// a program does.
func (m *Mount) Object(ctx context.Context, path string) (Object, error) {
	return m.f.object(ctx, path)
}

func (f *filesystem) object(ctx context.Context, path string) (Object, error) {
	n := f.inodes.root
	for name := range strings.SplitSeq(path, "/") {
		if name == "" {
			continue
		}
		if n.kind != entry.Directory {
			return Object{}, fmt.Errorf("look up %q: %w", path, syscall.ENOTDIR)
		}
		child, err := f.lookupName(ctx, n, name)
		if err == nil && child == nil {
			err = syscall.ENOENT
		}
		if err != nil {
			return Object{}, fmt.Errorf("look up %q: %w", path, err)
		}
		defer f.inodes.forget(child.id, 1)
		n = child
	}
	n.lock()
	defer n.unlock()
	e := n.snapshotLocked()
	return Object{Key: e.Key, ETag: e.ETag, Kind: kindName(n.kind), Saved: n.IsStored() || n.file == nil,
		Unsaved: n.Owes() || n.file != nil && n.file.Dirty()}, nil
}

// kindName returns the word for a kind.
func kindName(k entry.Kind) string {
	return [...]string{entry.File: "file", entry.Directory: "directory", entry.Symlink: "symlink", entry.FIFO: "fifo",
		entry.Socket: "socket", entry.CharDevice: "character device", entry.BlockDevice: "block device"}[k]
}
