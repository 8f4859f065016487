package s3

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
)

// CreateUpload starts a multipart upload
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateMultipartUpload.html). The
// caller must end it with CompleteUpload or AbortUpload; otherwise S3 stores, and
// bills, its parts forever.
func (c *Client) CreateUpload(ctx context.Context, in *CreateUploadInput) (UploadID, error) {
	const op = "CreateMultipartUpload"
	h := make(http.Header, 16)
	options, err := c.keptTags(ctx, in.Bucket, in.Key, in.ObjectOptions)
	if err != nil {
		return UploadID{}, err
	}
	if msg := c.describe(h, in.Key, options); msg != "" {
		return UploadID{}, inputError(op, in.Bucket, in.Key, msg)
	}
	if in.Key == "" {
		return UploadID{}, inputError(op, in.Bucket, in.Key, "key is empty")
	}
	id := UploadID{Bucket: in.Bucket, Key: in.Key}
	known := c.integrity.state.Load()
	asked := c.integrity.wanted() && (c.endpoint.aws || in.NoCopies)
	if asked {
		h[checksumAlgorithm] = []string{string(c.integrity.algorithm)}
	}
	k := &call{op: op, method: http.MethodPost, bucket: in.Bucket, key: in.Key, params: query{{"uploads", ""}}, header: h,
		consume: func(resp *response) error {
			return c.readDocument(resp, func(data []byte) error {
				r, err := parseResult(data, "InitiateMultipartUploadResult")
				id.ID = r.uploadID
				if err == nil && id.ID == "" {
					err = badDocument(data, errors.New("upload has no id"))
				}
				return err
			})
		}}
	if _, err := c.do(ctx, k); err != nil {
		return UploadID{}, err
	}
	if err := c.confirmCustomerKey(ctx, k); err != nil {
		return UploadID{}, c.abandon(ctx, id, err)
	}
	switch {
	case h[checksumAlgorithm] != nil:
		id.Checksum = c.integrity.algorithm
	// The server refused the header.
	case asked:
		c.integrity.state.CompareAndSwap(known, checksumMD5)
	}
	return id, nil
}

// checksumAlgorithm is the header that requests additional checksums of the parts.
const checksumAlgorithm = "X-Amz-Checksum-Algorithm"

// call returns a call on the upload.
func (id UploadID) call(op, method string, q query) (*call, error) {
	switch {
	case id.ID == "":
		return nil, inputError(op, id.Bucket, id.Key, "upload id is empty")
	case id.Key == "":
		return nil, inputError(op, id.Bucket, id.Key, "key is empty")
	}
	return &call{op: op, method: method, bucket: id.Bucket, key: id.Key,
		params: append(q, param{"uploadId", id.ID}), header: make(http.Header, 12)}, nil
}

func (id UploadID) partCall(op string, number int) (*call, error) {
	if number < 1 || number > MaxPartNumber {
		return nil, inputError(op, id.Bucket, id.Key, "part number "+strconv.Itoa(number)+" is not in 1..10000")
	}
	return id.call(op, http.MethodPut, query{{"partNumber", strconv.Itoa(number)}})
}

// UploadPart uploads one part
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPart.html). Parts can be
// uploaded in any order and in parallel. A part replaces an earlier part with the same
// number. To upload from an io.ReaderAt, pass an io.SectionReader.
func (c *Client) UploadPart(ctx context.Context, in *UploadPartInput) (*Part, error) {
	k, err := uploadPartCall(in)
	if err != nil {
		return nil, err
	}
	k.body = newPayload(in.Body, in.Size)
	k.body.plainPart = in.Upload.Checksum == ""
	part := &Part{Number: in.PartNumber, Size: in.Size}
	err = c.upload(ctx, k, func(resp *response) {
		part.ETag = first(resp.header, "Etag")
		if k.body.answer != nil && in.Upload.Checksum != "" {
			part.Checksum = *k.body.answer
		}
	})
	if err != nil {
		return nil, err
	}
	return part, nil
}

