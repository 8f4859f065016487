package s3

import (
	"context"
	"io"
	"time"
)

// recvBody is the body of a response under a watchdog.
type recvBody struct {
	x    *exchange
	src  io.ReadCloser
	left int64 // remaining bytes; negative if unknown
	eof  bool
}

// Read implements io.Reader. It returns io.ErrUnexpectedEOF if the body is truncated.
func (b *recvBody) Read(p []byte) (int, error) {
	x := b.x
	x.wd.begin()
	n, err := b.src.Read(p)
	x.wd.progress(n)
	x.at.BytesReceived += int64(n)
	b.left -= int64(n)
	if err == io.EOF {
		b.eof = true
		return n, err
	}
	if err != nil {
		if cause := context.Cause(x.own); cause != nil && x.ctx.Err() == nil {
			err = cause
		}
		x.at.Err = err
	}
	return n, err
}

const (
	// drainMax is the largest rest of a body that Close reads to keep the connection.
	// Fast networks have more than that in flight.
	drainMax = 64 << 10
	// drainTimeout bounds this read. A new connection takes about as long.
	drainTimeout = 200 * time.Millisecond
)

// Close discards the rest of the body and ends the exchange.
func (b *recvBody) Close() error {
	if b.x.ended {
		return nil
	}
	if !b.eof && b.left <= drainMax && b.x.own.Err() == nil {
		b.x.wd.await(drainTimeout)
		io.CopyN(io.Discard, b.src, drainMax)
		b.x.wd.pause()
	}
	b.src.Close()
	b.x.end()
	return nil
}
