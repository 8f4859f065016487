package fs

import (
	"errors"
	"io"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/s3mount/s3mount/fs/readahead"
	"github.com/s3mount/s3mount/fs/writeback"
)

// Read handles read(2) and the readahead of the kernel. It returns data of S3 as pinned
// blocks, without a copy. It reads a file with unsaved data through its extents into
// buf.
func (f *filesystem) Read(cancel <-chan struct{}, in *fuse.ReadIn, buf []byte) (fuse.ReadResult, fuse.Status) {
	h := f.handles.file(in.Fh)
	if h == nil {
		return nil, fuse.EBADF
	}
	ctx := newRequest(cancel, &in.InHeader)
	defer ctx.end()
	for {
		made := h.node.made()
		if made.file != nil {
			k, err := made.file.ReadAt(ctx, buf, int64(in.Offset))
			if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, writeback.ErrClosed) {
				return nil, f.status("read", err)
			}
			if !errors.Is(err, writeback.ErrClosed) {
				return fuse.ReadResultData(buf[:k]), fuse.OK
			}
			// The file was saved and let go in the meantime, so S3 has the data.
		}
		pins, err := f.pin(ctx, h, int64(in.Offset), len(buf))
		switch {
		case err == nil:
			return pinned{pins}, fuse.OK
		case errors.Is(err, io.EOF):
			return fuse.ReadResultData(nil), fuse.OK
		case errors.Is(err, readahead.ErrStale) && h.node.made() != made:
			continue // the version is gone because this mount has made another one
		case errors.Is(err, readahead.ErrStale):
			h.node.uncheck()
		case errors.Is(err, readahead.ErrCorrupt):
			h.node.distrustPages()
		}
		return nil, f.status("read", err)
	}
}

// distrustPages makes the next open drop the pages that the kernel has of the file: some of them
// hold bytes that were read before the checksum of the object was found to be wrong.
func (n *inode) distrustPages() {
	n.lock()
	defer n.unlock()
	n.SetPages("")
}

// making identifies the state of a file's content on this mount. Different values mean
// different content.
type making struct {
	file  *writeback.File
	epoch uint64
}

func (n *inode) made() making {
	n.lock()
	defer n.unlock()
	return making{n.file, n.Epoch()}
}

// pin reads through the reader of the handle. It renews the reader if this mount has
// made a newer version than the reader's.
func (f *filesystem) pin(ctx *request, h *handle, off int64, size int) (*readahead.Pins, error) {
	n := h.node
	n.lock()
	epoch, e := n.Epoch(), n.Entry()
	n.unlock()
	h.mu.Lock()
	if h.reader != nil && h.epoch != epoch {
		h.reader.Close()
		h.reader = nil
	}
	if h.reader == nil && e.ETag == "" {
		h.mu.Unlock()
		return nil, readahead.ErrStale // there is no object
	}
	if h.reader == nil {
		h.reader, h.epoch = f.reads.OpenVersion(versionOf(e)), epoch
	}
	r := h.reader
	h.mu.Unlock()
	return r.ReadAt(ctx, off, size)
}

// pinned is a result of Read in block memory. go-fuse writes its slices to the kernel
// and then calls Done.
type pinned struct{ pins *readahead.Pins }

func (p pinned) Size() int { return p.pins.Size() }
func (p pinned) Done()     { p.pins.Done() }

// Slices implements an optional interface of go-fuse.
func (p pinned) Slices() ([][]byte, fuse.Status) { return p.pins.Slices(), fuse.OK }

// Bytes copies the slices for a reply that needs one buffer.
func (p pinned) Bytes(buf []byte) ([]byte, fuse.Status) {
	buf = buf[:0]
	for _, s := range p.pins.Slices() {
		buf = append(buf, s...)
	}
	return buf, fuse.OK
}

