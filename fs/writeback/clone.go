package writeback

import (
	"context"
	"errors"
)

// ErrNoClone: the range cannot be taken over inside S3; copy its bytes.
var ErrNoClone = errors.New("range cannot be cloned")

// Clone makes [off, off+n) of the file the same range of v, which r reads and
// which the commit then copies inside S3 (UploadPartCopy) as far as that moves
// fewer bytes. It is for whole files and their beginnings: the file is new and
// empty, or so far a clone of v up to off; otherwise, and past the end of v,
// the error is ErrNoClone. r is closed when it is of no more use. Other errors
// are those of WriteAt.
func (f *File) Clone(ctx context.Context, v Version, r BaseReader, off, n int64) error {
	source := &base{v: v, r: r, owned: true, foreign: true, refs: 1}
	f.mu.Lock()
	unused, err := f.clone(ctx, source, off, off+n)
	f.mu.Unlock()
	if unused {
		source.close()
	}
	return err
}

// clone is Clone under the lock; unused tells that source is not needed.
func (f *File) clone(ctx context.Context, source *base, off, end int64) (unused bool, err error) {
	first := f.base == nil && f.stream == nil && f.run == nil && f.size == 0
	more := f.base != nil && f.base.foreign && f.base.v.Key == source.v.Key && f.base.v.ETag == source.v.ETag && f.baseLen == f.size
	if off != f.size || end > source.v.Size || end > f.m.o.MaxSize || !first && !more {
		return true, ErrNoClone
	}
	if err := f.change(ctx, off, end); err != nil {
		return true, err
	}
	if first {
		f.base = source
	}
	f.size, f.baseLen = end, end
	return more, nil
}
