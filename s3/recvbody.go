package s3

import (
	"context"
	"io"
	"time"
)

// recvBody is the body of a response, watched for stalls.
type recvBody struct {
	x    *exchange
	src  io.ReadCloser
	left int64 // still to come; below 0 if not known
	eof  bool
}

// Read implements io.Reader. A body that is cut short gives io.ErrUnexpectedEOF.
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
	// drainMax is how much of an unread body is read to keep the connection:
	// less than what is in flight on a fast line anyway.
	drainMax = 64 << 10
	// drainTimeout is how long that may take: a new connection takes as long.
	drainTimeout = 200 * time.Millisecond
)

// Close drops the rest of the body and ends the exchange.
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
