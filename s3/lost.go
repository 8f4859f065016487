package s3

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"
)

// A write whose answer was lost may have happened, and its repetition then
// fails on what it has made itself: on If-None-Match because the object is
// there, on If-Match because it has another ETag or is gone, on an upload
// because it is completed. The functions here tell such an echo from the work of
// others by the content of the object.

// lostPut looks for the object that a conditional PUT may have made. It
// returns nil if that is not certain.
func (c *Client) lostPut(ctx context.Context, k *call, in *PutInput) *PutOutput {
	info, err := c.Head(ctx, &HeadInput{Bucket: in.Bucket, Key: in.Key, SSE: in.SSE.Customer})
	if err != nil || info.Size != in.Size || !carries(info.Metadata, in.Metadata) || !c.holds(info, k.body) {
		return nil
	}
	return &PutOutput{ETag: info.ETag, VersionID: info.VersionID, Date: info.LastModified}
}

// holds reports whether an object certainly has the bytes of p.
func (c *Client) holds(info *ObjectInfo, p *payload) bool {
	if p.sum != "" && info.Checksum == (Checksum{c.integrity.algorithm, p.sum}) {
		return true
	}
	etag := strings.Trim(info.ETag, `"`)
	if len(etag) != hex.EncodedLen(md5.Size) {
		return false
	}
	if p.md5 == "" && (p.seek == nil || p.rewind() != nil || c.hash(p) != nil) {
		return false
	}
	return p.md5Hex() == etag
}

// carries reports whether an object has the metadata that it was written with.
// Two writers of the same bytes, as of empty lock files, differ in it at best.
func carries(got, want map[string]string) bool {
	for name, v := range want {
		if got[strings.ToLower(name)] != v {
			return false
		}
	}
	return true
}

// lostCopy looks for the object that a conditional copy may have made. It
// returns nil if that is not certain, as it never is of an object copied onto itself.
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

// lostDelete reports whether the object is gone that a conditional DELETE may
// have deleted: some servers find no match in what is absent.
func (c *Client) lostDelete(ctx context.Context, in *DeleteInput) bool {
	_, err := c.Head(ctx, &HeadInput{Bucket: in.Bucket, Key: in.Key, VersionID: in.VersionID})
	return errors.Is(err, ErrNotFound) && !errors.Is(err, ErrNoSuchBucket)
}

// lostComplete looks for the object that the completion of an upload may have made.
func (c *Client) lostComplete(ctx context.Context, in *CompleteUploadInput) *PutOutput {
	want := uploadETag(in.Parts)
	if want == "" {
		return nil
	}
	info, err := c.Head(ctx, &HeadInput{Bucket: in.Upload.Bucket, Key: in.Upload.Key, SSE: in.SSE})
	if err != nil || strings.Trim(info.ETag, `"`) != want {
		return nil
	}
	return &PutOutput{ETag: info.ETag, VersionID: info.VersionID, Date: info.LastModified}
}

// isComplete makes sure that the object has the ETag which the completion of an
// upload was answered with. A server that was killed in the middle of the first
// attempt may find the upload gone, take it for completed, and have lost it:
// versitygw 1.8 does. An object that was written since is taken for lost, too; the
// caller then has the bytes still. Servers that do not show objects made of parts by
// the ETag that S3 gives them (uploadETag) are believed by the size.
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

// uploadETag is the ETag that S3 gives to an object made of parts, without
// quotes: the MD5 of the parts' MD5s and their number. It is "" where the
// parts' ETags are no MD5s, as with SSE-KMS and SSE-C.
func uploadETag(parts []Part) string {
	sum := md5.New()
	for _, p := range parts {
		b, err := hex.DecodeString(strings.Trim(p.ETag, `"`))
		if err != nil || len(b) != md5.Size {
			return ""
		}
		sum.Write(b)
	}
	return hex.EncodeToString(sum.Sum(nil)) + "-" + strconv.Itoa(len(parts))
}

// echo reports whether err may be the echo of the call's own lost success.
func (k *call) echo(err error) bool {
	return k.lost && (errors.Is(err, ErrPreconditionFailed) || errors.Is(err, ErrNotFound) && !errors.Is(err, ErrNoSuchBucket))
}
