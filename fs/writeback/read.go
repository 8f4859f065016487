package writeback

import (
	"context"
	"errors"
	"io"
)

// ReadAt reads the base overlaid by the extents. It returns io.EOF with a short read at the end.
// Other errors come from the base's reader or the spool, or are ErrClosed.
func (f *File) ReadAt(ctx context.Context, p []byte, off int64) (int, error) {
	for {
		n, was, err := f.tryRead(ctx, p, off)
		var lost *baseError
		if err == nil && n < len(p) {
			return n, io.EOF
		}
		if !errors.As(err, &lost) {
			return n, err
		}
		// A commit of this file may have replaced the base.
		again, waitErr := f.replaced(ctx, was)
		if waitErr != nil || !again {
			return 0, err
		}
	}
}

// tryRead is like ReadAt on the present base, which it returns.
func (f *File) tryRead(ctx context.Context, p []byte, off int64) (int, *base, error) {
	f.mu.Lock()
	if f.state == stateClosed {
		f.mu.Unlock()
		return 0, nil, ErrClosed
	}
	n := int(max(0, min(int64(len(p)), f.size-off)))
	late := f.copyOut(p[:n], off)
	was := f.base
	f.mu.Unlock()
	if err := f.fetch(ctx, late); err != nil {
		return 0, was, err
	}
	return n, was, nil
}

// replaced waits for a running commit that may replace the object, and reports whether the base is
// not was any more.
func (f *File) replaced(ctx context.Context, was *base) (bool, error) {
	f.mu.Lock()
	r := f.run
	if r == nil || !r.final {
		defer f.mu.Unlock()
		return f.base != was, nil
	}
	f.mu.Unlock()
	select {
	case <-r.done:
	case <-ctx.Done():
		return false, ctx.Err()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.base != was, nil
}

// piece is a part of a read whose bytes are not in memory.
type piece struct {
	p    []byte
	off  int64  // the offset in the spool or in the base
	c    *chunk // pinned; nil: the base
	base *base  // referenced
}

// copyOut fills p from memory and returns the pieces that must be read without the lock.
func (f *File) copyOut(p []byte, off int64) (late []piece) {
	end := off + int64(len(p))
	under := func(from, to int64) { // ranges without an extent
		if b := min(to, f.baseLen); from < b {
			f.base.refs++
			late = append(late, piece{p: p[from-off : b-off], off: from, base: f.base})
			from = b
		}
		if from < to {
			clear(p[from-off : to-off])
		}
	}
	at := off
	for e := range f.ext.in(off, end) {
		if at < e.off {
			under(at, e.off)
		}
		e = e.sub(off, end)
		at = e.end()
		to := p[e.off-off : at-off]
		switch {
		case e.c == nil:
			clear(to)
		case e.c.mem != nil:
			copy(to, e.c.mem[e.at:])
		default:
			f.pin(e.c)
			late = append(late, piece{p: to, off: e.c.slot.off + int64(e.at), c: e.c})
		}
	}
	if at < end {
		under(at, end)
	}
	return late
}

// fetch reads the pieces and releases them. It returns the first error.
func (f *File) fetch(ctx context.Context, late []piece) (err error) {
	if len(late) == 0 {
		return nil
	}
	for _, l := range late {
		switch {
		case err != nil:
		case l.c != nil:
			err = f.m.spool.read(l.p, l.off)
		default:
			err = l.base.read(ctx, l.p, l.off)
		}
	}
	var done []func()
	f.mu.Lock()
	for _, l := range late {
		if l.c != nil {
			f.unpin(l.c)
		} else {
			done = append(done, l.base.drop())
		}
	}
	f.mu.Unlock()
	for _, d := range done {
		d()
	}
	return err
}
