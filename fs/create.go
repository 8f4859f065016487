package fs

import (
	"syscall"
	"unicode/utf8"

	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/s3mount/s3mount/fs/entry"
	"github.com/s3mount/s3mount/fs/writeback"
)

// Create creates and opens a file. The PUT follows at close. The kernel calls Create if
// it believes that the name is absent. If another client has created the name in the
// meantime and the caller does not want to replace it, Create returns ESTALE (P2), and
// the kernel looks the name up again and opens it. The commit does not replace a name
// that appears later (P3).
func (f *filesystem) Create(cancel <-chan struct{}, in *fuse.CreateIn, name string, out *fuse.CreateOut) fuse.Status {
	ctx := newRequest(cancel, &in.InHeader)
	defer ctx.end()
	dir, leave, st := f.enterNamed(ctx, in.NodeId, name)
	if st != fuse.OK {
		return st
	}
	defer leave()
	adds := in.Flags&(syscall.O_EXCL|syscall.O_TRUNC) == 0
	if adds {
		// Ignore an error, because the commit asks again.
		if appeared, _ := f.ns.Appeared(ctx, dir.snapshot(), name); appeared {
			return fuse.Status(syscall.ESTALE)
		}
	}
	create := f.createFile
	if in.Flags&syscall.O_EXCL != 0 && isLockFile(name) {
		create = f.createLock
	}
	n, err := create(ctx, dir, name, in.Mode, adds || in.Flags&syscall.O_EXCL != 0)
	if err != nil {
		return f.status("create", err)
	}
	f.inodes.pin(n)
	h := &handle{node: n, writable: true, append: in.Flags&syscall.O_APPEND != 0}
	f.opened(h, in.Flags, &out.OpenOut)
	f.fillEntry(n, in.Caller, &out.EntryOut)
	return fuse.OK
}

// writableDir returns the directory in which the caller changes a name.
func (f *filesystem) writableDir(ctx *request, id uint64) (*inode, fuse.Status) {
	if f.o.ReadOnly {
		return nil, fuse.EROFS
	}
	dir := f.inodes.get(id)
	if dir == nil || dir.gone() {
		return nil, fuse.ENOENT
	}
	if err := f.access.confirm(ctx, dir, ctx.caller); err != nil {
		return nil, f.status("check a directory", err)
	}
	return dir, fuse.OK
}

// nameIn is writableDir for a new name. S3 accepts only keys in UTF-8.
func (f *filesystem) nameIn(ctx *request, id uint64, name string) (*inode, fuse.Status) {
	if !utf8.ValidString(name) {
		return nil, fuse.Status(syscall.EILSEQ)
	}
	f.runs.changed(ctx.caller.Pid)
	return f.writableDir(ctx, id)
}

// enterNamed is nameIn for operations that create one name. The directory and its
// parents are not renamed until the caller calls leave.
func (f *filesystem) enterNamed(ctx *request, id uint64, name string) (dir *inode, leave func(), st fuse.Status) {
	if dir, st = f.nameIn(ctx, id, name); st != fuse.OK {
		return nil, nil, st
	}
	leave, err := f.gate.enter(ctx, dir)
	if err != nil {
		return nil, nil, f.status("make a name", err)
	}
	return dir, leave, fuse.OK
}

// createFile creates the inode of a new file, with unsaved state and without an object.
func (f *filesystem) createFile(ctx *request, dir *inode, name string, perm uint32, exclusive bool) (*inode, error) {
	parent := dir.snapshot()
	key, err := f.ns.NewFileKey(parent, name)
	if err != nil {
		return nil, err
	}
	e := entry.Entry{Key: key, Kind: entry.File, Attr: newAttr(parent, ctx.caller, perm, false), Exact: true}
	e.LastModified = e.Attr.Mtime
	n := f.inodes.create(dir, name, e)
	n.lock()
	n.file = f.writes.Open(writeback.OpenInput{Key: key, Exclusive: exclusive, Object: f.objectOptions(n), Turn: n.turns().commit.try})
	n.unlock()
	f.showPending(n, key)
	dir.relisted()
	return n, nil
}

