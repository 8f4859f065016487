package s3

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"
)

const (
	// connBuffer is net/http's buffer per connection and direction. At 8 MiB
	// per request 64 KiB costs 0.32 s of CPU per GiB, 4 KiB 0.40, 1 MiB 0.35.
	connBuffer = 64 << 10
	// idleTimeout drops idle connections before most servers and NATs do.
	idleTimeout = 60 * time.Second
	// expectTimeout is how long a body waits for "100 Continue" before it is
	// sent anyway (RFC 9110, section 10.1.1).
	expectTimeout = time.Second
	// maxHeaderBytes bounds a response's headers: 2 KiB of user metadata
	// eight times over, and some room.
	maxHeaderBytes = 64 << 10
)

// newTransport speaks HTTP/1.1 only: parallel requests then spread over
// connections, each with its own TCP window, which is what S3 advises.
func newTransport(o Options, pool *bufferPool) *http.Transport {
	network := map[IPFamily]string{IPBoth: "tcp", IPv4Only: "tcp4", IPv6Only: "tcp6"}[o.IPFamily]
	dialer := &net.Dialer{Timeout: o.ConnectTimeout}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Transport{
		Proxy: http.ProxyFromEnvironment,
		DialContext: func(ctx context.Context, _, addr string) (net.Conn, error) {
			conn, err := dialer.DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return &uploadConn{Conn: conn, pool: pool}, nil
		},
		TLSClientConfig:        &tls.Config{RootCAs: o.RootCAs, InsecureSkipVerify: o.InsecureSkipVerify, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    o.ConnectTimeout,
		DisableCompression:     true,
		MaxIdleConns:           0,
		MaxIdleConnsPerHost:    o.Connections,
		MaxConnsPerHost:        o.Connections,
		IdleConnTimeout:        idleTimeout,
		ExpectContinueTimeout:  expectTimeout,
		MaxResponseHeaderBytes: maxHeaderBytes,
		WriteBufferSize:        connBuffer,
		ReadBufferSize:         connBuffer,
		Protocols:              protocols,
	}
}

// CertPool returns the system's certificate authorities and those of a PEM
// file, for Options.RootCAs.
func CertPool(file string) (*x509.CertPool, error) {
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read certificates: %w", err)
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("read certificates: %s holds none in PEM form", file)
	}
	return pool, nil
}

// uploadConn lets a request's body write itself to the connection. net/http
// would copy it through 32 KiB pieces.
type uploadConn struct {
	net.Conn
	pool *bufferPool
}

// ReadFrom is what net/http calls with the rest of a request's body once the
// headers are sent.
func (c *uploadConn) ReadFrom(r io.Reader) (int64, error) {
	if lr, ok := r.(*io.LimitedReader); ok {
		if b, ok := lr.R.(*sendBody); ok {
			n, err := b.writeTo(c.Conn, lr.N)
			lr.N -= n
			return n, err
		}
	}
	buf := c.pool.get()
	defer c.pool.put(buf)
	return io.CopyBuffer(struct{ io.Writer }{c.Conn}, struct{ io.Reader }{r}, *buf)
}

// permanent reports network errors that another attempt will meet again.
func permanent(err error) bool {
	var dns *net.DNSError
	if errors.As(err, &dns) {
		return dns.IsNotFound
	}
	var (
		unknown   x509.UnknownAuthorityError
		hostname  x509.HostnameError
		invalid   x509.CertificateInvalidError
		roots     x509.SystemRootsError
		record    tls.RecordHeaderError
		verifying *tls.CertificateVerificationError
	)
	return errors.As(err, &unknown) || errors.As(err, &hostname) || errors.As(err, &invalid) ||
		errors.As(err, &roots) || errors.As(err, &record) || errors.As(err, &verifying)
}
