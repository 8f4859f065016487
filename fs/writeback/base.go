package writeback

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// base is the version that a file's content starts from, and its reader.
// foreign and refs are guarded by the file's mu; the rest does not change.
type base struct {
	v       Version
	r       BaseReader
	owned   bool // opened by this package: closed with the last reference
	foreign bool // of another key: the content is a copy of it, not built on it
	refs    int
}

// baseError says that bytes of the base could not be read.
type baseError struct{ err error }

func (e *baseError) Error() string { return "read base: " + e.err.Error() }
func (e *baseError) Unwrap() error { return e.err }

// read fills p with the base's bytes from off.
func (b *base) read(ctx context.Context, p []byte, off int64) error {
	return b.fill(p, off, func(p []byte, off int64) (int, error) { return b.r.CopyAt(ctx, p, off) })
}

// readWithin is read for a caller that will read on up to end and no farther.
func (b *base) readWithin(ctx context.Context, p []byte, off, end int64) error {
	return b.fill(p, off, func(p []byte, off int64) (int, error) { return b.r.CopyWithin(ctx, p, off, end) })
}

// fill fills p with what read yields from off on.
func (b *base) fill(p []byte, off int64, read func(p []byte, off int64) (int, error)) error {
	for len(p) > 0 {
		n, err := read(p, off)
		p, off = p[n:], off+int64(n)
		switch {
		case len(p) == 0:
			return nil
		case errors.Is(err, io.EOF):
			return &baseError{fmt.Errorf("%q ends at %d: %w", b.v.Key, off, io.ErrUnexpectedEOF)}
		case err != nil:
			return &baseError{err}
		case n == 0:
			return &baseError{io.ErrNoProgress}
		}
	}
	return nil
}

// drop gives one reference back and returns what the caller must close after
// it released the file's mu.
func (b *base) drop() func() {
	if b == nil {
		return func() {}
	}
	b.refs--
	if b.refs == 0 && b.owned {
		return b.close
	}
	return func() {}
}

// close closes the reader, if it is one to be closed.
func (b *base) close() {
	if c, ok := b.r.(interface{ Close() }); ok {
		c.Close()
	}
}
