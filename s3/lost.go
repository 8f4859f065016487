package s3

import (
	"context"
	"errors"
	"strings"
)

// A write whose answer was lost may have succeeded. The repetition then fails because
// of the first attempt: If-None-Match because the object exists, If-Match because its
// ETag has changed or it is gone, and CompleteMultipartUpload because the upload is
// complete. The functions in this file compare the object with the write, to
// distinguish this from the write of another client.

// lostPut returns the result of a conditional PUT whose answer was lost, or nil if the
// object is not certain to be its result.
func (c *Client) lostPut(ctx context.Context, k *call, in *PutInput) *PutOutput {
	info, err := c.Head(ctx, &HeadInput{Bucket: in.Bucket, Key: in.Key, SSE: in.SSE.Customer})
	if err != nil {
		return nil
	}
	if made, _ := Made(info, in.Size, in.Metadata, func() (Fingerprint, error) { return c.fingerprint(k.body), nil }); !made {
		return nil
	}
	return &PutOutput{ETag: info.ETag, VersionID: info.VersionID, Date: info.LastModified}
}

// lostCopy returns the result of a conditional copy whose answer was lost, or nil if
// the object is not certain to be its result. It is never certain for an object that is
// copied onto itself.
func (c *Client) lostCopy(ctx context.Context, in *CopyInput) *CopyOutput {
	src, err := c.copySourceInfo(ctx, in)
	if err != nil || in.SrcBucket == in.Bucket && in.SrcKey == in.Key {
		return nil
	}
	info, err := c.Head(ctx, &HeadInput{Bucket: in.Bucket, Key: in.Key, SSE: in.SSE.Customer})
	if err != nil || info.Size != src.Size || info.ETag == "" || info.ETag != src.ETag {
		return nil
	}
	metadata := src.Metadata
	if in.ReplaceMetadata {
		metadata = in.Metadata
	}
	if !carries(info.Metadata, metadata) {
		return nil
	}
	return &CopyOutput{ETag: info.ETag, LastModified: info.LastModified, VersionID: info.VersionID}
}

// lostDelete reports whether the object of a conditional DELETE is absent. For some
// servers If-Match does not hold for an absent object.
func (c *Client) lostDelete(ctx context.Context, in *DeleteInput) bool {
	_, err := c.Head(ctx, &HeadInput{Bucket: in.Bucket, Key: in.Key, VersionID: in.VersionID})
	return errors.Is(err, ErrNotFound) && !errors.Is(err, ErrNoSuchBucket)
}

// lostComplete returns the result of a CompleteMultipartUpload whose answer was lost,
// or nil if the object is not certain to be its result.
func (c *Client) lostComplete(ctx context.Context, in *CompleteUploadInput) *PutOutput {
	want := FingerprintOfParts(in.Parts)
	if want == (Fingerprint{}) {
		return nil
	}
	info, err := c.Head(ctx, &HeadInput{Bucket: in.Upload.Bucket, Key: in.Upload.Key, SSE: in.SSE})
	if err != nil || !want.matches(info) {
		return nil
	}
	return &PutOutput{ETag: info.ETag, VersionID: info.VersionID, Date: info.LastModified}
}

// isComplete returns ErrLostUpload if the object of a completed upload does not have
// the ETag of the answer. A server that was killed during the first attempt may lose
// the object, and report success for the repetition because the upload no longer
// exists: versitygw 1.8 does. isComplete also reports an object that was overwritten in
// between as lost; the caller still has the bytes. If the server does not use the
// multipart ETags of S3 (uploadETag), the object must have the right size.
func (c *Client) isComplete(ctx context.Context, in *CompleteUploadInput, etag string) error {
	id := in.Upload
	var size int64
	for _, p := range in.Parts {
		size += p.Size
	}
	info, err := c.Head(ctx, &HeadInput{Bucket: id.Bucket, Key: id.Key, SSE: in.SSE})
	switch {
	case err == nil && strings.Trim(info.ETag, `"`) == strings.Trim(etag, `"`),
		err == nil && !strings.Contains(info.ETag, "-") && info.Size == size:
		return nil
	case err == nil || errors.Is(err, ErrNotFound) && !errors.Is(err, ErrNoSuchBucket):
		return &Error{Op: "CompleteMultipartUpload", Bucket: id.Bucket, Key: clip(id.Key, MaxKeyLength), kind: ErrLostUpload,
			Message: "answered as done, but the object is not there"}
	}
	return err
}

// echo reports whether err may be the result of an earlier attempt of the same call
// that succeeded without an answer.
func (k *call) echo(err error) bool {
	return k.lost && (errors.Is(err, ErrPreconditionFailed) || errors.Is(err, ErrNotFound) && !errors.Is(err, ErrNoSuchBucket))
}
