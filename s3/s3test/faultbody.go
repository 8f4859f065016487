package s3test

import (
	"context"
	"io"
	"net/http"
	"sync"
	"time"
)

// faultBody is a body that is slow, changed, or ends before its end.
type faultBody struct {
	io.ReadCloser
	ctx    context.Context
	pace   *pacer
	cut    *Cut
	flip   *Flip
	read   int64
	closed chan struct{}
	once   sync.Once
}

// wrapBody returns a request's or an answer's body as the fault and the bandwidth leave it.
func wrapBody(ctx context.Context, body io.ReadCloser, f Fault, bandwidth int64, request bool) io.ReadCloser {
	cut, flip := f.Cut, f.Flip
	if cut != nil && cut.Request != request {
		cut = nil
	}
	if flip != nil && flip.Request != request {
		flip = nil
	}
	if body == nil || body == http.NoBody || cut == nil && flip == nil && bandwidth == 0 {
		return body
	}
	return &faultBody{
		ReadCloser: body, ctx: ctx, pace: newPacer(bandwidth), cut: cut, flip: flip, closed: make(chan struct{}),
	}
}

// Read implements io.Reader.
func (b *faultBody) Read(p []byte) (int, error) {
	if b.cut != nil {
		left := b.cut.After - b.read
		if left <= 0 {
			return 0, b.end()
		}
		p = p[:min(int64(len(p)), left)]
	}
	p = b.pace.limit(p)
	n, err := b.ReadCloser.Read(p)
	b.flip.apply(p[:n], b.read)
	b.read += int64(n)
	if waited := b.pace.wait(b.ctx, n); waited != nil && err == nil {
		err = waited
	}
	return n, err
}

// apply changes the byte, if it is in p, which starts at offset.
func (f *Flip) apply(p []byte, offset int64) {
	if f == nil || f.At < offset || f.At >= offset+int64(len(p)) {
		return
	}
	p[f.At-offset] ^= 0xff
}

// end returns the error at the end of a cut body.
func (b *faultBody) end() error {
	switch b.cut.How {
	case Reset:
		return resetError()
	case Stall:
		select {
		case <-b.ctx.Done():
			return context.Cause(b.ctx)
		case <-b.closed:
			return io.ErrClosedPipe
		}
	}
	return io.ErrUnexpectedEOF
}

// Close implements io.Closer; it also ends a stalled Read.
func (b *faultBody) Close() error {
	b.once.Do(func() { close(b.closed) })
	return b.ReadCloser.Close()
}

// pacer spreads bytes over time. The nil pacer does not.
type pacer struct {
	perSecond int64
	start     time.Time
	bytes     int64
}

func newPacer(perSecond int64) *pacer {
	if perSecond == 0 {
		return nil
	}
	return &pacer{perSecond: perSecond}
}

// limit shortens p to the bytes of a hundredth of a second, so that the data arrive
// evenly.
func (l *pacer) limit(p []byte) []byte {
	if l == nil {
		return p
	}
	return p[:min(int64(len(p)), max(l.perSecond/100, 1))]
}

// wait returns when n more bytes may have moved.
func (l *pacer) wait(ctx context.Context, n int) error {
	if l == nil {
		return nil
	}
	if l.start.IsZero() {
		l.start = time.Now()
	}
	l.bytes += int64(n)
	due := time.Duration(float64(l.bytes) / float64(l.perSecond) * float64(time.Second))
	return pause(ctx, due-time.Since(l.start))
}
