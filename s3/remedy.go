package s3

import (
	"context"
	"net/http"
	"strings"
	"time"
)

const (
	// maxRedirects is the largest number of redirects of one call: one to the region,
	// one while the DNS entry of a new bucket spreads, and one more.
	maxRedirects = 3
	// maxSkew is the largest difference between the clocks that is not corrected. S3
	// allows 15 minutes.
	maxSkew = 4 * time.Minute
	// maxCorrection is the largest correction of the clock. A clock in the wrong time
	// zone differs by at most 26 hours (UTC-12 to UTC+14). A server that claims a
	// larger difference could obtain requests whose signatures are valid in the distant
	// future.
	maxCorrection = 26 * time.Hour
)

// remedy corrects the fault of a request that the error describes. It returns true if
// the call should be attempted again without a wait.
func (c *Client) remedy(ctx context.Context, k *call, e *Error, m *remedies) bool {
	if c.remedyChecksumMode(k, e) || c.remedyCustomerKey(k, e) {
		return true
	}
	if k.method == http.MethodHead && e.Code == "" && !m.asked && vague(k, e) {
		m.asked = true
		c.ask(ctx, k.bucket, e)
	}
	return c.remedyChecksum(k, e, m) || c.remedySkew(k, e, m) || c.remedyCredentials(ctx, k, e, m) ||
		c.remedyRegion(k, e, m)
}

// maxChecksumFallbacks is the length of the longest path through the states of
// integrity.
const maxChecksumFallbacks = 3

func (c *Client) remedyChecksum(k *call, e *Error, m *remedies) bool {
	if e.Status == 0 || m.checksum == maxChecksumFallbacks {
		return false
	}
	ok := false
	switch {
	case k.body != nil:
		ok = k.body.weaken(e)
	case k.header[checksumAlgorithm] != nil && mayRefuseChecksum(e):
		delete(k.header, checksumAlgorithm)
		ok = true
	}
	if ok {
		m.checksum++
	}
	return ok
}

// remedySkew corrects the clock once, using the Date header of the response.
func (c *Client) remedySkew(k *call, e *Error, m *remedies) bool {
	if e.serverTime.IsZero() || m.skew || c.opts.Credentials == nil ||
		e.kind != ErrClockSkew && !(e.Code == "" && e.kind == ErrForbidden) && e.Code != "RequestExpired" {
		return false
	}
	off := e.serverTime.Sub(time.Now().Add(k.last.skew))
	if off.Abs() < maxSkew {
		return false
	}
	correction := time.Until(e.serverTime)
	if correction.Abs() > maxCorrection {
		return false
	}
	m.skew = true
	c.skew.Store(int64(correction))
	return true
}

// remedyCredentials renews refused credentials once, unless the provider already
// returns other ones.
func (c *Client) remedyCredentials(ctx context.Context, k *call, e *Error, m *remedies) bool {
	if m.credentials {
		return false
	}
	if k.method == http.MethodHead && e.Code == "" && e.Status == http.StatusForbidden {
		m.credentials = c.otherKeys(ctx, k)
		return m.credentials
	}
	if e.kind != ErrExpiredCredentials && e.Code != "InvalidAccessKeyId" && e.Code != "InvalidToken" {
		return false
	}
	p, ok := c.opts.Credentials.(interface{ Invalidate() })
	if !ok {
		return false
	}
	m.credentials = true
	if cr, _, err := c.credentials(ctx); err != nil || cr.AccessKeyID == k.last.key {
		p.Invalidate()
	}
	return true
}

// otherKeys reports whether the provider now returns other credentials than those of a
// refused HEAD. The response to a HEAD has no body and does not say whether the
// credentials are invalid or only lack permission for this object, so that otherKeys
// does not renew them.
func (c *Client) otherKeys(ctx context.Context, k *call) bool {
	p, ok := c.opts.Credentials.(interface{ recheck() })
	if !ok {
		return false
	}
	p.recheck()
	cr, signed, err := c.credentials(ctx)
	return err == nil && signed && cr.AccessKeyID != k.last.key
}

// remedyRegion follows a redirect to the endpoint of the bucket, if it belongs to the
// same provider. The next attempt has a new signature. Signed requests never go to the
// host of another provider.
func (c *Client) remedyRegion(k *call, e *Error, m *remedies) bool {
	if e.kind != ErrRedirect || strings.HasPrefix(k.bucket, "arn:") || isMultiRegion(k.bucket) || c.opts.Accelerate || m.redirects == maxRedirects {
		return false
	}
	m.redirects++
	if e.Region == "" {
		e.Region = regionOfHost(e.Endpoint)
	}
	if e.Region != "" && e.Region != k.last.region && validRegion(e.Region) && c.reachable(e.Region) {
		c.regions.Store(k.bucket, e.Region)
		return true
	}
	return c.followHost(k, e)
}

// reachable reports whether requests for region go to the chosen provider.
func (c *Client) reachable(region string) bool {
	return c.endpoint.host != "" || partitionOf(region).suffix == partitionOf(c.opts.Region).suffix
}

// followHost follows a redirect to another host of AWS for this call, or from path
// style to virtual-host style for all calls.
func (c *Client) followHost(k *call, e *Error) bool {
	host := strings.ToLower(e.Endpoint)
	if host == "" {
		return false
	}
	if c.endpoint.host != "" && host == k.bucket+"."+c.endpoint.host {
		c.virtualHost.Store(true)
		return host != k.last.host
	}
	to, ok := awsSuffix(host)
	if !ok || !c.endpoint.aws || e.Status != http.StatusTemporaryRedirect || host == k.last.host {
		return false
	}
	if from, _ := awsSuffix(c.awsHost("s3", c.opts.Region)); from != to || !strings.HasPrefix(host, k.bucket+".s3") {
		return false
	}
	k.host = host
	return true
}

// vague reports whether the response to a HEAD, which has no body, leaves the cause
// open: the region, the name of the bucket or, for HeadBucket, the credentials.
func vague(k *call, e *Error) bool {
	switch e.Status {
	case http.StatusMovedPermanently, http.StatusTemporaryRedirect, http.StatusBadRequest:
		return e.Region == ""
	case http.StatusForbidden:
		return k.op == opHeadBucket
	}
	return false
}

// ask makes a request whose response has a body and completes e from it.
func (c *Client) ask(ctx context.Context, bucket string, e *Error) {
	k := &call{op: "ListObjectsV2", method: http.MethodGet, bucket: bucket,
		params:  query{{"list-type", "2"}, {"max-keys", "1"}},
		consume: discard}
	_, told := c.attempt(ctx, k, 0)
	if told == nil || told.Status == 0 {
		return
	}
	e.Code, e.Message, e.Region, e.Endpoint = told.Code, told.Message, told.Region, told.Endpoint
	e.kind, e.retry = told.kind, told.retry
}
