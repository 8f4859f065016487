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

// FeatureStore keeps what clients found out about servers. Its methods may be
// called by many goroutines.
type FeatureStore interface {
	// LoadFeatures returns what is kept of a bucket; nothing is no error.
	LoadFeatures(bucket string) ([]Finding, error)
	// SaveFeatures keeps findings of a bucket in addition to the others.
	SaveFeatures(bucket string, found []Finding) error
}

// featureTTL is how long a finding is believed. A server that was upgraded is
// noticed within a week, and a probe of some ten requests a week costs nothing.
const featureTTL = 7 * 24 * time.Hour

// probePause is how long the client waits after a probe that failed before it
// tries again. Meanwhile it compares ETags itself.
const probePause = time.Minute

// bucketFeatures is what is known of the server for one bucket.
type bucketFeatures struct {
	bucket  string
	load    sync.Once
	known   [featureCount]atomic.Uint32 // a Support each
	classes atomic.Bool                 // an object is in another storage class than STANDARD
	oldest  atomic.Int64                // Unix time at which the first finding is too old; 0: never

	mu     sync.Mutex
	found  [featureCount]Finding
	logged [featureCount]bool
	probes [probeCount]probing
}

// probing is the state of one probe of one bucket.
type probing struct {
	done  chan struct{} // closed when the probe under way has ended; nil: none is under way
	pause time.Time     // no other probe before
}

// features returns what is known of the server for a bucket.
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

// ready loads what is known of a bucket, once.
func (c *Client) ready(f *bucketFeatures) *bucketFeatures {
	f.load.Do(func() {
		f.mu.Lock()
		lines := c.loadFeatures(f)
		f.mu.Unlock()
		c.logFindings(lines)
	})
	return f
}

// loadFeatures fills in what the profile and the store know. It returns what
// is to be logged. f.mu is held.
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
		c.opts.Logger.Warn("the stored features of the server cannot be read; s3mount finds them out again", "err", err)
	}
	for _, one := range stored {
		if one.Feature < featureCount && f.support(one.Feature) == SupportUnknown &&
			now.Sub(one.Time) < featureTTL && one.Time.Before(now.Add(featureTTL)) {
			lines = f.set(lines, one)
		}
	}
	return lines
}

// set takes over one finding and appends it to lines if it is to be logged.
// f.mu is held.
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

// schedule computes when the first finding is too old. f.mu is held.
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

// expire forgets the findings that are too old.
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

// support returns what is known of a feature.
func (f *bucketFeatures) support(x Feature) Support { return Support(f.known[x].Load()) }

// learned takes over what a request has shown. It costs next to nothing if
// that is known already.
func (c *Client) learned(bucket string, x Feature, s Support) {
	f := c.features(bucket)
	if f.support(x) == s || c.profile.isS3() {
		return
	}
	c.takeOver(f, []Finding{{x, s, time.Now(), OriginUse}})
}

// takeOver takes over findings, stores them and logs what is missing.
func (c *Client) takeOver(f *bucketFeatures, found []Finding) {
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
		c.opts.Logger.Warn("the features of the server cannot be stored; the next mount finds them out again", "err", err)
	}
}

func (c *Client) logFindings(lines []Finding) {
	for _, one := range lines {
		c.opts.Logger.Warn(one.String(), slog.String("feature", one.Feature.String()), slog.String("origin", string(one.Origin)))
	}
}

// Features returns what is known of the server for a bucket, one finding for
// each feature, without a request.
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

// relies returns what the server does with a feature that the next request
// relies on. It probes the server if that is not known and Options.ProbePrefix
// allows it. Without an answer it returns SupportUnknown if nobody probes, and
// SupportIgnored if the probe failed: the client then compares ETags itself.
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

// probeInBackground runs one probe on behalf of all who wait for it.
func (c *Client) probeInBackground(ctx context.Context, f *bucketFeatures, group detection, done chan struct{}) {
	err := c.probe(ctx, f, group)
	if err != nil {
		c.opts.Logger.Warn("it could not be found out which conditions the server enforces; s3mount compares ETags itself until it knows",
			"err", err)
	}
	f.mu.Lock()
	p := &f.probes[group]
	p.done, p.pause = nil, time.Now().Add(probePause)
	f.mu.Unlock()
	close(done)
}

// probe runs one probe and takes over what it found.
func (c *Client) probe(ctx context.Context, f *bucketFeatures, group detection) error {
	p := newProbe(c, f.bucket)
	ctx = context.WithValue(ctx, probeContext{}, true)
	err := p.run(ctx, group)
	if cerr := p.clean(ctx); err == nil {
		err = cerr
	}
	if len(p.found) > 0 {
		c.takeOver(f, p.found)
	}
	return err
}

// probeContext marks the context of the requests of a probe, which must not
// wait for a probe themselves.
type probeContext struct{}

// ProbeFeatures finds out anew everything about a bucket's server that a probe
// can show, by some thirty requests on objects below Options.ProbePrefix, and
// returns what is known then. On AWS it makes no request.
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

// unquotedETags reports whether If-Match holds only without the ETag's quotes.
func (f *bucketFeatures) unquotedETags() bool { return f.support(FeatureQuotedETag).missing() }

// etag writes an ETag as the server wants it in a condition.
func (f *bucketFeatures) etag(v string) string {
	if f.unquotedETags() {
		return strings.Trim(v, `"`)
	}
	return v
}

// refusesRequest reports whether err is the answer of a server that does not
// know the kind of request, or a header of it.
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
