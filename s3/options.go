package s3

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// IPFamily selects the addresses to which a client connects.
type IPFamily uint8

// These are the values of IPFamily.
const (
	IPBoth IPFamily = iota // the first that answers (RFC 8305)
	IPv4Only
	IPv6Only
)

// Addressing selects the place of the bucket name in the URL
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html).
type Addressing uint8

// These are the values of Addressing.
const (
	// AddressingAuto selects virtual-host style for AWS and for providers that refuse
	// path-style requests, and path style otherwise.
	AddressingAuto Addressing = iota
	AddressingPath
	AddressingVirtualHost
)

// ChecksumMode selects whether the client sends and verifies additional checksums.
type ChecksumMode uint8

// These are the values of ChecksumMode.
const (
	// ChecksumAuto sends the strongest checksum that the server is known to verify, and
	// verifies the checksums of downloads.
	ChecksumAuto ChecksumMode = iota
	// ChecksumOff neither sends nor verifies checksums, except the Content-MD5 that
	// DeleteMulti requires.
	ChecksumOff
)

// Options configures a Client. The zero value is an unsigned client of AWS. New applies
// Defaults and Validate.
type Options struct {
	// Region is the region of signatures and, on AWS, of the endpoint. The default is
	// us-east-1.
	Region string
	// Endpoint is the URL, or host[:port], of a server other than AWS.
	Endpoint   string
	Addressing Addressing
	// DualStack, FIPS and Accelerate select an endpoint of AWS.
	DualStack, FIPS, Accelerate bool
	// DisableTLS selects plain HTTP if Endpoint has no scheme.
	DisableTLS bool

	// Credentials provides the keys for signatures. Requests are not signed if it is
	// nil. See DefaultCredentials and StaticCredentials.
	Credentials aws.CredentialsProvider
	// RequesterPays confirms that the caller pays for requests (x-amz-request-payer,
	// https://docs.aws.amazon.com/AmazonS3/latest/userguide/RequesterPaysBuckets.html).
	RequesterPays bool
	// ExpectedBucketOwner is the account that must own the bucket. Every request
	// carries it
	// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html).
	ExpectedBucketOwner string
	// Objects are the properties of all objects that the client makes.
	Objects ObjectRules

	// Connections is the largest number of concurrent exchanges and therefore of
	// connections. Further calls wait. The default is 64.
	Connections int
	// ConnectTimeout bounds name resolution together with connecting, and separately
	// the TLS handshake. The default is 10 s.
	ConnectTimeout time.Duration
	// StallTimeout ends a transfer that has moved almost no data for this time. The
	// default is 20 s.
	StallTimeout time.Duration
	// ResponseTimeout bounds the wait from the end of a request to the headers of its
	// response. Copies and the completion of uploads have one additional second for
	// each 10 MiB, up to ten times ResponseTimeout. The default is 60 s.
	ResponseTimeout time.Duration
	// Deadline bounds the time that all attempts of a call wait for a connection and
	// for answers. No attempt begins later than Deadline after the start of the call.
	// The default is 60 s. A Deadline below the defaults of the timeouts above reduces
	// these defaults, but not below 5 s.
	Deadline time.Duration
	// MaxAttempts is the largest number of attempts of one call, including the first.
	// The default is 12.
	MaxAttempts int
	IPFamily    IPFamily
	// RootCAs replaces the certificate authorities of the system, or of SSL_CERT_FILE
	// if it is set. See CertPool.
	RootCAs *x509.CertPool
	// ClientCertificate, if set, returns the certificate that a server may ask for. It is
	// called for each connection. See CertificateFiles.
	ClientCertificate func() (*tls.Certificate, error)
	// InsecureSkipVerify accepts any certificate.
	InsecureSkipVerify bool

	Checksums ChecksumMode
	// ChecksumAlgorithm is the checksum of uploads. The default is CRC32C, which
	// processors compute at the speed of memory.
	ChecksumAlgorithm ChecksumAlgorithm

	// Server is one of ServerProfiles. It names the kind of server, so that the client
	// need not detect its features. The default is "auto": AWS is known by its
	// endpoint, and other servers are detected by probes and refusals.
	Server string
	// ProbePrefix is the key prefix below which the client may create and delete small
	// objects, to detect which conditions the server enforces before the first request
	// that relies on them. If it is empty, the client assumes the behaviour of S3 and
	// learns only from refusals. The client makes no probes on AWS.
	ProbePrefix string
	// FeatureStore stores findings about servers for other clients. The default is
	// none.
	FeatureStore FeatureStore

	// UserAgent is the User-Agent header. The default is "s3mount".
	UserAgent string
	// Logger receives one debug record per attempt, without secrets, and warnings about
	// missing features. The default discards them.
	Logger *slog.Logger
	// Observer, if set, is called once after each HTTP attempt. The attempt of a GET
	// ends when its body has been read or closed. Observer must not block.
	Observer func(Attempt)
	// Transport, if set, wraps the RoundTripper of the client.
	Transport func(http.RoundTripper) http.RoundTripper
}

