package s3test

import (
	"net/http"

	"github.com/s3mount/s3mount/s3"
)

// Refusal is the answer of a server to an unknown request. The zero value is 501
// NotImplemented.
type Refusal struct {
	Status int
	Code   string
}

// quirk is a header by which requests of some kinds ask for a feature; without
// a header, the kind itself is the feature.
type quirk struct {
	kind, header string
	x            s3.Feature
}

// quirks returns the headers and kinds of all features that a server may lack.
func quirks() []quirk {
	return []quirk{
		{"PutObject", "If-Match", s3.FeaturePutIfMatch},
		{"PutObject", "If-None-Match", s3.FeaturePutIfNoneMatch},
		{"CompleteMultipartUpload", "If-Match", s3.FeatureCompleteIfMatch},
		{"CompleteMultipartUpload", "If-None-Match", s3.FeatureCompleteIfNoneMatch},
		{"DeleteObject", "If-Match", s3.FeatureDeleteIfMatch},
		{"CopyObject", "If-Match", s3.FeatureCopyIfMatch},
		{"CopyObject", "If-None-Match", s3.FeatureCopyIfNoneMatch},
		{"CopyObject", "X-Amz-Copy-Source-If-Match", s3.FeatureCopySourceIf},
		{"UploadPartCopy", "X-Amz-Copy-Source-If-Match", s3.FeaturePartCopySourceIf},
		{"GetObject", "X-Amz-Checksum-Mode", s3.FeatureChecksumMode},
		{"HeadObject", "X-Amz-Checksum-Mode", s3.FeatureChecksumMode},
		{"CopyObject", "", s3.FeatureCopy},
		{"UploadPartCopy", "", s3.FeaturePartCopy},
		{"DeleteObjects", "", s3.FeatureDeleteObjects},
		{"ListObjectsV2", "", s3.FeatureListV2},
	}
}

// applyQuirks takes the headers away that this server ignores, and refuses the
// requests that it does not know.
func (c *call) applyQuirks() error {
	if len(c.opts.Support) == 0 {
		return nil
	}
	for _, q := range quirks() {
		if q.kind != c.kind || q.header != "" && c.r.Header.Get(q.header) == "" {
			continue
		}
		switch c.opts.Support[q.x] {
		case s3.SupportIgnored:
			c.r.Header.Del(q.header)
		case s3.SupportRefused:
			return c.refuse(q.x)
		}
	}
	if c.r.Header.Get("If-Match") != "" && (c.kind == "GetObject" || c.kind == "HeadObject") &&
		c.opts.Support[s3.FeatureGetIfMatch] == s3.SupportRefused {
		return errPrecondition("If-Match") // independent of the ETag
	}
	return nil
}

// lacks reports whether the server does this with a feature.
func (c *call) lacks(x s3.Feature, s s3.Support) bool { return c.opts.Support[x] == s }

// refuse is the answer to a request for a feature that the server does not know.
func (c *call) refuse(x s3.Feature) *apiError {
	r := c.opts.Refusal
	if r.Status == 0 {
		r = Refusal{http.StatusNotImplemented, "NotImplemented"}
	}
	return fail(r.Status, r.Code, "This server does not support "+x.String())
}
