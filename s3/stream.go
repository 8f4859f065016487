package s3

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"
)

const (
	// streamPartSize is where uploads stop to gain from larger parts.
	streamPartSize = 8 << 20
	// streamParallel saturates a gateway on loopback; over a wide network it
	// is four times what one connection gives.
	streamParallel = 4
	// streamGrow is the number of parts after which the part size doubles:
	// 8 MiB then reaches S3's 5 TiB within its 10,000 parts.
	streamGrow = 1000
)

// PutStreamInput writes an object from a stream of any length.
type PutStreamInput struct {
	Bucket, Key string
	Body        io.Reader
	// PartSize is the size of the first 1000 parts, in bytes; each further
	// 1000 parts are twice as large. Default 8 MiB, at least MinPartSize.
	PartSize int64
	// Parallel is how many parts are sent at one time. Default 4.
	Parallel int
	ObjectOptions
	IfMatch, IfNoneMatch string
}

// PutStream writes an object from a stream whose length nobody knows: by one
// PUT if it ends within a part, else by a multipart upload
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html),
// which is aborted on failure. It holds at most Parallel+1 parts in memory, by default 40 MiB
// for objects up to 8000 MiB, and nothing else that grows with the object but
// 200 bytes per part.
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

// stream is one PutStream under way.
type stream struct {
	c     *Client
	in    PutStreamInput
	id    UploadID
	mu    sync.Mutex
	parts []Part // by number - 1
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

// sendAll reads part by part and hands them to senders. free holds the
// buffers that are not in use; its capacity is the bound on memory.
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

// read fills a free buffer with the next part.
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
