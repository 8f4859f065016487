package fs

import (
	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/s3mount/s3mount/fs/entry"
	"github.com/s3mount/s3mount/fs/writeback"
	"github.com/s3mount/s3mount/s3"
)

// CopyFileRange answers copy_file_range(2), which cp uses: of a large file as
// a whole, or from its beginning on, S3 copies the bytes. Everything else is
// left to the kernel, which reads and writes.
func (f *filesystem) CopyFileRange(cancel <-chan struct{}, in *fuse.CopyFileRangeIn) (uint32, fuse.Status) {
	from, to := f.handles.file(in.FhIn), f.handles.file(in.FhOut)
	if from == nil || to == nil || !to.writable {
		return 0, fuse.EBADF
	}
	v, ok := f.cloneable(from, in)
	if !ok || to.append {
		return 0, fuse.ENOTSUP
	}
	n := min(int64(in.Len), v.Size-int64(in.OffIn))
	if from.node == to.node || n <= 0 {
		return 0, fuse.ENOTSUP
	}
	ctx := newRequest(cancel, &in.InHeader)
	defer ctx.end()
	to.wroteUnknown()
	to.node.lock()
	file := f.dirtyThrough(to)
	to.node.unlock()
	if err := f.space.reserve(n); err != nil {
		return 0, f.status("copy_file_range", err)
	}
	if file.Clone(ctx, v, f.writebackBase(v), int64(in.OffOut), n) != nil {
		return 0, fuse.ENOTSUP
	}
	to.node.lock()
	to.node.touch()
	to.node.unlock()
	return uint32(n), fuse.OK
}

// cloneable returns the version that a handle reads, if S3 can copy the range:
// it is saved, and long enough to be a part.
func (f *filesystem) cloneable(h *handle, in *fuse.CopyFileRangeIn) (writeback.Version, bool) {
	n := h.node
	n.lock()
	e, file := n.Entry(), n.file
	n.unlock()
	if file != nil || n.kind != entry.File || in.OffIn != in.OffOut || e.Size < s3.MinPartSize {
		return writeback.Version{}, false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	v := versionOf(e)
	if h.reader != nil {
		v = h.reader.Version()
	}
	return writeback.Version{Key: v.Key, ETag: v.ETag, Size: v.Size}, true
}
