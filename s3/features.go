package s3

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// FeatureStore stores the findings about servers. Its methods must be safe for
// concurrent use.
type FeatureStore interface {
	// LoadFeatures returns the stored findings of a bucket. It returns no error if
	// there are none.
	LoadFeatures(bucket string) ([]Finding, error)
	// SaveFeatures adds findings to those of a bucket, and replaces older ones of the
	// same features.
	SaveFeatures(bucket string, found []Finding) error
}

// featureTTL is how long a finding is valid. A week is short enough to notice an
// upgraded server, and a probe of about ten requests a week costs little.
const featureTTL = 7 * 24 * time.Hour

// probePause is the time between a failed probe and the next one. In between, the
// client compares ETags itself.
const probePause = time.Minute

// bucketFeatures holds the findings about the server of one bucket.
type bucketFeatures struct {
	bucket       string
	load         sync.Once
	known        [featureCount]atomic.Uint32 // a Support each
	otherClasses atomic.Bool                 // an object with another storage class than STANDARD was seen
	customerKeys atomic.Bool                 // the server has confirmed a key for SSE-C
	oldest       atomic.Int64                // Unix time at which the first finding expires, or 0 if none does

	mu     sync.Mutex
	found  [featureCount]Finding
	logged [featureCount]bool
	probes [probeCount]probing
}

// probing is the state of one probe of one bucket.
type probing struct {
	done  chan struct{} // closed when the running probe ends; nil if none is running
	pause time.Time     // earliest time of the next probe
}

// features returns the findings about the server of a bucket, without the expired ones.
func (c *Client) features(bucket string) *bucketFeatures {
	if f, ok := c.buckets.Load(bucket); ok {
		f := c.ready(f.(*bucketFeatures))
		if due := f.oldest.Load(); due == 0 || time.Now().Unix() < due {
			return f
		}
		f.expire(time.Now())
		return f
	}
	f, _ := c.buckets.LoadOrStore(bucket, &bucketFeatures{bucket: bucket})
	return c.ready(f.(*bucketFeatures))
}

// ready loads the stored findings of a bucket once.
func (c *Client) ready(f *bucketFeatures) *bucketFeatures {
	f.load.Do(func() {
		f.mu.Lock()
		lines := c.loadFeatures(f)
		f.mu.Unlock()
		c.logFindings(lines)
	})
	return f
}

// loadFeatures sets the findings of the profile and of the store, and returns the
// findings to log. f.mu is held.
func (c *Client) loadFeatures(f *bucketFeatures) []Finding {
	now := time.Now()
	var lines []Finding
	for i, s := range c.profile.rows {
		if s != SupportUnknown {
			lines = f.set(lines, Finding{Feature(i), s, now, OriginProfile})
		}
	}
	if c.opts.FeatureStore == nil || c.profile.isS3() {
		return lines
	}
	stored, err := c.opts.FeatureStore.LoadFeatures(f.bucket)
	if err != nil {
		c.opts.Logger.Warn("cannot read the stored features of the server; s3mount detects them again", "err", err)
	}
	for _, one := range stored {
		if one.Feature < featureCount && f.support(one.Feature) == SupportUnknown &&
			now.Sub(one.Time) < featureTTL && one.Time.Before(now.Add(featureTTL)) {
			lines = f.set(lines, one)
		}
	}
	return lines
}

// set sets one finding and appends it to lines if it must be logged. f.mu is held.
func (f *bucketFeatures) set(lines []Finding, found Finding) []Finding {
	f.found[found.Feature] = found
	f.known[found.Feature].Store(uint32(found.Support))
	f.schedule()
	if found.Missing() && !f.logged[found.Feature] {
		f.logged[found.Feature] = true
		return append(lines, found)
	}
	return lines
}

// schedule computes when the first finding expires. f.mu is held.
func (f *bucketFeatures) schedule() {
	var first time.Time
	for _, one := range f.found {
		if one.Support == SupportUnknown || one.Origin == OriginProfile {
			continue
		}
		if due := one.Time.Add(featureTTL); first.IsZero() || due.Before(first) {
			first = due
		}
	}
	if first.IsZero() {
		f.oldest.Store(0)
		return
	}
	f.oldest.Store(first.Unix())
}

// expire removes expired findings.
func (f *bucketFeatures) expire(now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, one := range f.found {
		if one.Origin != OriginProfile && now.Sub(one.Time) >= featureTTL-time.Second {
			f.found[i] = Finding{}
			f.known[i].Store(uint32(SupportUnknown))
		}
	}
	f.schedule()
}

// support returns the known support of a feature.
func (f *bucketFeatures) support(x Feature) Support { return Support(f.known[x].Load()) }

// learned records what a request has shown. It is cheap if that is already known.
func (c *Client) learned(bucket string, x Feature, s Support) {
	f := c.features(bucket)
	if f.support(x) == s || c.profile.isS3() {
		return
	}
	c.addFindings(f, []Finding{{x, s, time.Now(), OriginUse}})
}

