package writeback

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/s3mount/s3mount/cache"
)

// body reads [off, off+n) of a snapshot. It is an io.Seeker, so that a request can be sent
// again. Chunks may move to the spool between two reads.
type body struct {
	ctx      context.Context // the request's context; it ends reads of the base
	s        *snapshot
	off, end int64
	at       int64
	high     int64  // the highest value of at; bytes below it are sent again
	moved    func() // called after each read, to show progress
	err      error  // the error of a read, to distinguish it from an error of the server
	buf      []byte // for WriteTo, for bytes that are not in memory
}

// body returns a reader of [off, off+n). The end of ctx ends its reads of the base.
func (s *snapshot) body(ctx context.Context, off, n int64) *body {
	return &body{ctx: ctx, s: s, off: off, end: off + n, at: off, high: off, moved: func() {}}
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	if b.at >= b.end {
		return 0, io.EOF
	}
	p = p[:min(int64(len(p)), b.end-b.at)]
	n, err := b.s.readSome(b.ctx, p, b.at, b.end)
	if err != nil {
		b.err = err
		return 0, err
	}
	b.advance(p[:n])
	return n, nil
}

// advance counts bytes that were read.
func (b *body) advance(p []byte) {
	end := b.at + int64(len(p))
	b.s.f.sent.Add(end - b.at)
	b.at = end
	b.moved()
}

// WriteTo implements io.WriterTo. It writes bytes in memory to w without a copy.
func (b *body) WriteTo(w io.Writer) (total int64, err error) {
	for b.at < b.end {
		n, err := b.writeSome(w)
		total += int64(n)
		if err != nil {
			return total, err
		}
	}
	return total, nil
}

// writeSome writes one extent, or a piece of bytes that are not in memory.
func (b *body) writeSome(w io.Writer) (int, error) {
	if e, ok := b.s.at(b.at); ok && e.c != nil {
		e = e.sub(b.at, b.end)
		mem, _ := b.s.hold(e)
		defer b.s.letGo(e)
		if mem != nil {
			n, err := w.Write(mem)
			b.advance(mem[:n])
			return n, err
		}
	}
	if b.buf == nil {
		b.buf = make([]byte, cache.BlockSize)
	}
	p := b.buf[:min(int64(len(b.buf)), b.end-b.at)]
	n, err := b.s.readSome(b.ctx, p, b.at, b.end)
	if err != nil {
		b.err = err
		return 0, err
	}
	n, err = w.Write(p[:n])
	b.advance(p[:n])
	return n, err
}

// Seek implements io.Seeker.
func (b *body) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekStart:
		offset += b.off
	case io.SeekCurrent:
		offset += b.at
	case io.SeekEnd:
		offset += b.end
	default:
		return 0, errors.New("seek body: invalid whence")
	}
	if offset < b.off {
		return 0, fmt.Errorf("seek body: negative position %d", offset-b.off)
	}
	b.s.f.sent.Add(offset - b.at) // bytes that are read again are sent again
	b.at = offset
	return b.at - b.off, nil
}
