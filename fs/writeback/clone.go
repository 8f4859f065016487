package writeback

import (
	"context"
	"errors"
)

// ErrNoClone means that S3 cannot copy the range. The caller must copy the bytes.
var ErrNoClone = errors.New("the range cannot be cloned")

// Clone makes [off, off+n) of the file equal to the same range of v. r reads the range, and
// the commit copies it inside S3 (UploadPartCopy) if that moves fewer bytes. The file must be
// new and empty, or a clone of v up to off. Otherwise, and past the end of v, the error is
// ErrNoClone. The file closes r. Clone returns the errors of WriteAt.
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

// clone implements Clone with the lock held. unused reports that source is not needed.
func (f *File) clone(ctx context.Context, source *base, off, end int64) (unused bool, err error) {
	first := f.base == nil && f.stream == nil && f.run == nil && f.size == 0
	more := f.base != nil && f.base.foreign && f.base.v.Key == source.v.Key && f.base.v.ETag == source.v.ETag && f.baseLen == f.size
	if off != f.size || end > source.v.Size || end > f.m.o.maxSize || !first && !more {
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
