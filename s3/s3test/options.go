package s3test

import (
	"fmt"
	"time"

	"github.com/s3mount/s3mount/s3"
)

// Options configures a Server. The zero value is a server that behaves as S3
// itself, without authentication, over plain HTTP on the loopback interface.
type Options struct {
	// Now is the server's clock. Default time.Now.
	Now func() time.Time
	// InMemory serves over pipes inside the process instead of sockets, for
	// tests in a testing/synctest bubble. Only clients made by Server.Client,
	// or with Server.Transport, reach such a server.
	InMemory bool
	// TLS serves HTTPS with a self-signed certificate. Server.Client trusts it.
	TLS bool
	// Domain also accepts virtual-host addressing under this name: bucket.Domain.
	Domain string
	// Region is where all buckets are. Default us-east-1. Signed requests for
	// another region are refused as S3 does, with the right region in the answer.
	Region string
	// Buckets exist from the start.
	Buckets []string
	// Versioning is enabled in every new bucket.
	Versioning bool

	// AccessKey and SecretKey, if set, make the server check every signature
	// (SigV4 in headers or URL, and of the chunks of a signed body).
	AccessKey, SecretKey string
	// SessionToken, if set, must come with every signed request.
	SessionToken string
	// Deny, if set, refuses with 403 AccessDenied each request for which it
	// returns true. kind is as in Server.Requests; key is "" for buckets.
	Deny func(kind, bucket, key string) bool
	// Faults, if set, strike inside the server.
	Faults *Faults

	// MinPartSize is the smallest part but the last. Default s3.MinPartSize.
	MinPartSize int64
	// MaxPutSize is the largest body and copy. Default s3.MaxPartSize.
	MaxPutSize int64
	// MaxKeys is the most rows of a LIST page. Default s3.MaxListKeys.
	MaxKeys int
	// LogSize is how many requests Server.Log remembers. Default 10,000.
	LogSize int

	// Behaviours of other servers.

	// NoConditionalWrites ignores conditions on everything but GET and HEAD.
	NoConditionalWrites bool
	// NotImplementedConditional answers them with 501.
	NotImplementedConditional bool
	// UnquotedETags wants the ETag in conditional writes without quotes.
	UnquotedETags bool
	// Support contains the features that the server ignores or refuses.
	Support map[s3.Feature]s3.Support
	// Refusal is the answer to requests for features that Support refuses.
	Refusal Refusal
	// KeyLocks, if set, makes the server hold a lock on the key during a request:
	// one that does not get it in this time is answered with 503.
	KeyLocks time.Duration
	// WeakETags marks the ETags of GET and HEAD as weak, as proxies do that compress.
	WeakETags bool
	// XMLRoot is the name of the root element of every answer, errors excepted.
	XMLRoot string
	// ResultsAsCeph leaves the ETag in the answer of CompleteMultipartUpload empty,
	// and writes the one of CopyObject without quotes.
	ResultsAsCeph bool
	// NoURLEncoding ignores encoding-type=url.
	NoURLEncoding bool
	// PlusEncoding writes a space as + where encoding-type=url is asked for.
	PlusEncoding bool
	// NoTrailers answers bodies in aws-chunked encoding with 501.
	NoTrailers bool
}

// Defaults returns o with every unset option set.
func (o Options) Defaults() Options {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Region == "" {
		o.Region = "us-east-1"
	}
	if o.MinPartSize == 0 {
		o.MinPartSize = s3.MinPartSize
	}
	if o.MaxPutSize == 0 {
		o.MaxPutSize = s3.MaxPartSize
	}
	if o.MaxKeys == 0 {
		o.MaxKeys = s3.MaxListKeys
	}
	if o.LogSize == 0 {
		o.LogSize = 10_000
	}
	return o
}

// Validate reports the first option that cannot be used, by its name.
func (o Options) Validate() error {
	switch {
	case (o.AccessKey == "") != (o.SecretKey == ""):
		return fmt.Errorf("s3test: AccessKey and SecretKey go together")
	case o.SessionToken != "" && o.AccessKey == "":
		return fmt.Errorf("s3test: SessionToken needs AccessKey")
	case o.TLS && o.InMemory:
		return fmt.Errorf("s3test: TLS and InMemory exclude each other")
	case o.MinPartSize < 0:
		return fmt.Errorf("s3test: MinPartSize is negative")
	case o.MaxPutSize < 0:
		return fmt.Errorf("s3test: MaxPutSize is negative")
	case o.MaxKeys < 0 || o.MaxKeys > s3.MaxListKeys:
		return fmt.Errorf("s3test: MaxKeys is not in 1..%d", s3.MaxListKeys)
	case o.LogSize < 0:
		return fmt.Errorf("s3test: LogSize is negative")
	}
	return nil
}
