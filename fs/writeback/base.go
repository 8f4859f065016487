package writeback

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// base is the version that a file's content starts from, and its reader. The file's mu
// guards foreign and refs. The other fields do not change.
type base struct {
	v       Version
	r       BaseReader
	owned   bool // this package opened the reader and closes it with the last reference
	foreign bool // the base has another key: the content is a copy of it
	refs    int
}

// baseError is the error of a read of the base.
type baseError struct{ err error }

func (e *baseError) Error() string { return "read base: " + e.err.Error() }
func (e *baseError) Unwrap() error { return e.err }

// read fills p with the base's bytes from off.
func (b *base) read(ctx context.Context, p []byte, off int64) error {
	return b.fill(p, off, func(p []byte, off int64) (int, error) { return b.r.CopyAt(ctx, p, off) })
}

// readWithin is like read for a caller that reads on up to end and no farther.
func (b *base) readWithin(ctx context.Context, p []byte, off, end int64) error {
	return b.fill(p, off, func(p []byte, off int64) (int, error) { return b.r.CopyWithin(ctx, p, off, end) })
}

// fill fills p with the bytes that read returns from off on.
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

// drop drops a reference and returns a function that the caller must call after it has
// released the file's mu.
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

// close closes the reader, if it has a Close method.
func (b *base) close() {
	if c, ok := b.r.(interface{ Close() }); ok {
		c.Close()
	}
}
