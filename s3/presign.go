package s3

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"time"
)

// Presigned is a request that anyone can make until it expires
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-presigned-url.html).
type Presigned struct {
	Method string
	URL    string
	Header http.Header // must be sent along; part of it is signed
}

// PresignGet makes a URL to read an object, or the version, range and
// conditions of in
// (https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html). It expires after 1 second to 7 days, or with the credentials.
func (c *Client) PresignGet(ctx context.Context, in *GetInput, expires time.Duration) (*Presigned, error) {
	k, err := c.getCall(in)
	if err != nil {
		return nil, err
	}
	delete(k.header, checksumMode)
	return c.presign(ctx, k, expires)
}

// PresignHead makes a URL for HEAD of an object
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html).
func (c *Client) PresignHead(ctx context.Context, in *HeadInput, expires time.Duration) (*Presigned, error) {
	k, err := c.headCall(in)
	if err != nil {
		return nil, err
	}
	delete(k.header, checksumMode)
	return c.presign(ctx, k, expires)
}

// PresignPut makes a URL to write an object with the properties of in
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html). Body
// and Size are not used: the sender chooses them.
func (c *Client) PresignPut(ctx context.Context, in *PutInput, expires time.Duration) (*Presigned, error) {
	plain := *in
	plain.Body, plain.Size = nil, 0
	k, err := c.putCall(&plain, condition{in.IfMatch, in.IfNoneMatch})
	if err != nil {
		return nil, err
	}
	return c.presign(ctx, k, expires)
}

// PresignDelete makes a URL to delete an object or a version of it
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObject.html).
func (c *Client) PresignDelete(ctx context.Context, in *DeleteInput, expires time.Duration) (*Presigned, error) {
	k, err := c.deleteCall(in, condition{ifMatch: in.IfMatch})
	if err != nil {
		return nil, err
	}
	return c.presign(ctx, k, expires)
}

// PresignUploadPart makes a URL to upload one part
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPart.html). Body and Size are not used.
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