// Write adds data to the unsaved state. It waits only for memory (P11).
func (f *filesystem) Write(cancel <-chan struct{}, in *fuse.WriteIn, data []byte) (uint32, fuse.Status) {
	h := f.handles.file(in.Fh)
	if h == nil || !h.writable {
		return 0, fuse.EBADF
	}
	ctx := newRequest(cancel, &in.InHeader)
	defer ctx.end()
	h.wrote(in)
	f.runs.changed(in.Pid)
	if err := f.space.reserve(int64(len(data))); err != nil {
		return 0, f.status("write", err)
	}
	n := h.node
	n.lock()
	file := f.dirtyThrough(h)
	n.touch()
	killed := n.killSuid(in)
	n.unlock()

	// Pages of a mapping have a fixed offset. A write through an O_APPEND handle goes
	// to the end of the file, whatever offset the kernel assumes.
	if h.append && in.WriteFlags&fuse.WRITE_CACHE == 0 {
		off, err := file.Append(ctx, data)
		if err == nil && off != int64(in.Offset) {
			f.refresh(n)
		}
		if err != nil {
			return 0, f.status("write", err)
		}
	} else if _, err := file.WriteAt(ctx, data, int64(in.Offset)); err != nil {
		return 0, f.status("write", err)
	}
	if killed {
		f.refresh(n)
	}
	return uint32(len(data)), fuse.OK
}

// Writev returns ENOSYS. Write handles all writes.
func (f *filesystem) Writev(<-chan struct{}, *fuse.WriteIn, [][]byte) (uint32, fuse.Status) {
	return 0, fuse.ENOSYS
}

// killSuid clears the setuid and setgid bits after a write by a user other than root.
// The kernel does this for writes through the page cache only. The inode is locked.
func (n *inode) killSuid(in *fuse.WriteIn) bool {
	perm := n.Entry().Attr.Perm
	if !n.direct || in.Uid == 0 || perm&(syscall.S_ISUID|syscall.S_ISGID) == 0 {
		return false
	}
	perm &^= syscall.S_ISUID
	if perm&syscall.S_IXGRP != 0 || !inGroup(in.Caller, n.Entry().Attr.GID) {
		perm &^= syscall.S_ISGID
	}
	a := n.Entry().Attr
	a.Perm = perm
	n.SetAttr(a)
	n.Owe()
	return true
}

// These are modes of fallocate(2).
const (
	fallocKeepSize  = 0x1
	fallocPunchHole = 0x2
	fallocZeroRange = 0x10
)

// Fallocate extends a file and makes holes. Reserving space has no effect, since
// objects have no unwritten blocks.
func (f *filesystem) Fallocate(cancel <-chan struct{}, in *fuse.FallocateIn) fuse.Status {
	h := f.handles.file(in.Fh)
	if h == nil || !h.writable {
		return fuse.EBADF
	}
	ctx := newRequest(cancel, &in.InHeader)
	defer ctx.end()
	h.wroteUnknown()
	n := h.node
	n.lock()
	file := f.dirtyThrough(h)
	n.touch()
	n.unlock()
	off, length := int64(in.Offset), int64(in.Length)
	var err error
	if in.Mode == 0 {
		if err := f.space.reserve(off + length - file.Size()); err != nil {
			return f.status("fallocate", err)
		}
	}
	switch in.Mode {
	case 0:
		err = file.Allocate(ctx, off, length)
	case fallocKeepSize:
	case fallocPunchHole | fallocKeepSize, fallocZeroRange | fallocKeepSize:
		err = file.PunchHole(ctx, off, length)
	case fallocZeroRange:
		if err = file.PunchHole(ctx, off, length); err == nil {
			err = file.Allocate(ctx, off, length)
		}
	default:
		return fuse.ENOTSUP
	}
	return f.status("fallocate", err)
}

// Lseek handles SEEK_DATA and SEEK_HOLE. Only unsaved files have holes.
func (f *filesystem) Lseek(_ <-chan struct{}, in *fuse.LseekIn, out *fuse.LseekOut) fuse.Status {
	n := f.inodes.get(in.NodeId)
	if n == nil {
		return fuse.EBADF
	}
	n.lock()
	file, size := n.file, n.Entry().Size
	n.unlock()
	off := int64(in.Offset)
	var err error
	switch {
	case in.Whence != seekData && in.Whence != seekHole:
		return fuse.EINVAL
	case file != nil && in.Whence == seekData:
		off, err = file.SeekData(off)
	case file != nil:
		off, err = file.SeekHole(off)
	case off >= size:
		err = syscall.ENXIO
	case in.Whence == seekHole:
		off = size
	}
	if err != nil {
		return f.status("lseek", err)
	}
	out.Offset = uint64(off)
	return fuse.OK
}

// These are values of whence in lseek(2) in addition to the POSIX ones.
const (
	seekData = 3
	seekHole = 4
)