func uploadPartCall(in *UploadPartInput) (*call, error) {
	const op = "UploadPart"
	k, err := in.Upload.partCall(op, in.PartNumber)
	if err != nil {
		return nil, err
	}
	switch {
	case in.Size < 0 || in.Body == nil && in.Size > 0:
		return nil, inputError(op, in.Upload.Bucket, in.Upload.Key, "size is negative or there is no body")
	case in.Size > MaxPartSize:
		return nil, &Error{Op: op, Bucket: in.Upload.Bucket, Key: in.Upload.Key, kind: ErrTooLarge, Message: "a part holds at most 5 GiB"}
	}
	in.SSE.apply(k.header, ssecPrefix)
	return k, nil
}

// CopyPart makes a part from a range of another object
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPartCopy.html). If the
// server cannot copy, CopyPart reads the range and uploads it.
func (c *Client) CopyPart(ctx context.Context, in *CopyPartInput) (*Part, error) {
	f := c.features(in.Upload.Bucket)
	if f.support(FeaturePartCopy).missing() || isMultiRegion(in.SrcBucket) {
		return c.relayCopyPart(ctx, in)
	}
	part, err := c.copyPartFrom(ctx, in)
	if !notImplemented(err) {
		return part, err
	}
	if part, err = c.relayCopyPart(ctx, in); err == nil {
		c.learned(f.bucket, FeaturePartCopy, SupportRefused)
	}
	return part, err
}

// uploadPartCopy sends one UploadPartCopy request with the given source conditions.
func (c *Client) uploadPartCopy(ctx context.Context, in *CopyPartInput, src Conditions) (*Part, error) {
	const op = "UploadPartCopy"
	k, err := in.Upload.partCall(op, in.PartNumber)
	if err != nil {
		return nil, err
	}
	if err := validSource(op, in.SrcBucket, in.SrcKey); err != nil {
		return nil, err
	}
	if in.First < 0 || in.Last < in.First {
		return nil, inputError(op, in.Upload.Bucket, in.Upload.Key, "range of the source is not valid")
	}
	h := k.header
	h["X-Amz-Copy-Source"] = []string{copySource(in.SrcBucket, in.SrcKey, in.SrcVersionID)}
	h["X-Amz-Copy-Source-Range"] = []string{Bytes(in.First, in.Last).String()}
	src.apply(h, copySourcePrefix)
	in.SSE.apply(h, ssecPrefix)
	in.SrcSSE.apply(h, copySourcePrefix)
	part := &Part{Number: in.PartNumber, Size: in.Last - in.First + 1}
	k.copied = part.Size
	k.consume = func(resp *response) error {
		return c.readDocument(resp, func(data []byte) error {
			r, err := parseResult(data, "CopyPartResult")
			part.ETag = r.etag
			if in.Upload.Checksum != "" && r.sum.Whole() {
				part.Checksum = r.sum
			}
			return err
		})
	}
	if _, err := c.do(ctx, k); err != nil {
		return nil, refusedSource(err)
	}
	return part, nil
}

// CompleteUpload assembles the object from its parts
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html).
// After ErrConflict the upload cannot be completed: the caller must upload all parts
// again. If the answer to an attempt was lost, CompleteUpload checks the object with a
// HEAD request, and returns ErrLostUpload if the server has lost it.
func (c *Client) CompleteUpload(ctx context.Context, in *CompleteUploadInput) (*PutOutput, error) {
	if _, err := completeDocument(in); err != nil {
		return nil, err
	}
	var out *PutOutput
	w := conditionalWrite{c: c, f: c.features(in.Upload.Bucket), op: opComplete, key: in.Upload.Key, sse: in.SSE,
		cond: condition{in.IfMatch, in.IfNoneMatch}, match: FeatureCompleteIfMatch, none: FeatureCompleteIfNoneMatch,
		send: func(ctx context.Context, d condition) (err error) {
			out, err = c.completeUpload(ctx, in, d)
			return err
		}}
	if err := w.run(ctx); err != nil {
		return nil, err
	}
	return out, nil
}

const opComplete = "CompleteMultipartUpload"

