package s3

import (
	"bytes"
	"context"
	"io"
)

const (
	// relayPart is the size of a relayed part in memory.
	relayPart = 8 << 20
	// relayParallel is the number of relayed parts of one client in memory at the same
	// time. Together they have 32 MiB.
	relayParallel = 4
)

// relayCopy copies an object through this process, for servers without CopyObject. The
// target gets the same properties as with CopyObject.
func (c *Client) relayCopy(ctx context.Context, in *CopyInput) (*CopyOutput, error) {
	src, err := c.copySourceInfo(ctx, in)
	if err != nil {
		return nil, err
	}
	if src.Size > relayPart {
		return c.copyByParts(ctx, in, src, relayPart)
	}
	options, err := c.copyOptions(ctx, in, src)
	if err != nil {
		return nil, err
	}
	var out *PutOutput
	err = c.relay(ctx, &GetInput{Bucket: in.SrcBucket, Key: in.SrcKey, VersionID: in.SrcVersionID,
		Conditions: Conditions{IfMatch: src.ETag}, SSE: in.SrcSSE}, src.Size, func(body io.Reader) (err error) {
		out, err = c.Put(ctx, &PutInput{Bucket: in.Bucket, Key: in.Key, Body: body, Size: src.Size, ObjectOptions: options,
			IfMatch: in.IfMatch, IfNoneMatch: in.IfNoneMatch})
		return err
	})
	if err != nil {
		return nil, err
	}
	return &CopyOutput{ETag: out.ETag, LastModified: out.Date, VersionID: out.VersionID}, nil
}

// relayCopyPart copies a part through this process, for servers without UploadPartCopy.
func (c *Client) relayCopyPart(ctx context.Context, in *CopyPartInput) (*Part, error) {
	size := in.Last - in.First + 1
	var part *Part
	err := c.relay(ctx, &GetInput{Bucket: in.SrcBucket, Key: in.SrcKey, VersionID: in.SrcVersionID, Range: Bytes(in.First, in.Last),
		Conditions: in.SrcIf, SSE: in.SrcSSE}, size, func(body io.Reader) (err error) {
		part, err = c.UploadPart(ctx, &UploadPartInput{Upload: in.Upload, PartNumber: in.PartNumber, Body: body, Size: size, SSE: in.SSE})
		return err
	})
	return part, err
}

// relay passes size bytes of an object to send. Up to relayPart bytes, it reads them
// all and ends the GET before it calls send, because some servers do not accept a write
// of a key that is being read. More bytes are passed on as they arrive.
func (c *Client) relay(ctx context.Context, in *GetInput, size int64, send func(io.Reader) error) error {
	select {
	case c.relays <- struct{}{}:
		defer func() { <-c.relays }()
	case <-ctx.Done():
		return &Error{Op: "GetObject", Bucket: in.Bucket, Key: in.Key, Err: contextError(ctx)}
	}
	if size <= relayPart {
		data := make([]byte, size)
		out, n, err := c.GetInto(ctx, in, data)
		if err != nil {
			return refusedSource(err)
		}
		if out.Length != size || int64(n) != size {
			return &Error{Op: "GetObject", Bucket: in.Bucket, Key: in.Key, Err: errOtherVersion, kind: ErrPreconditionFailed}
		}
		return send(bytes.NewReader(data))
	}
	out, err := c.Get(ctx, in)
	if err != nil {
		return refusedSource(err)
	}
	defer out.Body.Close()
	return send(struct{ io.Reader }{out.Body})
}
