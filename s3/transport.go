package s3

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"
)

const (
	// connBuffer is the size of the buffers of net/http per connection and direction.
	// With requests of 8 MiB, 64 KiB costs 0.32 s of CPU per GiB, 4 KiB 0.40 s and 1
	// MiB 0.35 s.
	connBuffer = 64 << 10
	// idleTimeout closes idle connections earlier than most servers and NATs.
	idleTimeout = 60 * time.Second
	// expectTimeout is how long a body waits for "100 Continue" before it is sent
	// without (RFC 9110, section 10.1.1).
	expectTimeout = time.Second
	// maxHeaderBytes bounds the headers of a response. It is eight times 2 KiB of user
	// metadata, and some room.
	maxHeaderBytes = 64 << 10
)

// newTransport returns a transport for HTTP/1.1. Parallel requests then use several
// connections, each with its own TCP window, as S3 recommends. plain reports whether
// the server uses unencrypted HTTP.
func newTransport(o Options, pool *bufferPool, plain bool) *http.Transport {
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
			return newWireConn(conn, pool, plain), nil
		},
		TLSClientConfig:        tlsConfig(o),
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

func tlsConfig(o Options) *tls.Config {
	config := &tls.Config{RootCAs: o.RootCAs, InsecureSkipVerify: o.InsecureSkipVerify, MinVersion: tls.VersionTLS12}
	if o.ClientCertificate != nil {
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return o.ClientCertificate() }
	}
	return config
}

// CertificateFiles returns a function for Options.ClientCertificate that reads a certificate
// and its private key from PEM files. It reads them again for each connection, because
// certificates are renewed. The key may be in the file of the certificate.
func CertificateFiles(certFile, keyFile string) func() (*tls.Certificate, error) {
	return func() (*tls.Certificate, error) {
		c, err := tls.LoadX509KeyPair(certFile, keyFile)
		if err != nil {
			return nil, fmt.Errorf("read the client certificate: %w", err)
		}
		return &c, nil
	}
}

// CertPool returns the certificate authorities of the system and those in a PEM file,
// for Options.RootCAs.
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

// permanent reports whether err is a network error that another attempt would also
// return.
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

// unsent reports whether err occurred before there was a connection, so that nothing
// was sent.
func unsent(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && (op.Op == "dial" || op.Op == "proxyconnect")
}
