package s3test

import (
	"context"
	"io"
	"sync"
	"time"
)

// faultBody is a body that is slow, or ends before its end.
type faultBody struct {
	io.ReadCloser
	ctx    context.Context
	pace   *pacer
	cut    *Cut
	read   int64
	closed chan struct{}
	once   sync.Once
}

// wrapBody returns body as the fault and the bandwidth leave it.
func wrapBody(ctx context.Context, body io.ReadCloser, cut *Cut, bandwidth int64) io.ReadCloser {
	if body == nil || cut == nil && bandwidth == 0 {
		return body
	}
	return &faultBody{ReadCloser: body, ctx: ctx, pace: newPacer(bandwidth), cut: cut, closed: make(chan struct{})}
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
	b.read += int64(n)
	if waited := b.pace.wait(b.ctx, n); waited != nil && err == nil {
		err = waited
	}
	return n, err
}

// end is what the reader sees where the body is cut.
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

// limit cuts p to what moves in a hundredth of a second, so that bytes
// trickle rather than come in lumps.
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
