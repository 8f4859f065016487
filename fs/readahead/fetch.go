package readahead

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/s3mount/s3mount/cache"
	"github.com/s3mount/s3mount/s3"
)

// fetch brings the blocks of one Fill. It belongs to no caller: it continues when the
// callers that wait for it leave.
type fetch struct {
	r        *Reader
	s        *stream // nil if the fetch belongs to no stream
	fill     *cache.Fill
	demanded bool        // a read waits for it; otherwise it runs ahead of a read
	asked    bool        // a GET was sent; written by the goroutine that runs the fetch
	resumed  bool        // the rest of a slow body was requested again; written like asked
	unwanted atomic.Bool // its stream went elsewhere
	part     *run        // the checksums of the bytes of an unfinished block; nil if there are none
}

// These are outcomes of one GET that are not failures of S3.
var (
	errStalled  = errors.New("the connection has stalled")
	errUnwanted = errors.New("the rest is not needed")
	errMoved    = errors.New("object was renamed by this mount")
)

// run fetches the whole Fill with one or more GETs in sequence.
func (f *fetch) run() {
	err := f.fetch(f.r.m.ctx)
	f.finish(err)
}

// finish ends the fetch with an error or nil.
func (f *fetch) finish(err error) {
	m := f.r.m
	switch {
	case errors.Is(err, ErrCorrupt):
		err = f.handleCorrupt(err)
	case errors.Is(err, errUnwanted):
		err = nil // later callers start a new fetch
	case m.ctx.Err() != nil:
		err = ErrClosed
	}
	if f.s != nil {
		m.mu.Lock()
		f.s.local = !f.asked
		f.s.starved = f.s.starved || err != nil // do not run ahead into the same error
		m.mu.Unlock()
	}
	switch {
	case f.fill.Rest() == 0 && err == nil:
		f.fill.Release()
	case f.fill.Held():
		f.r.audit.restart() // no reader gets the bytes that have arrived
	}
	f.fill.Abandon(err)
	if f.s == nil {
		return
	}
	if !f.demanded {
		m.finish(f.s, f)
		return
	}
	m.mu.Lock()
	f.s.forget(f)
	m.mu.Unlock()
}

// fetch fills blocks from the disk cache and sends GETs for the rest. It replaces a GET that
// makes no progress with another one, each with twice the patience of the one before, until
// there was no progress for the deadline.
func (f *fetch) fetch(ctx context.Context) error {
	m := f.r.m
	patience := m.patience()
	stuck := time.Duration(0)
	for {
		f.fill.Load()
		before := f.fill.Rest()
		if before == 0 {
			return nil
		}
		if f.unwanted.Load() && (f.notWorthFinishing() || stuck > 0 && !f.fill.Wanted()) {
			return errUnwanted
		}
		f.ask()
		start := time.Now()
		err := f.get(ctx, min(patience, m.o.Deadline-stuck))
		if f.fill.Rest() < before {
			stuck = 0
		} else {
			stuck += time.Since(start)
		}
		switch {
		case err == nil, errors.Is(err, errMoved), errors.Is(err, errSlow):
		case errors.Is(err, errStalled):
			m.o.Logger.Debug("a GET made no progress and is sent again", slog.Any("error", err))
			patience *= 2
		case broken(err) && f.fill.Rest() < before:
		case errors.Is(err, io.ErrUnexpectedEOF):
			// The body ended before its first byte. This happens when a write of this mount has
			// ended the GET. The pause bounds the requests to a broken server.
			if perr := pauseFor(ctx, cutPause); perr != nil {
				return perr
			}
			stuck += cutPause
		default:
			return err
		}
		if stuck >= m.o.Deadline {
			return fmt.Errorf("fetching: %w: %w", s3.ErrDeadline, err)
		}
	}
}

// cutPause is the pause before a GET is repeated because its body ended before its first byte.
// It is about a round trip, and allows at most 600 attempts per minute.
const cutPause = 100 * time.Millisecond

// pauseFor waits for d, or until ctx is done.
func pauseFor(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// ask records that the disk cache does not have all bytes of the fetch.
func (f *fetch) ask() {
	f.asked = true
	if f.s != nil {
		f.r.m.mu.Lock()
		f.s.local = false
		f.r.m.mu.Unlock()
	}
}

// broken reports whether a body ended early. Package s3 resumes a body itself if its object
// has a strong ETag.
func broken(err error) bool {
	return errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, s3.ErrTransient)
}

// get sends one GET for the rest of the Fill, up to the next block in the disk cache, and
// reads its body into the Fill.
func (f *fetch) get(parent context.Context, patience time.Duration) error {
	w := watch(parent, patience)
	defer w.end()
	n := f.fill.Span()
	in, v := f.request(n)
	out, ttfb, err := f.r.m.send(w.ctx, in)
	if err != nil {
		return f.explain(w, v, err)
	}
	defer out.Body.Close()
	if err := f.verify(out, v); err != nil {
		return err
	}
	f.hold(&out.ObjectInfo)
	w.progress()
	return f.receive(w, v, out.Body, n, ttfb)
}

// receive reads size bytes of the body of a GET for v and measures the speed.
func (f *fetch) receive(w *watchdog, v Version, body io.ReadCloser, size int, ttfb time.Duration) error {
	start := time.Now()
	n, err := f.copy(body, size, w)
	f.r.m.measure(ttfb, int64(n), time.Since(start))
	if err != nil {
		return f.explain(w, v, err)
	}
	return nil
}

