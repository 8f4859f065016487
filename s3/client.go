package s3

import (
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go/aws-http-auth/sigv4a"

	"github.com/s3mount/s3mount/s3/fair"
)

// Client is a client of one S3 server. It is safe for concurrent use.
type Client struct {
	opts      Options
	endpoint  endpoint
	transport *http.Transport
	rt        http.RoundTripper
	pool      *bufferPool
	signer    signer
	anywhere  *sigv4a.Signer // for multi-region access points
	budget    *retryBudget
	backoff   backoff
	slots     *fair.Slots   // one slot is taken for each exchange in progress
	relays    chan struct{} // holds one element for each relayed part in memory
	integrity integrity

	profile profile        // the server's known properties
	buckets sync.Map       // map[string]*bucketFeatures, by bucket
	probing sync.WaitGroup // counts probes in the background

	regions     sync.Map     // map[string]string, by bucket, for regions other than Options.Region
	virtualHost atomic.Bool  // the server has refused path-style requests
	plainParts  atomic.Bool  // the server refuses checksums on parts of uploads that declare none
	skew        atomic.Int64 // nanoseconds by which the server's clock is ahead
}

// New returns a client for the endpoint that o chooses: one of AWS
// (https://docs.aws.amazon.com/general/latest/gr/s3.html) or another server. New does
// not contact the server. It returns an error of kind ErrInvalidInput if
// Options.Validate does.
func New(o Options) (*Client, error) {
	if o.Region == "" && o.Endpoint != "" {
		if e, err := parseEndpoint(o); err == nil {
			o.Region = regionOfHost(e.host)
		}
	}
	o = o.Defaults()
	if err := o.Validate(); err != nil {
		return nil, err
	}
	e, err := parseEndpoint(o)
	if err != nil {
		return nil, err
	}
	c := &Client{
		opts:     o,
		endpoint: e,
		pool:     new(bufferPool),
		budget:   newRetryBudget(),
		anywhere: newAnywhereSigner(),
		backoff:  fullJitter,
		slots:    fair.NewSlots(o.Connections),
		relays:   make(chan struct{}, relayParallel),
	}
	c.integrity.init(o, e)
	c.profile = profileOf(o, e)
	if aws.IsCredentialsProvider(o.Credentials, aws.AnonymousCredentials{}) {
		c.opts.Credentials = nil
	} else if _, ok := o.Credentials.(interface{ Invalidate() }); o.Credentials != nil && !ok {
		c.opts.Credentials = aws.NewCredentialsCache(o.Credentials)
	}
	c.transport = newTransport(o, c.pool, e.scheme == "http")
	c.rt = c.transport
	if o.Transport != nil {
		c.rt = o.Transport(c.transport)
	}
	return c, nil
}

// Close waits until background probes have removed their objects, at most ten seconds,
// and closes idle connections. It does not interrupt calls in progress.
func (c *Client) Close() {
	ended := make(chan struct{})
	go func() {
		c.probing.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(abortTimeout):
	}
	c.transport.CloseIdleConnections()
}

// now returns the current time, corrected by the known skew of the server's clock.
func (c *Client) now() time.Time {
	return time.Now().Add(time.Duration(c.skew.Load())).UTC()
}

// region returns the region in which a bucket was found, or "" if it is not known.
func (c *Client) region(bucket string) string {
	if r, ok := c.regions.Load(bucket); ok {
		return r.(string)
	}
	return ""
}
