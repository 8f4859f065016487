package s3

import (
	"context"
	"errors"
	"net/http"
	"strings"
)

// Head returns the properties of an object
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html). The response
// to HEAD has no body, so that only the status determines the kind of an error: a
// missing bucket is ErrNotFound like a missing key.
func (c *Client) Head(ctx context.Context, in *HeadInput) (*ObjectInfo, error) {
	k, err := c.headCall(in)
	if err != nil {
		return nil, err
	}
	resp, err := c.read(ctx, k, in.IfMatch)
	if err != nil {
		return nil, c.absentInstead(ctx, in, err)
	}
	resp.body.Close()
	info := objectInfo(in.Key, resp)
	c.observeStorageClass(in.Bucket, info.StorageClass)
	if info.Size < 0 {
		// Some servers omit the length of an empty object. A missing length of any
		// other object does not mean 0.
		if strings.Trim(info.ETag, `"`) != emptyMD5 {
			e := k.fail(errNoLength)
			e.Status = resp.status
			return nil, e
		}
		info.Size = 0
	}
	return &info, nil
}

// absentInstead returns ErrNotFound instead of a 403 if a listing shows that the object
// is absent. S3 answers HEAD requests for absent objects with 403 if the client may
// list only some prefixes.
func (c *Client) absentInstead(ctx context.Context, in *HeadInput, err error) error {
	var e *Error
	if !errors.As(err, &e) || e.Status != http.StatusForbidden || e.retry || in.VersionID != "" {
		return err
	}
	absent := &Error{Op: e.Op, Bucket: e.Bucket, Key: e.Key, Status: http.StatusNotFound, RequestID: e.RequestID, kind: ErrNotFound}
	if in.DeniedIsAbsent {
		return absent
	}
	page, lerr := c.Ls(ctx, &LsInput{Bucket: in.Bucket, Prefix: in.Key, MaxKeys: 1})
	if lerr != nil || len(page.Objects) > 0 && page.Objects[0].Key == in.Key {
		return err
	}
	c.learned(in.Bucket, FeatureHeadAbsent, SupportRefused)
	return absent
}

// emptyMD5 is the ETag of an empty object.
const emptyMD5 = "d41d8cd98f00b204e9800998ecf8427e"

func (c *Client) headCall(in *HeadInput) (*call, error) {
	const op = "HeadObject"
	if in.Key == "" {
		return nil, inputError(op, in.Bucket, in.Key, "key is empty")
	}
	h := make(http.Header, 10)
	c.readConditions(in.Bucket, in.Conditions).apply(h, "")
	in.SSE.apply(h, ssecPrefix)
	c.askChecksum(in.Bucket, h)
	return &call{op: op, method: http.MethodHead, bucket: in.Bucket, key: in.Key,
		params: query(nil).add("versionId", in.VersionID), header: h}, nil
}

const opHeadBucket = "HeadBucket"

// HeadBucket returns the region of a bucket, if the bucket exists and the client may
// use it (https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html).
func (c *Client) HeadBucket(ctx context.Context, bucket string) (*BucketInfo, error) {
	resp, err := c.do(ctx, &call{op: opHeadBucket, method: http.MethodHead, bucket: bucket})
	if err != nil {
		return nil, err
	}
	resp.body.Close()
	return &BucketInfo{Region: first(resp.header, "X-Amz-Bucket-Region")}, nil
}

// putOutput returns the result of a write from the headers of the response.
func putOutput(h http.Header) PutOutput {
	return PutOutput{ETag: strongETag(first(h, "Etag")), VersionID: first(h, "X-Amz-Version-Id"), Date: httpTime(first(h, "Date"))}
}
