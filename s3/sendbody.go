package s3

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// sendBody is the request body of one attempt. If sum is set, it adds the frame of the
// aws-chunked encoding with a checksum trailer
// (https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html).
//
// net/http may read a body after it has returned the response. The method stop prevents
// that, so that the caller's reader is not in use when the call returns.
type sendBody struct {
	src  io.Reader
	size int64
	sum  *checksummer // nil if there is no frame
	wd   *watchdog
	pool *bufferPool
	// responseTimeout begins when the body has been sent.
	responseTimeout time.Duration

	stopped atomic.Bool
	sent    atomic.Int64 // bytes of src

	mu   sync.Mutex // held while src is read
	head []byte     // unsent start of the frame
	tail []byte     // unsent end of the frame; set when src has been sent
	done bool       // tail has been set
	err  error      // error of src
}

var (
	errBodyStopped = errors.New("attempt is over")
	errBodyShort   = errors.New("body ends before its stated size")
)

// frameLen returns the number of bytes that aws-chunked adds to size bytes in one
// chunk.
func frameLen(size int64, a ChecksumAlgorithm) int64 {
	return int64(len(chunkHead(size))) + tailLen(size, a)
}

func chunkHead(size int64) []byte {
	if size == 0 {
		return nil
	}
	return fmt.Appendf(nil, "%x\r\n", size)
}

func tailLen(size int64, a ChecksumAlgorithm) int64 {
	n := int64(len("0\r\n") + len(a.header()) + 1 + a.encodedLen() + len("\r\n\r\n"))
	if size > 0 {
		n += int64(len("\r\n"))
	}
	return n
}

// Read implements io.Reader for net/http.
func (b *sendBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.state(); err != nil {
		return 0, err
	}
	if len(b.head) > 0 {
		n := copy(p, b.head)
		b.head = b.head[n:]
		return n, nil
	}
	if left := b.size - b.sent.Load(); left > 0 {
		b.wd.source()
		n, err := b.src.Read(p[:min(int64(len(p)), left)])
		b.took(p[:n])
		return n, b.sourceError(err)
	}
	b.finish()
	if len(b.tail) > 0 {
		n := copy(p, b.tail)
		b.tail = b.tail[n:]
		return n, nil
	}
	return 0, io.EOF
}

// writeTo writes at most n bytes of the body to w. It does not copy bytes that are in
// memory.
func (b *sendBody) writeTo(w io.Writer, n int64) (int64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.state(); err != nil {
		return 0, err
	}
	out := &pieceWriter{b: b, w: w, room: n}
	if err := out.drain(&b.head); err != nil {
		return out.n, err
	}
	if left := b.size - b.sent.Load(); left > 0 {
		if err := b.writeSource(out); err != nil {
			return out.n, err
		}
	}
	if b.sent.Load() == b.size {
		b.finish()
		if err := out.drain(&b.tail); err != nil {
			return out.n, err
		}
	}
	return out.n, nil
}

func (b *sendBody) writeSource(out *pieceWriter) error {
	b.wd.source()
	if src, ok := b.src.(io.WriterTo); ok {
		_, err := src.WriteTo(out)
		if errors.Is(err, errPieceFull) {
			return nil
		}
		if out.err != nil {
			return out.err
		}
		if err == nil && b.sent.Load() < b.size {
			err = io.EOF
		}
		return b.sourceError(err)
	}
	buf := b.pool.get()
	defer b.pool.put(buf)
	for b.sent.Load() < b.size && out.room > 0 {
		n, err := b.src.Read((*buf)[:min(copyBuffer, b.size-b.sent.Load(), out.room)])
		if n > 0 {
			if _, werr := out.Write((*buf)[:n]); werr != nil && !errors.Is(werr, errPieceFull) {
				return werr
			}
		}
		if err = b.sourceError(err); err != nil {
			return err
		}
	}
	return nil
}

// state returns an error after stop or after an error of the source.
func (b *sendBody) state() error {
	if b.stopped.Load() {
		return errBodyStopped
	}
	return b.err
}

// took accounts for bytes of the source that are being sent.
func (b *sendBody) took(p []byte) {
	if b.sum != nil {
		b.sum.write(p)
	}
	b.sent.Add(int64(len(p)))
	b.wd.send(len(p))
}

// sourceError stores and returns the error of the source. io.EOF after all bytes is not
// an error.
func (b *sendBody) sourceError(err error) error {
	switch {
	case err == nil || err == io.EOF && b.sent.Load() == b.size:
		return nil
	case err == io.EOF:
		err = errBodyShort
	}
	b.err = fmt.Errorf("read body: %w", err)
	return b.err
}

// finish sets the tail after all of the source was read.
func (b *sendBody) finish() {
	if b.done {
		return
	}
	b.done = true
	b.wd.await(b.responseTimeout)
	if b.sum == nil {
		return
	}
	b.tail = make([]byte, 0, tailLen(b.size, b.sum.algorithm))
	if b.size > 0 {
		b.tail = append(b.tail, "\r\n"...)
	}
	b.tail = fmt.Appendf(b.tail, "0\r\n%s:%s\r\n\r\n", trailerName(b.sum.algorithm), b.sum.value())
}

// Close implements io.Closer for net/http.
func (b *sendBody) Close() error { return nil }

// stop waits until the source is no longer read. The context of the attempt must have
// ended, or the body must have been sent.
func (b *sendBody) stop() {
	b.stopped.Store(true)
	b.mu.Lock()
	defer b.mu.Unlock()
}

// failure returns the error of the source, or nil.
func (b *sendBody) failure() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.err
}

// pieceSize is the largest single write. It lets the watchdog see progress, and the
// checksum is computed while the bytes are in the cache of the processor.
const pieceSize = 256 << 10

var errPieceFull = errors.New("body is complete")

// pieceWriter writes the source to the connection in pieces.
type pieceWriter struct {
	b    *sendBody
	w    io.Writer
	room int64 // bytes that net/http asked for
	n    int64
	err  error // error of w
}

// Write implements io.Writer for the WriteTo method of the source.
func (o *pieceWriter) Write(p []byte) (int, error) {
	done := 0
	for len(p) > 0 {
		k := min(int64(len(p)), pieceSize, o.room, o.b.size-o.b.sent.Load())
		if k <= 0 {
			return done, errPieceFull
		}
		if o.b.stopped.Load() {
			o.err = errBodyStopped
			return done, o.err
		}
		o.b.took(p[:k])
		if err := o.put(p[:k]); err != nil {
			return done, err
		}
		p, done = p[k:], done+int(k)
	}
	o.b.wd.source()
	return done, nil
}

// drain writes a part of the frame.
func (o *pieceWriter) drain(p *[]byte) error {
	k := min(int64(len(*p)), o.room)
	if k == 0 {
		return nil
	}
	err := o.put((*p)[:k])
	*p = (*p)[k:]
	return err
}

func (o *pieceWriter) put(p []byte) error {
	n, err := o.w.Write(p)
	o.n += int64(n)
	o.room -= int64(n)
	o.err = err
	return err
}
