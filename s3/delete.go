package s3

import (
	"context"
	"errors"
	"net/http"
)

// Delete deletes an object, or the version VersionID of it
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObject.html). In a
// versioned bucket, Delete without VersionID adds a delete marker. Delete returns no
// error if the key is absent.
func (c *Client) Delete(ctx context.Context, in *DeleteInput) (*DeleteOutput, error) {
	out := new(DeleteOutput)
	w := conditionalWrite{c: c, f: c.features(in.Bucket), op: opDelete, key: in.Key, version: in.VersionID,
		cond: condition{ifMatch: in.IfMatch}, match: FeatureDeleteIfMatch, absentIsOK: true,
		send: func(ctx context.Context, d condition) (err error) {
			out, err = c.deleteObject(ctx, in, d)
			return err
		}}
	if err := w.run(ctx); err != nil {
		return nil, err
	}
	return out, nil
}

const opDelete = "DeleteObject"

func (c *Client) deleteCall(in *DeleteInput, d condition) (*call, error) {
	if in.Key == "" {
		return nil, inputError(opDelete, in.Bucket, in.Key, "key is empty")
	}
	h := make(http.Header, 8)
	d.apply(h, c.features(in.Bucket))
	return &call{op: opDelete, method: http.MethodDelete, bucket: in.Bucket, key: in.Key, header: h,
		params: query(nil).add("versionId", in.VersionID)}, nil
}

// deleteObject sends one DeleteObject request with the given condition.
func (c *Client) deleteObject(ctx context.Context, in *DeleteInput, d condition) (*DeleteOutput, error) {
	k, err := c.deleteCall(in, d)
	if err != nil {
		return nil, err
	}
	var out DeleteOutput
	k.consume = func(resp *response) error {
		out.VersionID = first(resp.header, "X-Amz-Version-Id")
		out.DeleteMarker = first(resp.header, "X-Amz-Delete-Marker") == "true"
		return discard(resp)
	}
	_, err = c.do(ctx, k)
	absent := errors.Is(err, ErrNotFound) && !errors.Is(err, ErrNoSuchBucket)
	if err == nil || absent || !d.none() && k.echo(err) && c.lostDelete(ctx, in) {
		return &out, nil
	}
	return nil, err
}
