package writeback

import (
	"context"
	"math"
)

// Truncate sets the size. A larger size adds a hole. Truncate returns the errors of WriteAt.
func (f *File) Truncate(ctx context.Context, size int64) error {
	if size < 0 || size > f.m.o.maxSize {
		return ErrTooLarge
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if size == 0 {
		f.refusal = nil // an empty file lacks no change
	}
	return f.resize(ctx, size)
}

// resize implements Truncate with the lock held.
func (f *File) resize(ctx context.Context, size int64) error {
	if size == f.size {
		return f.takeErr()
	}
	if err := f.change(ctx, min(size, f.size), math.MaxInt64); err != nil {
		return err
	}
	f.cut(size, math.MaxInt64)
	f.size = size
	f.baseLen = min(f.baseLen, size)
	f.minSize = min(f.minSize, size)
	if f.run != nil && f.run.size() > size {
		f.run.stop(errSuperseded)
	}
	if f.run == nil {
		f.dropUseless()
	}
	return nil
}

// dropUseless ends a stream that does not lead to the content any more. The caller holds mu, and no
// commit uses the stream.
func (f *File) dropUseless() {
	if f.stream != nil && !f.streams() {
		f.abandon()
	}
}

// Allocate grows the size to at least off+n with a hole, like fallocate(2) without
// FALLOC_FL_KEEP_SIZE. It returns the errors of WriteAt.
func (f *File) Allocate(ctx context.Context, off, n int64) error {
	if off < 0 || n < 0 || off > f.m.o.maxSize-n {
		return ErrTooLarge
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.resize(ctx, max(f.size, off+n))
}

// PunchHole makes [off, off+n) read as zeros and keeps the size. It returns the errors of WriteAt.
func (f *File) PunchHole(ctx context.Context, off, n int64) error {
	if off < 0 || n < 0 || off > f.m.o.maxSize-n {
		return ErrTooLarge
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	end := min(off+n, f.size)
	if end <= off {
		return f.takeErr()
	}
	if err := f.change(ctx, off, end); err != nil {
		return err
	}
	// Insert the zeros even if there is no base, because a running commit may be about to make one.
	f.cut(off, end)
	f.insert(extent{off: off, n: end - off, seq: f.seq})
	f.advance()
	return nil
}

// SeekData returns the first offset at or after off that has data, or ErrNoData (ENXIO of lseek(2)).
func (f *File) SeekData(off int64) (int64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if off < 0 || off >= f.size {
		return 0, ErrNoData
	}
	for e := range f.ext.in(off, f.size) {
		switch {
		case off < e.off && off < f.baseLen:
			return off, nil
		case e.c != nil:
			return max(off, e.off), nil
		}
		off = e.end()
	}
	if off < f.baseLen {
		return off, nil
	}
	return 0, ErrNoData
}

// SeekHole returns the first offset at or after off that is in a hole. The end of the file counts
// as a hole. It returns ErrNoData if off is not inside of the file.
func (f *File) SeekHole(off int64) (int64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if off < 0 || off >= f.size {
		return 0, ErrNoData
	}
	for e := range f.ext.in(off, f.size) {
		if off < e.off && e.off > f.baseLen {
			return max(off, f.baseLen), nil
		}
		if e.c == nil {
			return max(off, e.off), nil
		}
		off = e.end()
	}
	return max(off, f.baseLen), nil
}
