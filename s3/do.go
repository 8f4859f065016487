package s3

import (
	"context"
	"errors"
	"time"
)

// do makes a call: attempts with retries, after remedies without a wait. The
// response's body is open only if k.consume is nil.
func (c *Client) do(ctx context.Context, k *call) (*response, error) {
	if err := k.validate(); err != nil {
		return nil, err
	}
	c.dress(k)
	r := retries{c: c, start: time.Now()}
	var m remedies
	for try := 0; ; try++ {
		resp, e := c.attempt(ctx, k, try)
		if e == nil {
			c.learnChecksumMode(k)
			return resp, nil
		}
		if ctx.Err() != nil {
			e.Err, e.kind = contextError(ctx), nil
			return nil, e
		}
		if k.body != nil && !k.body.replayable() {
			return nil, e
		}
		if c.remedy(ctx, k, e, &m) {
			continue
		}
		if k.noConflict && e.Code == "ConditionalRequestConflict" {
			return nil, e
		}
		if !r.next(ctx, e) {
			return nil, e
		}
	}
}

// fail makes the error of a call that got no answer.
func (k *call) fail(err error) *Error {
	return &Error{Op: k.op, Bucket: k.bucket, Key: k.key, Err: err}
}

// contextError keeps both that the context ended and why.
func contextError(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if cause == nil || errors.Is(cause, err) {
		return cause
	}
	return errors.Join(err, cause)
}

// validate refuses what no server could answer sensibly.
func (k *call) validate() error {
	if msg := badBucket(k.bucket); msg != "" {
		return inputError(k.op, k.bucket, k.key, msg)
	}
	if len(k.key) > MaxKeyLength {
		return &Error{Op: k.op, Bucket: k.bucket, Key: clip(k.key, 64), kind: ErrInvalidInput,
			Message: "key is longer than 1024 bytes"}
	}
	return nil
}

// badBucket says what is wrong with a bucket's name; "" if nothing. It is as
// lenient as the oldest buckets and other servers need
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html).
func badBucket(bucket string) string {
	const maxARN = 2048
	switch {
	case bucket == "":
		return "bucket name is empty"
	case len(bucket) > 4 && bucket[:4] == "arn:":
		if len(bucket) > maxARN {
			return "ARN is too long"
		}
		return ""
	case len(bucket) > 255:
		return "bucket name is longer than 255 bytes"
	case bucket == "." || bucket == "..":
		return "bucket name is not valid"
	}
	for i := 0; i < len(bucket); i++ {
		if c := bucket[i]; !isUnreserved(c) || c == '~' {
			return "bucket name holds a character other than letters, digits, '-', '_' and '.'"
		}
	}
	return ""
}

// remedies counts what was already tried for one call.
type remedies struct {
	redirects   int
	skew        bool
	credentials bool
	checksum    int
	asked       bool
}
