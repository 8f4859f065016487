package s3

import (
	"context"
	"errors"
	"net/http"
)

// checksumMode is the header that requests the checksum of the object.
const checksumMode = "X-Amz-Checksum-Mode"

// enabledHeader is shared by all requests and must not be modified.
var enabledHeader = []string{"ENABLED"}

// askChecksum adds the header that requests a checksum, unless checksums are off or the
// server refuses the header.
func (c *Client) askChecksum(bucket string, h http.Header) {
	if c.integrity.state.Load() != checksumOff && !c.features(bucket).support(FeatureChecksumMode).missing() {
		h[checksumMode] = enabledHeader
	}
}

// remedyChecksumMode removes the X-Amz-Checksum-Mode header after a refusal that may be
// due to it.
func (c *Client) remedyChecksumMode(k *call, e *Error) bool {
	if k.header[checksumMode] == nil || !refusesRequest(e) || c.features(k.bucket).support(FeatureChecksumMode) == SupportYes {
		return false
	}
	delete(k.header, checksumMode)
	k.unasked = true
	return true
}

// learnChecksumMode records the support that a successful request has shown.
func (c *Client) learnChecksumMode(k *call) {
	switch {
	case k.unasked:
		c.learned(k.bucket, FeatureChecksumMode, SupportRefused)
	case k.header[checksumMode] != nil:
		c.learned(k.bucket, FeatureChecksumMode, SupportYes)
	}
}

// readConditions removes If-Match if it never holds on this server.
func (c *Client) readConditions(bucket string, in Conditions) Conditions {
	if in.IfMatch != "" && c.features(bucket).support(FeatureGetIfMatch).missing() {
		in.IfMatch = ""
	}
	return in
}

// read sends a GET or HEAD and compares the ETag of the response with ifMatch. Some
// servers ignore If-Match, and on others it never holds.
func (c *Client) read(ctx context.Context, k *call, ifMatch string) (*response, error) {
	resp, err := c.do(ctx, k)
	if ifMatch == "" || ifMatch == "*" {
		return resp, err
	}
	f := c.features(k.bucket)
	sent := k.header["If-Match"] != nil
	if err != nil {
		if !sent || !errors.Is(err, ErrPreconditionFailed) || f.support(FeatureGetIfMatch) != SupportUnknown {
			return nil, err
		}
		delete(k.header, "If-Match")
		refusal := err
		if resp, err = c.do(ctx, k); err != nil {
			return nil, refusal
		}
		if !sameETag(first(resp.header, "Etag"), ifMatch) {
			resp.body.Close()
			return nil, refusal
		}
		c.learned(k.bucket, FeatureGetIfMatch, SupportRefused)
		return resp, nil
	}
	if etag := first(resp.header, "Etag"); etag != "" && !sameETag(etag, ifMatch) {
		resp.body.Close()
		e := k.fail(errOtherVersion)
		e.Status, e.Code, e.kind = http.StatusPreconditionFailed, "PreconditionFailed", ErrPreconditionFailed
		return nil, e
	}
	if sent && f.support(FeatureGetIfMatch) == SupportUnknown {
		c.learned(k.bucket, FeatureGetIfMatch, SupportYes)
	}
	return resp, nil
}
