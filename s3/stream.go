package s3

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"
)

const (
	// streamPartSize is the default part size. Larger parts do not make uploads faster.
	streamPartSize = 8 << 20
	// streamParallel is the default number of parallel parts. It saturates a gateway on
	// the loopback interface, and on a wide area network it is four times as fast as
	// one connection.
	streamParallel = 4
	// streamGrow is the number of parts after which the part size doubles. With it, 8
	// MiB parts reach 5 TiB within 10,000 parts.
	streamGrow = 1000
)

// PutStreamInput contains the arguments of PutStream.
type PutStreamInput struct {
	Bucket, Key string
	Body        io.Reader
	// PartSize is the size of the first 1000 parts in bytes. It doubles after each 1000
	// parts. The default is 8 MiB and the minimum is MinPartSize.
	PartSize int64
	// Parallel is the number of parts that are sent at the same time. The default is 4.
	Parallel int
	ObjectOptions
	IfMatch, IfNoneMatch string
}

// PutStream writes an object from a stream of unknown length. It makes one PUT if the
// stream ends within one part, and otherwise a multipart upload
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html), which it
// aborts on failure. It holds at most Parallel+1 parts in memory, by default 40 MiB for
// objects up to 8000 MiB, and 200 bytes per part.
func (c *Client) PutStream(ctx context.Context, in *PutStreamInput) (*PutOutput, error) {
	s := &stream{c: c, in: *in}
	setDefault(&s.in.PartSize, streamPartSize)
	setDefault(&s.in.Parallel, streamParallel)
	if in.Body == nil || s.in.PartSize < MinPartSize || s.in.PartSize > MaxPartSize || s.in.Parallel < 1 {
		return nil, inputError("PutStream", in.Bucket, in.Key, "body, part size or parallel is not valid")
	}
	first := make([]byte, s.in.PartSize)
	n, err := io.ReadFull(in.Body, first)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return c.Put(ctx, &PutInput{Bucket: in.Bucket, Key: in.Key, Body: bytes.NewReader(first[:n]), Size: int64(n),
			ObjectOptions: in.ObjectOptions, IfMatch: in.IfMatch, IfNoneMatch: in.IfNoneMatch})
	}
	if err != nil {
		return nil, s.readError(err)
	}
	return s.upload(ctx, first)
}

// stream is one PutStream in progress.
type stream struct {
	c     *Client
	in    PutStreamInput
	id    UploadID
	mu    sync.Mutex
	parts []Part // indexed by part number - 1
}

func (s *stream) readError(err error) error {
	return &Error{Op: "PutStream", Bucket: s.in.Bucket, Key: s.in.Key, Message: "read body", Err: err}
}

func (s *stream) upload(ctx context.Context, first []byte) (*PutOutput, error) {
	id, err := s.c.CreateUpload(ctx, &CreateUploadInput{Bucket: s.in.Bucket, Key: s.in.Key,
		ObjectOptions: s.in.ObjectOptions, NoCopies: true})
	if err != nil {
		return nil, err
	}
	s.id = id
	err = s.sendAll(ctx, first)
	var out *PutOutput
	if err == nil {
		out, err = s.c.CompleteUpload(ctx, &CompleteUploadInput{Upload: id, Parts: s.parts,
			IfMatch: s.in.IfMatch, IfNoneMatch: s.in.IfNoneMatch, SSE: s.in.SSE.Customer})
	}
	if err != nil {
		return nil, s.c.abandon(ctx, id, err)
	}
	return out, nil
}

// sendAll reads the parts one by one and sends them in parallel. free holds the unused
// buffers; its capacity bounds the memory.
func (s *stream) sendAll(ctx context.Context, first []byte) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	free := make(chan []byte, s.in.Parallel+1)
	for range s.in.Parallel {
		free <- nil
	}
	var wg sync.WaitGroup
	buf, n := first, len(first)
	for number := 1; n > 0; number++ {
		if number > MaxPartNumber {
			cancel(&Error{Op: "PutStream", Bucket: s.in.Bucket, Key: s.in.Key, kind: ErrTooLarge, Message: "over 10000 parts"})
			break
		}
		part := buf
		size := n
		wg.Go(func() {
			if err := s.send(ctx, number, part[:size]); err != nil {
				cancel(err)
			}
			free <- part
		})
		// a short part is the last one
		if size < len(part) {
			break // that was the end
		}
		var err error
		if buf, n, err = s.read(ctx, free, number+1); err != nil {
			cancel(err)
			break
		}
	}
	wg.Wait()
	return context.Cause(ctx)
}

// read waits for a free buffer and reads the next part into it.
func (s *stream) read(ctx context.Context, free chan []byte, number int) ([]byte, int, error) {
	var buf []byte
	select {
	case buf = <-free:
	case <-ctx.Done():
		return nil, 0, context.Cause(ctx)
	}
	size := min(s.in.PartSize<<((number-1)/streamGrow), MaxPartSize)
	if int64(len(buf)) != size {
		buf = make([]byte, size)
	}
	n, err := io.ReadFull(s.in.Body, buf)
	if err != nil && err != io.EOF && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, 0, s.readError(err)
	}
	return buf, n, nil
}

func (s *stream) send(ctx context.Context, number int, data []byte) error {
	p, err := s.c.UploadPart(ctx, &UploadPartInput{Upload: s.id, PartNumber: number,
		Body: bytes.NewReader(data), Size: int64(len(data)), SSE: s.in.SSE.Customer})
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.parts) < number {
		s.parts = append(s.parts, Part{})
	}
	s.parts[number-1] = *p
	return nil
}
