package s3

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"time"
)

// Presigned is a signed request that anyone can send until it expires
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-presigned-url.html).
type Presigned struct {
	Method string
	URL    string
	Header http.Header // headers that must be sent; some are part of the signature
}

// PresignGet returns a request that reads an object with the version, range and
// conditions of in
// (https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html). It
// expires after expires, which must be between 1 second and 7 days, or together with
// the credentials.
func (c *Client) PresignGet(ctx context.Context, in *GetInput, expires time.Duration) (*Presigned, error) {
	k, err := c.getCall(in)
	if err != nil {
		return nil, err
	}
	delete(k.header, checksumMode)
	return c.presign(ctx, k, expires)
}

// PresignHead returns a request for the properties of an object
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html).
func (c *Client) PresignHead(ctx context.Context, in *HeadInput, expires time.Duration) (*Presigned, error) {
	k, err := c.headCall(in)
	if err != nil {
		return nil, err
	}
	delete(k.header, checksumMode)
	return c.presign(ctx, k, expires)
}

// PresignPut returns a request that writes an object with the properties of in
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html). It ignores Body
// and Size, because the sender chooses the data.
func (c *Client) PresignPut(ctx context.Context, in *PutInput, expires time.Duration) (*Presigned, error) {
	plain := *in
	plain.Body, plain.Size = nil, 0
	k, err := c.putCall(&plain, condition{in.IfMatch, in.IfNoneMatch})
	if err != nil {
		return nil, err
	}
	return c.presign(ctx, k, expires)
}

// PresignDelete returns a request that deletes an object or a version
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObject.html).
func (c *Client) PresignDelete(ctx context.Context, in *DeleteInput, expires time.Duration) (*Presigned, error) {
	k, err := c.deleteCall(in, condition{ifMatch: in.IfMatch})
	if err != nil {
		return nil, err
	}
	return c.presign(ctx, k, expires)
}

// PresignUploadPart returns a request that uploads one part
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPart.html). It ignores
// Body and Size.
func (c *Client) PresignUploadPart(ctx context.Context, in *UploadPartInput, expires time.Duration) (*Presigned, error) {
	plain := *in
	plain.Body, plain.Size = nil, 0
	k, err := uploadPartCall(&plain)
	if err != nil {
		return nil, err
	}
	return c.presign(ctx, k, expires)
}

func (c *Client) presign(ctx context.Context, k *call, expires time.Duration) (*Presigned, error) {
	if err := k.validate(); err != nil {
		return nil, err
	}
	if expires < time.Second || expires > maxPresign {
		return nil, inputError(k.op, k.bucket, k.key, "expiry is not between 1 second and 7 days")
	}
	t, err := c.locate(k.bucket, k.key, c.region(k.bucket))
	if err != nil {
		return nil, err
	}
	if t.region == anyRegion {
		return nil, inputError(k.op, k.bucket, k.key, "URLs of multi-region access points are not supported")
	}
	cr, signed, err := c.credentials(ctx)
	if err == nil && !signed {
		err = errUnsigned
	}
	if err != nil {
		e := k.fail(err)
		e.kind = ErrNoCredentials
		return nil, e
	}
	c.addCustomerKey(k)
	q := k.params
	if c.opts.RequesterPays {
		q = append(q, param{"x-amz-request-payer", "requester"})
	}
	r := &http.Request{Method: k.method, Host: t.host, Header: maps.Clone(k.header)}
	enc := c.signer.presign(r, t.path, q, cr, signTarget{t.region, t.service, c.now()}, expires)
	return &Presigned{Method: k.method, URL: t.scheme + "://" + t.host + t.path + "?" + enc, Header: r.Header}, nil
}

var errUnsigned = errors.New("the client sends unsigned requests")