// request returns the GET for the next n bytes of the Fill, and the version it is for.
func (f *fetch) request(n int) (*s3.GetInput, Version) {
	v := f.r.Version()
	first := f.fill.Offset()
	in := &s3.GetInput{
		Bucket: f.r.m.o.Bucket, Key: v.Key, Unchecked: true,
		Range: s3.Bytes(first, first+int64(n)-1),
	}
	if f.wholeSmall() && n == f.fill.Rest() {
		in.Range = s3.Range{} // S3 returns the checksum of the object only with the whole object
	}
	switch {
	case strong(v.ETag):
		in.IfMatch = v.ETag
	case !f.r.modified.IsZero():
		in.IfUnmodifiedSince = f.r.modified
	}
	return in, v
}

// wholeSmall reports whether the fetch brings all bytes of a small object.
func (f *fetch) wholeSmall() bool {
	return f.fill.Offset() == 0 && f.fill.End() == f.r.obj.Size() && f.fill.End() <= cache.SmallObject
}

// hold records the checksum in an answer. It keeps a small object from readers until all
// bytes have arrived and the checksum matches.
func (f *fetch) hold(info *s3.ObjectInfo) {
	if info.Checksum.Whole() {
		f.r.m.checksums.observe(info.Checksum)
	}
	f.r.audit.expect(info.Checksum)
	if f.wholeSmall() && f.r.audit.expects() {
		f.fill.Hold()
	}
}

// verify compares the answer with the version, because some servers ignore If-Match.
func (f *fetch) verify(out *s3.GetOutput, v Version) error {
	same := out.Size == v.Size && (v.ETag == "" || sameETag(out.ETag, v.ETag))
	if v.ETag == "" && !f.r.modified.IsZero() {
		same = same && out.LastModified.Equal(f.r.modified)
	}
	if !same {
		return f.stale(v, fmt.Errorf("GET of %q answered with another version", v.Key))
	}
	if out.Offset != f.fill.Offset() {
		return fmt.Errorf("GET of %q from byte %d answered from byte %d", v.Key, f.fill.Offset(), out.Offset)
	}
	return nil
}

// copy reads size bytes of the body directly into block memory and returns the number of
// bytes that it read. It closes the body after them.
func (f *fetch) copy(body io.ReadCloser, size int, w *watchdog) (n int, err error) {
	pace := f.r.m.newPace()
	defer pace.end()
	f.r.audit.count()
	for n < size {
		p := f.fill.Next()
		got, err := body.Read(p[:min(len(p), size-n)])
		if got > 0 {
			n += got
			if n == size {
				body.Close() // frees its connection, which a HEAD for the checksum may need
			}
			if err := f.check(w.ctx, p[:got]); err != nil {
				return n, err
			}
			f.fill.Advance(got)
			w.progress()
			f.r.m.recordProgress()
			pace.got(got)
		}
		switch {
		case n == size:
		case err == io.EOF:
			return n, io.ErrUnexpectedEOF
		case err != nil:
			return n, err
		case f.unwanted.Load() && f.notWorthFinishing():
			return n, errUnwanted
		case !f.resumed && pace.resume(size-n):
			f.resumed = true
			return n, errSlow
		}
	}
	return n, nil
}

// check adds the next bytes of the Fill to the audit. A block counts when it is complete: when a
// fetch is abandoned, the bytes of its unfinished block are dropped and another fetch begins at the
// start of that block. Fine blocks do not count, because their whole block may be fetched later.
// check returns an error if the object is complete and has the wrong checksum.
func (f *fetch) check(ctx context.Context, p []byte) error {
	off := f.fill.Offset()
	for len(p) > 0 {
		n := min(int64(len(p)), cache.BlockSize-off%cache.BlockSize)
		if f.part == nil && off%cache.BlockSize == 0 {
			f.part = f.r.audit.begin(off, f.r.m.checksums.likely())
		}
		f.part.write(p[:n])
		p, off = p[n:], off+n
		if off%cache.BlockSize != 0 && off != f.r.obj.Size() {
			continue
		}
		block := f.part
		f.part = nil
		if err := f.audited(ctx, block); err != nil {
			return err
		}
	}
	return nil
}

// drainLimit in bytes is the largest rest of an unwanted body that is read to the end. It
// costs less than opening another connection.
const drainLimit = 512 << 10

// notWorthFinishing reports whether to cancel the fetch because its stream went elsewhere.
func (f *fetch) notWorthFinishing() bool {
	return f.fill.Rest() > drainLimit && !f.fill.Wanted()
}

// explain translates the error of a GET for v into the error of the fetch.
func (f *fetch) explain(w *watchdog, v Version, err error) error {
	switch {
	case w.fired():
		return fmt.Errorf("%w: %w", errStalled, err)
	case errors.Is(err, s3.ErrNoSuchBucket): // does not concern the version
	case errors.Is(err, s3.ErrPreconditionFailed), errors.Is(err, s3.ErrNotFound),
		errors.Is(err, s3.ErrInvalidRange):
		return f.stale(v, err)
	}
	return err
}

// stale returns the error of a version that is gone. It returns errMoved if this mount
// renamed the version after the GET was built.
func (f *fetch) stale(v Version, cause error) error {
	if f.r.Version() != v {
		return errMoved
	}
	return fmt.Errorf("%w: %w", ErrStale, cause)
}
