package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

var (
	errNoLength        = errors.New("answer has no length")
	errBadContentRange = errors.New("answer has another range than was asked for")
	errOtherVersion    = errors.New("object changed while it was read")
	errRangeIgnored    = errors.New("server ignores ranges")
)

// getBody is the body of a GET. It yields exactly the announced bytes and makes further
// requests if a connection breaks.
type getBody struct {
	c      *Client
	ctx    context.Context
	in     GetInput
	out    *GetOutput
	src    *recvBody
	left   int64
	sum    *checksummer // nil if there is no checksum to verify
	r      *retries     // retries of the current interruption; nil if there is none
	moved  int64        // bytes received since r began
	err    error
	closed bool
}

// Read implements io.Reader.
func (b *getBody) Read(p []byte) (int, error) {
	if b.closed {
		return 0, errBodyClosed
	}
	for b.err == nil && b.left > 0 {
		n, err := b.src.Read(p[:min(int64(len(p)), b.left)])
		if n > 0 {
			b.left -= int64(n)
			// An interruption ends only after stallBytes bytes. A server that breaks
			// each body after a few bytes therefore exhausts the retries.
			if b.moved += int64(n); b.moved >= stallBytes {
				b.r = nil
			}
			if b.sum != nil {
				b.sum.write(p[:n])
			}
			if b.left > 0 && err != nil {
				b.resume(err)
			}
			if b.left == 0 && b.finish() {
				// Report a wrong checksum before the last bytes, because a caller who
				// knows the length does not read further.
				return 0, b.err
			}
			return n, nil
		}
		if len(p) == 0 {
			return 0, nil
		}
		if err != nil {
			b.resume(err)
		}
	}
	if b.err == nil {
		b.finish()
	}
	return 0, b.err
}

// finish ends the exchange, verifies the checksum, and sets b.err to io.EOF or
// ErrChecksum. It reports whether the checksum is wrong.
func (b *getBody) finish() (wrong bool) {
	b.src.Close()
	b.err = io.EOF
	wrong = b.sum != nil && b.sum.value() != b.out.Checksum.Value
	if wrong {
		b.err = b.fail(fmt.Errorf("body has %s %s, server says %s", b.sum.algorithm, b.sum.value(), b.out.Checksum.Value), ErrChecksum)
	}
	return wrong
}

func (b *getBody) fail(err error, kind error) *Error {
	return &Error{Op: "GetObject", Bucket: b.in.Bucket, Key: b.in.Key, Err: err, kind: kind}
}

// resume opens the body again at the current offset, for the same ETag. It sets b.err
// if it fails.
func (b *getBody) resume(cause error) {
	b.src.Close()
	if cause == io.EOF {
		cause = io.ErrUnexpectedEOF
	}
	e := b.fail(fmt.Errorf("body broke after %d of %d bytes: %w", b.out.Length-b.left, b.out.Length, cause), ErrTransient)
	if b.ctx.Err() != nil {
		e.kind, e.Err = nil, contextError(b.ctx)
		b.err = e
		return
	}
	if b.out.ETag == "" {
		// Without an ETag the rest may come from another version.
		b.err = e
		return
	}
	if b.r == nil {
		b.r, b.moved = &retries{c: b.c, start: time.Now()}, 0
	}
	e.retry = true
	if !b.r.next(b.ctx, e) {
		b.err = e
		return
	}
	b.reopen()
}

func (b *getBody) reopen() {
	in := b.in
	at := b.out.Offset + b.out.Length - b.left
	in.Range = Bytes(at, at+b.left-1)
	in.Conditions = Conditions{IfMatch: b.out.ETag}
	if in.VersionID == "" && b.out.VersionID != "null" {
		in.VersionID = b.out.VersionID
	}
	k, err := b.c.getCall(&in)
	if err != nil {
		b.err = err
		return
	}
	resp, err := b.c.read(b.ctx, k, b.out.ETag)
	if err != nil {
		b.err = err
		return
	}
	var out GetOutput
	out.Size = resp.length
	err = out.place(resp, &in)
	if err == nil && out.Length != b.left {
		err = errBadContentRange
	}
	switch {
	case !sameETag(first(resp.header, "Etag"), b.out.ETag):
		b.err = b.fail(errOtherVersion, ErrPreconditionFailed)
	case err != nil:
		b.err = b.fail(err, ErrTransient)
	default:
		b.src = resp.body
		return
	}
	resp.body.Close()
}

var errBodyClosed = errors.New("read of a closed body")

// Close implements io.Closer.
func (b *getBody) Close() error {
	if !b.closed {
		b.closed = true
		b.src.Close()
	}
	return nil
}
