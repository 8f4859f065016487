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
// plain tells that the server is spoken to by http.
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

// unsent reports network errors that came before there was a connection to
// send a request on.
func unsent(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && (op.Op == "dial" || op.Op == "proxyconnect")
}