// Mknod makes an empty file, a fifo, a socket or a device node.
func (f *filesystem) Mknod(cancel <-chan struct{}, in *fuse.MknodIn, name string, out *fuse.EntryOut) fuse.Status {
	ctx := newRequest(cancel, &in.InHeader)
	defer ctx.end()
	dir, leave, st := f.enterNamed(ctx, in.NodeId, name)
	if st != fuse.OK {
		return st
	}
	defer leave()
	kind, ok := kindOf(in.Mode)
	if !ok {
		return fuse.EINVAL
	}
	if kind == entry.File {
		n, err := f.createFile(ctx, dir, name, in.Mode, true)
		if err == nil {
			err = f.commit(ctx, n)
			f.letGoInBackground(ctx, n)
		}
		if err != nil {
			if n != nil {
				f.inodes.forget(n.id, 1) // the kernel does not get a reference
			}
			return f.status("mknod", err)
		}
		f.fillEntry(n, in.Caller, out)
		return fuse.OK
	}
	parent := dir.snapshot()
	a := newAttr(parent, in.Caller, in.Mode, false)
	a.Rdev = in.Rdev
	e, err := f.ns.Mknod(ctx, parent, name, kind, a, "")
	return f.made(dir, name, e, err, "mknod", in.Caller, out)
}

// made answers with the inode of a name that the namespace has created.
func (f *filesystem) made(dir *inode, name string, e entry.Entry, err error, op string, caller fuse.Caller, out *fuse.EntryOut) fuse.Status {
	if err != nil {
		return f.status(op, err)
	}
	n := f.enter(dir, name, e, f.inodes.now())
	if n == nil {
		return fuse.Status(syscall.ESTALE)
	}
	f.permits.wrote(e.Key)
	dir.relisted()
	f.fillEntry(n, caller, out)
	return fuse.OK
}

// Mkdir creates a directory. It is durable when Mkdir returns (P6).
func (f *filesystem) Mkdir(cancel <-chan struct{}, in *fuse.MkdirIn, name string, out *fuse.EntryOut) fuse.Status {
	ctx := newRequest(cancel, &in.InHeader)
	defer ctx.end()
	dir, leave, st := f.enterNamed(ctx, in.NodeId, name)
	if st != fuse.OK {
		return st
	}
	defer leave()
	parent := dir.snapshot()
	e, err := f.ns.Mkdir(ctx, parent, name, newAttr(parent, in.Caller, in.Mode, true))
	return f.made(dir, name, e, err, "mkdir", in.Caller, out)
}

// symlinkPerm is the mode that lstat(2) shows for every symlink.
const symlinkPerm = 0o777

// Symlink makes a symbolic link.
func (f *filesystem) Symlink(cancel <-chan struct{}, h *fuse.InHeader, target, name string, out *fuse.EntryOut) fuse.Status {
	ctx := newRequest(cancel, h)
	defer ctx.end()
	dir, leave, st := f.enterNamed(ctx, h.NodeId, name)
	if st != fuse.OK {
		return st
	}
	defer leave()
	parent := dir.snapshot()
	e, err := f.ns.Mknod(ctx, parent, name, entry.Symlink, newAttr(parent, h.Caller, symlinkPerm, false), target)
	return f.made(dir, name, e, err, "symlink", h.Caller, out)
}

// Link returns EPERM, because S3 has no hard links (P8). Programs then copy the file.
func (f *filesystem) Link(<-chan struct{}, *fuse.LinkIn, string, *fuse.EntryOut) fuse.Status {
	return fuse.EPERM
}

// Tmpfile returns ENOTSUP. Programs then create a named file.
func (f *filesystem) Tmpfile(<-chan struct{}, *fuse.CreateIn, *fuse.CreateOut) fuse.Status {
	return fuse.ENOTSUP
}
