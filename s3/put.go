package s3

import (
	"context"
	"io"
	"net/http"
)

// Put writes an object of at most MaxPartSize bytes
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html). If it returns
// nil, the server has stored the object. If a condition does not hold, it returns
// ErrPreconditionFailed, and after a concurrent write possibly ErrConflict.
//
// If the answer to an attempt was lost and the next attempt fails on its condition, Put
// takes an object with the same bytes and in.Metadata as the result of the lost
// attempt. Callers that create equal objects to exclude each other must therefore give
// each object unique metadata.
func (c *Client) Put(ctx context.Context, in *PutInput) (*PutOutput, error) {
	if _, err := c.putCall(in, condition{}); err != nil {
		return nil, err
	}
	if in.KeepTags {
		kept := *in
		var err error
		if kept.ObjectOptions, err = c.keptTags(ctx, in.Bucket, in.Key, in.ObjectOptions); err != nil {
			return nil, err
		}
		in = &kept
	}
	body := newPayload(in.Body, in.Size)
	var out *PutOutput
	w := conditionalWrite{c: c, f: c.features(in.Bucket), op: "PutObject", key: in.Key, sse: in.SSE.Customer,
		cond: condition{in.IfMatch, in.IfNoneMatch}, match: FeaturePutIfMatch, none: FeaturePutIfNoneMatch,
		repeatable: func() bool { return body.replayable() },
		send: func(ctx context.Context, d condition) (err error) {
			out, err = c.putObject(ctx, in, body.again(), d)
			return err
		}}
	if err := w.run(ctx); err != nil {
		return nil, err
	}
	return out, nil
}

// putObject sends one PutObject request with the given condition.
func (c *Client) putObject(ctx context.Context, in *PutInput, body *payload, d condition) (*PutOutput, error) {
	k, err := c.putCall(in, d)
	if err != nil {
		return nil, err
	}
	k.body = body
	k.body.once = !d.none()
	var out PutOutput
	err = c.upload(ctx, k, func(resp *response) { out = putOutput(resp.header) })
	if err == nil {
		return &out, nil
	}
	if k.body.once && k.echo(err) {
		if lost := c.lostPut(ctx, k, in); lost != nil {
			return lost, nil
		}
	}
	return nil, err
}

func (c *Client) putCall(in *PutInput, d condition) (*call, error) {
	const op = "PutObject"
	h := make(http.Header, 16)
	if msg := c.describe(h, in.Key, in.ObjectOptions); msg != "" {
		return nil, inputError(op, in.Bucket, in.Key, msg)
	}
	d.apply(h, c.features(in.Bucket))
	switch {
	case in.Key == "":
		return nil, inputError(op, in.Bucket, in.Key, "key is empty")
	case in.Size < 0:
		return nil, inputError(op, in.Bucket, in.Key, "size is negative")
	case in.Body == nil && in.Size > 0:
		return nil, inputError(op, in.Bucket, in.Key, "there is no body")
	case in.Size > MaxPartSize:
		return nil, &Error{Op: op, Bucket: in.Bucket, Key: in.Key, kind: ErrTooLarge, Message: "a single PUT holds at most 5 GiB"}
	}
	return &call{op: op, method: http.MethodPut, bucket: in.Bucket, key: in.Key, header: h, expect100: in.Expect100}, nil
}

// upload makes a call with a body and learns how the server treats checksums. It calls
// accepted with the response.
func (c *Client) upload(ctx context.Context, k *call, accepted func(*response)) error {
	unsure := false
	k.consume = func(resp *response) error {
		if err := discard(resp); err != nil {
			return err
		}
		unsure = !c.learn(k.body, resp.body.x.body, resp.header)
		accepted(resp)
		return nil
	}
	_, err := c.do(ctx, k)
	if err == nil && unsure {
		// The server accepted a trailer but did not confirm its checksum. It may have
		// stored the frame as data. Send the same bytes without a frame.
		_, err = c.do(ctx, k)
	}
	return err
}

// discard reads the body of a response that should be empty.
func discard(resp *response) error {
	buf := make([]byte, 512)
	for {
		if _, err := resp.body.Read(buf); err != nil {
			return ignoreEOF(err)
		}
	}
}

func ignoreEOF(err error) error {
	if err == io.EOF {
		return nil
	}
	return err
}
