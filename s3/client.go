package s3

import (
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go/aws-http-auth/sigv4a"
)

// Client speaks to one S3 server. It is safe for use by many goroutines.
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
	slots     chan struct{} // one per exchange under way
	relays    chan struct{} // one per relayed part in memory
	integrity integrity

	profile profile        // what is known of the server from the start
	buckets sync.Map       // bucket → *bucketFeatures
	probing sync.WaitGroup // probes in the background

	regions     sync.Map     // bucket → region, where it is not Options.Region
	virtualHost atomic.Bool  // the server refused path-style
	plainParts  atomic.Bool  // uploads without checksums refuse them on parts
	skew        atomic.Int64 // nanoseconds that the server's clock is ahead
}

// New returns a client. It does not speak to the server yet. Options choose
// among the endpoints of AWS
// (https://docs.aws.amazon.com/general/latest/gr/s3.html) or name another
// server. The error is ErrInvalidInput, as of Options.Validate.
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
		slots:    make(chan struct{}, o.Connections),
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

// Close waits until probes of the server have removed their objects, for ten
// seconds at most, and drops idle connections. Calls under way go on.
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

// now is the time by the server's clock, as far as it is known to differ.
func (c *Client) now() time.Time {
	return time.Now().Add(time.Duration(c.skew.Load())).UTC()
}

// region is the region that a bucket was found in, "" if not known.
func (c *Client) region(bucket string) string {
	if r, ok := c.regions.Load(bucket); ok {
		return r.(string)
	}
	return ""
}
