package fs

import (
	"context"

	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/s3mount/s3mount/fs/entry"
	ino "github.com/s3mount/s3mount/fs/inode"
	"github.com/s3mount/s3mount/fs/namespace"
)

// dotRows is the number of rows before the listing. In a directory stream, the cookie 0
// precedes ".", 1 precedes "..", and 2 + k precedes row k of the listing.
const dotRows = 2

// OpenDir opens a directory. It asks S3 for nothing, except where the access to the
// directory must be confirmed: it then reads the first page at once, which shows
// whether there is a marker with attributes.
func (f *filesystem) OpenDir(cancel <-chan struct{}, in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	n := f.inodes.get(in.NodeId)
	if n == nil {
		return fuse.ENOENT
	}
	h := &dirHandle{node: n}
	if f.access.on && !n.gone() {
		ctx := newRequest(cancel, &in.InHeader)
		defer ctx.end()
		if !n.snapshot().Exact {
			h.lister = f.ns.OpenDir(n.snapshot())
			_, _ = h.peek(ctx, f.inodes) // READDIR returns the error
		}
		if err := f.access.confirm(ctx, n, in.Caller); err != nil {
			if h.lister != nil {
				h.lister.Close()
			}
			return f.status("opendir", err)
		}
	}
	f.inodes.pin(n)
	out.Fh = f.handles.addDir(h)
	return fuse.OK
}

// ReleaseDir closes an open directory.
func (f *filesystem) ReleaseDir(in *fuse.ReleaseIn) {
	h := f.handles.removeDir(in.Fh)
	if h == nil {
		return
	}
	h.mu.Lock()
	if h.lister != nil {
		h.lister.Close()
	}
	h.mu.Unlock()
	f.inodes.unpin(h.node)
}

// ReadDirPlus lists names with their attributes, both from the same LIST page.
func (f *filesystem) ReadDirPlus(cancel <-chan struct{}, in *fuse.ReadIn, out *fuse.DirEntryList) fuse.Status {
	addDot := func(row fuse.DirEntry) bool { return out.AddDirLookupEntry(row) != nil }
	return f.readDir(cancel, in, out, addDot, func(dir *inode, d *namespace.Dirent, asked ino.Moment) bool {
		row := fuse.DirEntry{Name: d.Name, Off: out.Offset + 1}
		if d.Partial {
			// Its type is not known yet. The kernel looks the name up when it is used.
			return out.AddDirLookupEntry(row) != nil
		}
		row.Mode = typeBits(d.Entry.Kind)
		row.Ino = inodeNumber(d.Entry.Key)
		entry := out.AddDirLookupEntry(row)
		if entry == nil {
			return false
		}
		// After a rename of the directory the kernel looks the name up again.
		if n := f.enter(dir, d.Name, d.Entry, asked); n != nil {
			f.fillEntry(n, in.Caller, entry)
		}
		return true
	})
}

// ReadDir lists names without attributes, for kernels that do not use READDIRPLUS.
func (f *filesystem) ReadDir(cancel <-chan struct{}, in *fuse.ReadIn, out *fuse.DirEntryList) fuse.Status {
	return f.readDir(cancel, in, out, out.AddDirEntry, func(_ *inode, d *namespace.Dirent, _ ino.Moment) bool {
		row := fuse.DirEntry{Name: d.Name, Ino: inodeNumber(d.Entry.Key), Off: out.Offset + 1}
		if !d.Partial {
			row.Mode = typeBits(d.Entry.Kind)
		}
		return out.AddDirEntry(row)
	})
}

func (f *filesystem) readDir(cancel <-chan struct{}, in *fuse.ReadIn, out *fuse.DirEntryList,
	addDot func(fuse.DirEntry) bool, add func(*inode, *namespace.Dirent, ino.Moment) bool) fuse.Status {
	h := f.handles.dir(in.Fh)
	if h == nil {
		return fuse.EBADF
	}
	ctx := newRequest(cancel, &in.InHeader)
	defer ctx.end()
	h.node.listedBy.Store(in.Pid)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.node.gone() {
		return fuse.OK // removed while open: empty
	}
	if !f.addDots(h.node, in.Offset, addDot) {
		return fuse.OK
	}
	if err := h.seek(ctx, f.ns, max(out.Offset, dotRows)); err != nil {
		return f.status("readdir", err)
	}
	for first := true; ; first = false {
		if !first && h.next == nil && !h.lister.Ready() {
			return fuse.OK // return the available rows without waiting for the next page
		}
		d, err := h.peek(ctx, f.inodes)
		if err != nil && first {
			return f.status("readdir", err)
		}
		if err != nil || d == nil || !add(h.node, d, h.asked) {
			return fuse.OK // the error comes again at the next READDIR
		}
		h.next = nil
		h.pos++
	}
}

// addDots adds "." and ".." and reports whether both were added now or before.
// READDIRPLUS returns them without attributes or references.
func (f *filesystem) addDots(n *inode, offset uint64, add func(fuse.DirEntry) bool) bool {
	for i, name := range []string{".", ".."} {
		if offset > uint64(i) {
			continue
		}
		row := fuse.DirEntry{Name: name, Mode: typeBits(entry.Directory), Ino: n.id, Off: uint64(i + 1)}
		if parent, _ := f.inodes.parentOf(n); i == 1 && parent != nil {
			row.Ino = parent.id
		}
		if !add(row) {
			return false
		}
	}
	return true
}

// seek moves to the row with a cookie. The kernel mostly reads in sequence. It goes
// back if rows did not fit into a program's buffer, and to the start.
func (h *dirHandle) seek(ctx context.Context, ns *namespace.Namespace, cookie uint64) error {
	want := cookie - dotRows
	if h.lister == nil || want == 0 && h.pos != 0 {
		// rewinddir(3) and a first read see the directory as it is now.
		if h.lister != nil {
			h.lister.Close()
		}
		h.lister, h.next, h.pos = ns.OpenDir(h.node.snapshot()), nil, 0
	}
	if want == h.pos {
		return nil
	}
	h.next = nil
	if err := h.lister.Seek(ctx, want); err != nil {
		return err
	}
	h.pos = want
	return nil
}

// peek returns the next row without consuming it, or nil at the end.
func (h *dirHandle) peek(ctx context.Context, t *inodes) (*namespace.Dirent, error) {
	if h.next == nil {
		h.asked = t.now()
		d, ok, err := h.lister.Next(ctx)
		if err != nil || !ok {
			return nil, err
		}
		h.next = &d
	}
	return h.next, nil
}

// FsyncDir returns when S3 has executed all changes in the directory.
func (f *filesystem) FsyncDir(cancel <-chan struct{}, in *fuse.FsyncIn) fuse.Status {
	h := f.handles.dir(in.Fh)
	if h == nil {
		return fuse.EBADF
	}
	ctx := newRequest(cancel, &in.InHeader)
	defer ctx.end()
	for _, n := range f.inodes.childrenOf(h.node) {
		if err := f.flushAttrs(ctx, n); err != nil {
			return f.status("fsyncdir", err)
		}
	}
	return f.status("fsyncdir", f.ns.FlushDir(ctx, h.node.snapshot()))
}
