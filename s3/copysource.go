package s3

import (
	"context"
	"errors"
	"net/http"
)

// fromSource makes a copy whose source must satisfy in.SrcIf. send makes the request
// with the given source conditions. If the server does not check If-Match on the
// source, fromSource compares the source with a HEAD request first.
func (c *Client) fromSource(ctx context.Context, f *bucketFeatures, in *CopyInput, send func(Conditions) error) error {
	plain := in.SrcIf
	plain.IfMatch = ""
	if in.SrcIf.IfMatch == "" {
		return send(plain)
	}
	support, err := c.relies(ctx, f, FeatureCopySourceIf)
	if err != nil {
		return err
	}
	if support.missing() {
		if err := c.compareSource(ctx, in); err != nil {
			return err
		}
		if support == SupportRefused {
			return send(plain)
		}
		return send(in.SrcIf)
	}
	err = send(in.SrcIf)
	unfit := errors.Is(err, ErrPreconditionFailed) && !c.profile.isS3() || support == SupportUnknown && refusesRequest(err)
	if !unfit {
		return err
	}
	// Some servers compare with an ETag that differs from the one in HEAD.
	if cerr := c.compareSource(ctx, in); cerr != nil {
		return otherVersion(cerr, err)
	}
	if perr := send(plain); perr != nil {
		return err
	}
	c.learned(f.bucket, FeatureCopySourceIf, SupportRefused)
	return nil
}

// otherVersion returns compared if it says that the object is another version, and
// otherwise the server's answer.
func otherVersion(compared, answer error) error {
	if errors.Is(compared, ErrPreconditionFailed) {
		return compared
	}
	return answer
}

// compareSource checks with a HEAD request that the source of a copy has the ETag
// in.SrcIf.IfMatch.
func (c *Client) compareSource(ctx context.Context, in *CopyInput) error {
	info, err := c.Head(ctx, &HeadInput{Bucket: in.SrcBucket, Key: in.SrcKey, VersionID: in.SrcVersionID, SSE: in.SrcSSE})
	if err != nil {
		return err
	}
	if in.SrcIf.IfMatch != "*" && !sameETag(info.ETag, in.SrcIf.IfMatch) {
		return &Error{Op: opCopy, Bucket: in.SrcBucket, Key: in.SrcKey, Status: http.StatusPreconditionFailed, Code: "PreconditionFailed",
			Message: "a HEAD request shows that the source is another version", kind: ErrPreconditionFailed}
	}
	return nil
}

// copyPartFrom copies a part from a source that must satisfy in.SrcIf. If the server
// does not check the condition, copyPartFrom compares the source after the copy. A
// comparison before the copy would miss a change in between.
func (c *Client) copyPartFrom(ctx context.Context, in *CopyPartInput) (*Part, error) {
	f := c.features(in.Upload.Bucket)
	source := &CopyInput{SrcBucket: in.SrcBucket, SrcKey: in.SrcKey, SrcVersionID: in.SrcVersionID, SrcIf: in.SrcIf, SrcSSE: in.SrcSSE}
	support := SupportYes
	if in.SrcIf.IfMatch != "" {
		var err error
		if support, err = c.relies(ctx, f, FeaturePartCopySourceIf); err != nil {
			return nil, err
		}
	}
	plain := in.SrcIf
	plain.IfMatch = ""
	conditions := in.SrcIf
	if support == SupportRefused {
		conditions = plain
	}
	part, err := c.uploadPartCopy(ctx, in, conditions)
	if support.missing() && err == nil {
		return part, c.compareSource(ctx, source)
	}
	unfit := in.SrcIf.IfMatch != "" && !support.missing() &&
		(errors.Is(err, ErrPreconditionFailed) && !c.profile.isS3() || support == SupportUnknown && refusesRequest(err))
	if !unfit {
		return part, err
	}
	if cerr := c.compareSource(ctx, source); cerr != nil {
		return nil, otherVersion(cerr, err)
	}
	part, perr := c.uploadPartCopy(ctx, in, plain)
	if perr != nil {
		return nil, err
	}
	c.learned(f.bucket, FeaturePartCopySourceIf, SupportRefused)
	return part, c.compareSource(ctx, source)
}
