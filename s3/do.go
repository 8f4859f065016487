package s3

import (
	"context"
	"errors"
	"time"
)

// do makes a call. It sends attempts until one succeeds or a failure is final. Retries
// wait; remedies do not. The caller must close the body of the response, which is nil
// unless k.consume is nil.
func (c *Client) do(ctx context.Context, k *call) (*response, error) {
	if err := k.validate(); err != nil {
		return nil, err
	}
	c.addCommonHeaders(k)
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

// fail returns the error of a call without a response.
func (k *call) fail(err error) *Error {
	return &Error{Op: k.op, Bucket: k.bucket, Key: k.key, Err: err}
}

// contextError returns the error of an ended context, joined with its cause.
func contextError(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if cause == nil || errors.Is(cause, err) {
		return cause
	}
	return errors.Join(err, cause)
}

// validate returns an error if no server could accept the bucket or key.
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

// badBucket returns a description of the fault in a bucket name, or "" for a valid one.
// It accepts the names of the oldest buckets and of other servers
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

// remedies records which remedies one call has already used.
type remedies struct {
	redirects   int
	skew        bool
	credentials bool
	checksum    int
	asked       bool
}