// completeUpload sends one CompleteMultipartUpload request with the given condition.
func (c *Client) completeUpload(ctx context.Context, in *CompleteUploadInput, d condition) (*PutOutput, error) {
	k, err := in.Upload.call(opComplete, http.MethodPost, nil)
	if err != nil {
		return nil, err
	}
	if k.document, err = completeDocument(in); err != nil {
		return nil, err
	}
	h := k.header
	h["Content-Type"] = []string{"application/xml"}
	d.apply(h, c.features(in.Upload.Bucket))
	in.SSE.apply(h, ssecPrefix)
	var out PutOutput
	k.noConflict = true
	for _, part := range in.Parts {
		k.copied += cmp.Or(part.Size, MaxPartSize) // some servers copy the parts into the object
	}
	k.consume = func(resp *response) error {
		return c.readDocument(resp, func(data []byte) error {
			r, err := parseResult(data, "CompleteMultipartUploadResult")
			out = putOutput(resp.header)
			out.ETag = r.etag
			return err
		})
	}
	if _, err = c.do(ctx, k); err == nil {
		return c.completed(ctx, in, &out, k.lost)
	}
	if k.echo(err) {
		if lost := c.lostComplete(ctx, in); lost != nil {
			return lost, nil
		}
	}
	return nil, err
}

// completed adds the ETag to the result of a successful completion if the server left
// it empty, as Ceph does. It computes the ETag from the parts, or asks for it with a
// HEAD request if their ETags are not MD5s. If an earlier attempt may have completed
// the upload, completed also checks that the object exists.
func (c *Client) completed(ctx context.Context, in *CompleteUploadInput, out *PutOutput, repeated bool) (*PutOutput, error) {
	if out.ETag == "" {
		out.ETag = strongETag(uploadETag(in.Parts))
	}
	if repeated && out.ETag != "" {
		if err := c.isComplete(ctx, in, out.ETag); err != nil {
			return nil, err
		}
	}
	if out.ETag != "" {
		return out, nil
	}
	info, err := c.Head(ctx, &HeadInput{Bucket: in.Upload.Bucket, Key: in.Upload.Key, SSE: in.SSE})
	if err != nil {
		return nil, fmt.Errorf("ask for the ETag of the completed upload: %w", err)
	}
	out.ETag = info.ETag
	return out, nil
}

func completeDocument(in *CompleteUploadInput) ([]byte, error) {
	bad := func(msg string) ([]byte, error) {
		return nil, inputError("CompleteMultipartUpload", in.Upload.Bucket, in.Upload.Key, msg)
	}
	if len(in.Parts) == 0 {
		return bad("there are no parts")
	}
	doc := make([]byte, 0, 128+len(in.Parts)*192)
	doc = append(doc, `<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">`...)
	last := 0
	for _, p := range in.Parts {
		if p.Number <= last || p.Number > MaxPartNumber {
			return bad("part numbers are not ascending in 1..10000")
		}
		last = p.Number
		doc = append(doc, "<Part>"...)
		if p.Checksum.Value != "" {
			name := "Checksum" + string(p.Checksum.Algorithm)
			doc = append(doc, "<"+name+">"+p.Checksum.Value+"</"+name+">"...)
		}
		doc = append(doc, "<ETag>"...)
		var ok bool
		if doc, ok = appendXMLText(doc, p.ETag); !ok {
			return bad("the ETag of a part is not valid")
		}
		doc = append(doc, "</ETag><PartNumber>"...)
		doc = strconv.AppendInt(doc, int64(p.Number), 10)
		doc = append(doc, "</PartNumber></Part>"...)
	}
	return append(doc, "</CompleteMultipartUpload>"...), nil
}

// AbortUpload ends an upload and deletes its parts
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_AbortMultipartUpload.html). It
// returns no error if the upload is absent.
func (c *Client) AbortUpload(ctx context.Context, id UploadID) error {
	k, err := id.call("AbortMultipartUpload", http.MethodDelete, nil)
	if err != nil {
		return err
	}
	k.consume = discard
	_, err = c.do(ctx, k)
	if errors.Is(err, ErrNotFound) && !errors.Is(err, ErrNoSuchBucket) {
		return nil
	}
	return err
}