// addFindings sets and stores findings and logs missing features.
func (c *Client) addFindings(f *bucketFeatures, found []Finding) {
	var lines []Finding
	f.mu.Lock()
	for _, one := range found {
		lines = f.set(lines, one)
	}
	f.mu.Unlock()
	c.logFindings(lines)
	if c.opts.FeatureStore == nil {
		return
	}
	if err := c.opts.FeatureStore.SaveFeatures(f.bucket, found); err != nil {
		c.opts.Logger.Warn("cannot store the features of the server; the next mount detects them again", "err", err)
	}
}

func (c *Client) logFindings(lines []Finding) {
	for _, one := range lines {
		c.opts.Logger.Warn(one.String(), slog.String("feature", one.Feature.String()), slog.String("origin", string(one.Origin)))
	}
}

// Features returns the findings about the server of a bucket, one for each feature. It
// makes no request.
func (c *Client) Features(bucket string) []Finding {
	f := c.features(bucket)
	f.mu.Lock()
	defer f.mu.Unlock()
	all := make([]Finding, featureCount)
	for i, one := range f.found {
		one.Feature = Feature(i)
		all[i] = one
	}
	return all
}

// relies returns the support of a feature on which the next request relies. If the
// support is unknown and Options.ProbePrefix is set, relies probes the server. It
// returns SupportUnknown if no probe is possible, and SupportIgnored if the probe
// failed, so that the client compares ETags itself.
func (c *Client) relies(ctx context.Context, f *bucketFeatures, x Feature) (Support, error) {
	s, group := f.support(x), x.row().detect
	if s != SupportUnknown || c.opts.ProbePrefix == "" || group == byRefusal || ctx.Value(probeContext{}) != nil {
		return s, nil
	}
	f.mu.Lock()
	p := &f.probes[group]
	switch {
	case p.done == nil && time.Now().Before(p.pause):
		f.mu.Unlock()
		return SupportIgnored, nil
	case p.done == nil:
		p.done = make(chan struct{})
		done := p.done
		c.probing.Go(func() { c.probeInBackground(context.WithoutCancel(ctx), f, group, done) })
	}
	done := p.done
	f.mu.Unlock()
	select {
	case <-done:
	case <-ctx.Done():
		return SupportUnknown, &Error{Op: "probe", Bucket: f.bucket, Err: contextError(ctx)}
	}
	if s = f.support(x); s == SupportUnknown {
		s = SupportIgnored
	}
	return s, nil
}

// probeInBackground runs one probe for all callers that wait for done.
func (c *Client) probeInBackground(ctx context.Context, f *bucketFeatures, group detection, done chan struct{}) {
	err := c.probe(ctx, f, group)
	if err != nil {
		c.opts.Logger.Warn("cannot determine which conditions the server enforces; s3mount compares ETags itself until it can",
			"err", err)
	}
	f.mu.Lock()
	p := &f.probes[group]
	p.done, p.pause = nil, time.Now().Add(probePause)
	f.mu.Unlock()
	close(done)
}

// probe runs one probe and records its findings.
func (c *Client) probe(ctx context.Context, f *bucketFeatures, group detection) error {
	p := newProbe(c, f.bucket)
	ctx = context.WithValue(ctx, probeContext{}, true)
	err := p.run(ctx, group)
	if cerr := p.clean(ctx); err == nil {
		err = cerr
	}
	if len(p.found) > 0 {
		c.addFindings(f, p.found)
	}
	return err
}

// probeContext is the context key of the requests of a probe, which must not wait for a
// probe.
type probeContext struct{}

// ProbeFeatures tests every feature that a probe can detect, with about thirty requests
// on objects below Options.ProbePrefix, and returns all findings. It makes no request
// on AWS.
func (c *Client) ProbeFeatures(ctx context.Context, bucket string) ([]Finding, error) {
	f := c.features(bucket)
	if !c.profile.isS3() {
		for group := byRefusal + 1; group < probeCount; group++ {
			if err := c.probe(ctx, f, group); err != nil {
				return nil, err
			}
		}
	}
	return c.Features(bucket), nil
}

// unquotedETags reports whether If-Match requires ETags without quotes.
func (f *bucketFeatures) unquotedETags() bool { return f.support(FeatureQuotedETag).missing() }

// etag formats an ETag for a condition.
func (f *bucketFeatures) etag(v string) string {
	if f.unquotedETags() {
		return strings.Trim(v, `"`)
	}
	return v
}

// refusesRequest reports whether err means that the server does not know the kind of
// request or one of its headers.
func refusesRequest(err error) bool {
	var e *Error
	if !errors.As(err, &e) || e.retry || e.kind != nil && e.kind != ErrNotImplemented && e.kind != ErrInvalidInput {
		return false
	}
	switch e.Status {
	case 501, 405:
		return true
	case 400:
		switch e.Code {
		case "", "NotImplemented", "InvalidArgument", "InvalidRequest", "MalformedXML", "MethodNotAllowed", "BadRequest", "UnsupportedOperation":
			return true
		}
	}
	return e.kind == ErrNotImplemented
}
