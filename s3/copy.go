package s3

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strings"
	"time"
)

// copySource returns the value of the x-amz-copy-source header.
func copySource(bucket, key, version string) string {
	var s string
	if len(bucket) > 4 && bucket[:4] == "arn:" {
		s = bucket + "/object/" + escapeKey(key)
	} else {
		s = "/" + bucket + "/" + escapeKey(key)
	}
	if version != "" {
		s += "?versionId=" + string(appendEscaped(nil, version, false))
	}
	return s
}

// Copy copies an object within S3 and keeps or replaces its properties
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html). It copies a
// source of more than MaxPartSize bytes by parts in parallel. If the server cannot
// copy, Copy reads the source and writes the target.
func (c *Client) Copy(ctx context.Context, in *CopyInput) (*CopyOutput, error) {
	in, err := c.ruledCopy(ctx, in)
	if err != nil {
		return nil, err
	}
	if in.SrcSize > MaxPartSize {
		src, err := c.copySourceInfo(ctx, in)
		if err != nil {
			return nil, err
		}
		return c.copyLarge(ctx, in, src)
	}
	if c.features(in.Bucket).support(FeatureCopy).missing() || isMultiRegion(in.SrcBucket) {
		return c.relayCopy(ctx, in)
	}
	out, err := c.serverCopy(ctx, in)
	if err != nil && in.SrcSize == 0 && mayBeTooLarge(err) {
		if src, herr := c.copySourceInfo(ctx, in); herr == nil && src.Size > MaxPartSize {
			return c.copyLarge(ctx, in, src)
		}
	}
	if notImplemented(err) {
		relayed, rerr := c.relayCopy(ctx, in)
		if rerr != nil {
			return nil, rerr
		}
		c.learned(in.Bucket, FeatureCopy, SupportRefused)
		return relayed, nil
	}
	return out, err
}

// notImplemented reports whether err means that the server has no such operation. A
// server that does not know x-amz-copy-source treats a copy as an upload without a
// length and answers 411, or refuses the header as an invalid argument.
func notImplemented(err error) bool {
	var e *Error
	return errors.As(err, &e) && (e.kind == ErrNotImplemented || e.Status == http.StatusMethodNotAllowed ||
		e.Status == http.StatusLengthRequired || deniesCopies(e))
}

// deniesCopies reports whether e refuses copies in general with status 400. S3 itself
// uses the same codes for a source, a storage class or an encryption that it does not
// accept, so that the message must be about copies: either about the operation or about
// the header of the source.
func deniesCopies(e *Error) bool {
	if e.Status != http.StatusBadRequest {
		return false
	}
	switch e.Code {
	case "", "InvalidArgument", "InvalidRequest", "NotSupported", "UnsupportedOperation":
	default:
		return false
	}
	m := strings.ToLower(e.Message)
	return strings.Contains(m, "copy") && (strings.Contains(m, "support") || strings.Contains(m, "implement"))
}

// serverCopy copies inside the server with the conditions of in.
func (c *Client) serverCopy(ctx context.Context, in *CopyInput) (*CopyOutput, error) {
	f := c.features(in.Bucket)
	var out *CopyOutput
	w := conditionalWrite{c: c, f: f, op: opCopy, key: in.Key, sse: in.SSE.Customer,
		cond: condition{in.IfMatch, in.IfNoneMatch}, match: FeatureCopyIfMatch, none: FeatureCopyIfNoneMatch,
		send: func(ctx context.Context, d condition) error {
			return c.fromSource(ctx, f, in, func(src Conditions) (err error) {
				out, err = c.copyObject(ctx, in, src, d)
				return err
			})
		}}
	if err := w.run(ctx); err != nil {
		return nil, err
	}
	return out, nil
}

// validSource returns an error if bucket and key cannot name an object.
func validSource(op, bucket, key string) error {
	switch msg := badBucket(bucket); {
	case msg != "":
		return inputError(op, bucket, key, "source: "+msg)
	case key == "" || len(key) > MaxKeyLength:
		return inputError(op, bucket, clip(key, 64), "source: key is empty or longer than 1024 bytes")
	}
	return nil
}

func (c *Client) copySourceInfo(ctx context.Context, in *CopyInput) (*ObjectInfo, error) {
	info, err := c.Head(ctx, &HeadInput{Bucket: in.SrcBucket, Key: in.SrcKey, VersionID: in.SrcVersionID,
		Conditions: in.SrcIf, SSE: in.SrcSSE})
	return info, refusedSource(err)
}

// refusedSource changes ErrNotModified to ErrPreconditionFailed, which is the error of
// CopyObject for a source condition that does not hold. HEAD and the copies of some
// servers return 304 instead.
func refusedSource(err error) error {
	var e *Error
	if errors.Is(err, ErrNotModified) && errors.As(err, &e) {
		e.kind = ErrPreconditionFailed
	}
	return err
}

const opCopy = "CopyObject"

// copyObject sends one CopyObject request with the given conditions.
func (c *Client) copyObject(ctx context.Context, in *CopyInput, src Conditions, d condition) (*CopyOutput, error) {
	h := make(http.Header, 16)
	if err := validSource(opCopy, in.SrcBucket, in.SrcKey); err != nil {
		return nil, err
	}
	if in.Key == "" {
		return nil, inputError(opCopy, in.Bucket, in.Key, "key is empty")
	}
	h["X-Amz-Copy-Source"] = []string{copySource(in.SrcBucket, in.SrcKey, in.SrcVersionID)}
	src.apply(h, copySourcePrefix)
	d.apply(h, c.features(in.Bucket))
	in.SrcSSE.apply(h, copySourcePrefix)
	if msg := c.describeCopy(h, in); msg != "" {
		return nil, inputError(opCopy, in.Bucket, in.Key, msg)
	}
	out := new(CopyOutput)
	k := &call{op: opCopy, method: http.MethodPut, bucket: in.Bucket, key: in.Key, header: h,
		copied: cmp.Or(in.SrcSize, MaxPartSize),
		consume: func(resp *response) error {
			out.VersionID = first(resp.header, "X-Amz-Version-Id")
			return c.readDocument(resp, func(data []byte) error {
				r, err := parseResult(data, "CopyObjectResult")
				out.ETag, out.LastModified = r.etag, r.modified
				return err
			})
		}}
	_, err := c.do(ctx, k)
	if err == nil {
		if err = c.confirmCustomerKey(ctx, k); err != nil {
			return nil, err
		}
		return out, nil
	}
	err = refusedSource(err)
	if !d.none() && k.echo(err) {
		if lost := c.lostCopy(ctx, in); lost != nil {
			return lost, nil
		}
	}
	return nil, err
}

// result holds the elements of the short documents that acknowledge a write.
type result struct {
	etag, uploadID string
	modified       time.Time
	sum            Checksum
}

// parseResult parses a result whose root element is want. If the document is an
// <Error>, parseResult returns it as an *Error.
func parseResult(data []byte, want string) (result, error) {
	var r result
	err := parseDocument(data, want, func(_, name, text []byte) error {
		switch string(name) {
		case "ETag":
			r.etag = strongETag(string(text))
		case "UploadId":
			r.uploadID = string(text)
		case "LastModified":
			r.modified = listedTime(text)
		case "ChecksumCRC32C":
			r.sum = Checksum{CRC32C, string(text)}
		case "ChecksumCRC64NVME":
			r.sum = Checksum{CRC64NVME, string(text)}
		}
		return nil
	}, "ETag", "UploadId", "LastModified")
	return r, err
}
