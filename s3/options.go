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

// IPFamily chooses the addresses that a client connects to.
type IPFamily uint8

// The families of addresses.
const (
	IPBoth IPFamily = iota // whichever answers first (RFC 8305)
	IPv4Only
	IPv6Only
)

// Addressing is where the bucket's name goes in the URL
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html).
type Addressing uint8

// The ways to address a bucket.
const (
	// AddressingAuto is virtual-host on AWS and on providers that refuse
	// path-style, otherwise path-style.
	AddressingAuto Addressing = iota
	AddressingPath
	AddressingVirtualHost
)

// ChecksumMode chooses whether bodies carry and are held to additional checksums.
type ChecksumMode uint8

// The modes.
const (
	// ChecksumAuto sends the strongest that the server is known to check and
	// checks what the server gives on downloads.
	ChecksumAuto ChecksumMode = iota
	// ChecksumOff neither sends nor checks any, DeleteMulti's Content-MD5 excepted.
	ChecksumOff
)

// Options configures a Client. The zero value speaks unsigned to AWS; New
// fills what is unset by Defaults and refuses what Validate refuses.
type Options struct {
	// Region signs the requests and, on AWS, chooses the endpoint. Default us-east-1.
	Region string
	// Endpoint is the URL, or host[:port], of a server other than AWS's own.
	Endpoint   string
	Addressing Addressing
	// DualStack, FIPS and Accelerate choose among AWS's endpoints.
	DualStack, FIPS, Accelerate bool
	// DisableTLS speaks plain http where Endpoint names no scheme.
	DisableTLS bool

	// Credentials signs the requests; nil sends them unsigned. See
	// DefaultCredentials and StaticCredentials.
	Credentials aws.CredentialsProvider
	// RequesterPays accepts that the caller pays for requests (x-amz-request-payer,
	// https://docs.aws.amazon.com/AmazonS3/latest/userguide/RequesterPaysBuckets.html).
	RequesterPays bool
	// ExpectedBucketOwner is the account that must own the bucket. Every request carries it
	// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html).
	ExpectedBucketOwner string
	// Objects are the properties of all objects that the client makes.
	Objects ObjectRules

	// Connections bounds the exchanges under way at one time, hence the
	// connections; further calls wait for one to end. Default 64.
	Connections int
	// ConnectTimeout bounds name resolution and connecting, and once more the
	// TLS handshake. Default 10 s.
	ConnectTimeout time.Duration
	// StallTimeout cuts a transfer that has moved next to nothing for so long.
	// Default 20 s.
	StallTimeout time.Duration
	// ResponseTimeout bounds the wait from the end of a request to the headers
	// of its response. Copies and the completion of uploads get one second more for
	// each 10 MiB, up to ten times as long. Default 60 s.
	ResponseTimeout time.Duration
	// Deadline bounds what a call waits for a connection and for answers, over all its
	// attempts, and is how long after its start a call may still begin another
	// attempt. Default 60 s. One shorter than the defaults of the timeouts above
	// shortens those, though not below 5 s.
	Deadline time.Duration
	// MaxAttempts bounds the attempts of one call, the first included. Default 12.
	MaxAttempts int
	IPFamily    IPFamily
	// RootCAs replaces the system's certificate authorities, which are those of
	// SSL_CERT_FILE where that is set. See CertPool.
	RootCAs *x509.CertPool
	// ClientCertificate, if set, returns the certificate that a server may ask for. It is
	// called for each connection. See CertificateFiles.
	ClientCertificate func() (*tls.Certificate, error)
	// InsecureSkipVerify accepts any certificate.
	InsecureSkipVerify bool

	Checksums ChecksumMode
	// ChecksumAlgorithm is the checksum of uploads. Default CRC32C, which
	// processors compute at memory speed.
	ChecksumAlgorithm ChecksumAlgorithm

	// Server names the kind of server, one of ServerProfiles, so that the client
	// need not find out what it enforces. Default "auto": AWS by its endpoint,
	// others by probes and refusals.
	Server string
	// ProbePrefix is where the client may make small objects, and delete them
	// again, to find out what the server enforces before the first request that
	// relies on it. Default: none; the client then assumes what S3 does and
	// learns from refusals only. On AWS it never makes any.
	ProbePrefix string
	// FeatureStore keeps what was found out, so that others need not. Default: none.
	FeatureStore FeatureStore

	// UserAgent is the header of that name. Default "s3mount".
	UserAgent string
	// Logger gets one debug record per attempt, without secrets. Default: none.
	Logger *slog.Logger
	// Observer, if set, is called once per HTTP attempt when it is over: for a
	// GET, once its body has been read or closed. It must not block.
	Observer func(Attempt)
	// Transport, if set, wraps the client's own RoundTripper.
	Transport func(http.RoundTripper) http.RoundTripper
}

// Attempt is one HTTP exchange as Options.Observer sees it.
type Attempt struct {
	Op            string        // "GetObject" and so on, as S3's API pages name them
	Bucket        string        // "" where there is none
	Status        int           // 0 if no response came
	RequestID     string        // what the server calls the request, for its support; may be ""
	Retry         int           // 0 for a call's first attempt
	Start         time.Time     // when the attempt began
	Header        time.Duration // from Start to the response's headers
	Duration      time.Duration // from Start to the end of the body
	BytesSent     int64         // of the caller's body
	BytesReceived int64         // of the response's body
	Err           error         // why the attempt failed, if it did
}

// The defaults of Options.
const (
	defaultRegion = "us-east-1"
	// defaultConnections lets 64 small requests overlap; at 20 ms each that is
	// 3200/s, near what two cores can do. Large transfers saturate with four.
	defaultConnections = 64
	// defaultConnectTimeout outlasts three lost SYN packets (1+2+4 s).
	defaultConnectTimeout = 10 * time.Second
	// defaultStallTimeout outlasts a Wi-Fi roam or a failover of a NAT.
	defaultStallTimeout = 20 * time.Second
	// defaultResponseTimeout: S3 answers within seconds, slow gateways within
	// a minute.
	defaultResponseTimeout = 60 * time.Second
	defaultDeadline        = 60 * time.Second
	// minPatience is beyond the slowest answers of a healthy S3.
	minPatience = 5 * time.Second
	// defaultMaxAttempts reaches the default deadline on average.
	defaultMaxAttempts = 12
)

// Defaults returns o with every unset option set.
func (o Options) Defaults() Options {
	setDefault(&o.Region, defaultRegion)
	setDefault(&o.Connections, defaultConnections)
	setDefault(&o.Deadline, defaultDeadline)
	// A short deadline is meant for a single attempt, too, as far as a server
	// that works can answer in it.
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

// Validate reports the first option that cannot be used, by its name. The
// error is ErrInvalidInput.
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