// Attempt describes one HTTP exchange for Options.Observer.
type Attempt struct {
	Op            string        // name of the operation in the S3 API, such as "GetObject"
	Bucket        string        // "" if the operation has no bucket
	Status        int           // HTTP status, or 0 without a response
	RequestID     string        // ID that the server gave the request, or ""
	Retry         int           // 0 for the first attempt of a call
	Start         time.Time     // start of the attempt
	Header        time.Duration // time from Start to the headers of the response
	Duration      time.Duration // time from Start to the end of the response body
	BytesSent     int64         // bytes of the caller's body
	BytesReceived int64         // bytes of the response body
	Err           error         // error of the attempt, or nil
}

// These are the defaults of Options.
const (
	defaultRegion = "us-east-1"
	// defaultConnections allows 64 concurrent small requests: at 20 ms each 3200 per
	// second, which is about the limit of two processors. Four large transfers saturate
	// a network.
	defaultConnections = 64
	// defaultConnectTimeout survives three lost SYN packets (1, 2 and 4 s).
	defaultConnectTimeout = 10 * time.Second
	// defaultStallTimeout survives a change of the Wi-Fi access point or a failover of
	// a NAT.
	defaultStallTimeout = 20 * time.Second
	// defaultResponseTimeout covers slow gateways. S3 answers within seconds.
	defaultResponseTimeout = 60 * time.Second
	defaultDeadline        = 60 * time.Second
	// minPatience is longer than the slowest answers of a healthy S3.
	minPatience = 5 * time.Second
	// defaultMaxAttempts attempts take the default deadline on average.
	defaultMaxAttempts = 12
)

// Defaults returns o with a value for every unset option.
func (o Options) Defaults() Options {
	setDefault(&o.Region, defaultRegion)
	setDefault(&o.Connections, defaultConnections)
	setDefault(&o.Deadline, defaultDeadline)
	// A short deadline also limits single attempts, but leaves enough time for a
	// working server.
	patience := max(o.Deadline, minPatience)
	setDefault(&o.ConnectTimeout, min(defaultConnectTimeout, patience))
	setDefault(&o.StallTimeout, min(defaultStallTimeout, patience))
	setDefault(&o.ResponseTimeout, min(defaultResponseTimeout, patience))
	setDefault(&o.MaxAttempts, defaultMaxAttempts)
	setDefault(&o.ChecksumAlgorithm, CRC32C)
	setDefault(&o.UserAgent, "s3mount")
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

func setDefault[T comparable](p *T, v T) {
	var zero T
	if *p == zero {
		*p = v
	}
}

// Validate returns an error of kind ErrInvalidInput that names the first invalid
// option.
func (o Options) Validate() error {
	bad := func(format string, args ...any) error {
		return &Error{Op: "New", Message: fmt.Sprintf(format, args...), kind: ErrInvalidInput}
	}
	for name, d := range map[string]time.Duration{"ConnectTimeout": o.ConnectTimeout, "StallTimeout": o.StallTimeout,
		"ResponseTimeout": o.ResponseTimeout, "Deadline": o.Deadline} {
		if d < 0 {
			return bad("option %s: %v is negative", name, d)
		}
	}
	switch {
	case o.Connections < 0:
		return bad("option Connections: %d is negative", o.Connections)
	case o.MaxAttempts < 0:
		return bad("option MaxAttempts: %d is negative", o.MaxAttempts)
	case o.ChecksumAlgorithm != "" && o.ChecksumAlgorithm != CRC32C && o.ChecksumAlgorithm != CRC64NVME:
		return bad("option ChecksumAlgorithm: %q is neither CRC32C nor CRC64NVME", o.ChecksumAlgorithm)
	case o.Addressing > AddressingVirtualHost:
		return bad("option Addressing: unknown value %d", o.Addressing)
	case o.IPFamily > IPv6Only:
		return bad("option IPFamily: unknown value %d", o.IPFamily)
	case o.Checksums > ChecksumOff:
		return bad("option Checksums: unknown value %d", o.Checksums)
	case o.Endpoint != "" && (o.DualStack || o.FIPS || o.Accelerate):
		return bad("option Endpoint: excludes DualStack, FIPS and Accelerate, which choose among AWS's endpoints")
	case o.Server != "" && !slices.Contains(ServerProfiles(), o.Server):
		return bad("option Server: %q is not one of %s", clip(o.Server, 40), strings.Join(ServerProfiles(), ", "))
	case o.Accelerate && (o.FIPS || o.Addressing == AddressingPath):
		return bad("option Accelerate: has neither FIPS nor path-style endpoints")
	case !validRegion(o.Region):
		return bad("option Region: %q is not a region", clip(o.Region, 64))
	}
	e, err := parseEndpoint(o)
	if err != nil {
		return bad("option Endpoint: %v", err)
	}
	if option, problem := o.Objects.validate(e.scheme == "http"); option != "" {
		return bad("option %s: %s", option, problem)
	}
	return nil
}

func validRegion(s string) bool {
	for i := 0; i < len(s); i++ {
		if !isUnreserved(s[i]) || s[i] == '~' {
			return false
		}
	}
	return len(s) <= 64
}
