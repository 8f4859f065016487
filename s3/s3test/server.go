package s3test

import (
	"context"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
)

// Server is an S3 server in memory. All methods may be called at any time
// from any goroutine.
type Server struct {
	opts Options
	http *httptest.Server
	pipe *pipeListener // nil unless Options.InMemory
	// stop ends the context of every request: a handler that waits on purpose
	// does not learn of a lost connection while it has not read the body.
	stop context.CancelFunc

	sequence atomic.Int64 // request, version and upload ids
	log      requestLog
	serving  serving
	locks    keyLocks

	mu      sync.RWMutex
	buckets map[string]*bucket
}

// NewServer starts a server that ends with the test.
func NewServer(t testing.TB, o Options) *Server {
	t.Helper()
	s, err := Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// Start starts a server. The caller closes it.
func Start(o Options) (*Server, error) {
	o = o.Defaults()
	if err := o.Validate(); err != nil {
		return nil, err
	}
	s := &Server{opts: o, buckets: map[string]*bucket{}}
	s.log.limit = o.LogSize
	for _, name := range o.Buckets {
		s.CreateBucket(name)
	}
	if err := s.listen(); err != nil {
		return nil, err
	}
	return s, nil
}

// listen begins to serve.
func (s *Server) listen() error {
	var handler http.Handler = s
	if s.opts.Faults != nil {
		handler = s.opts.Faults.Middleware(s)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.stop = cancel
	s.http = &httptest.Server{Config: &http.Server{
		Handler: s.serving.wrap(handler), BaseContext: func(net.Listener) context.Context { return ctx },
	}}
	if s.opts.InMemory {
		s.pipe = newPipeListener()
		s.http.Listener = s.pipe
		s.http.Start()
		return nil
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("s3test: listen: %w", err)
	}
	s.http.Listener = l
	if s.opts.TLS {
		s.http.StartTLS()
	} else {
		s.http.Start()
	}
	return nil
}

// Close ends the server and its connections, also those in use.
func (s *Server) Close() {
	s.stop()
	s.http.CloseClientConnections()
	s.http.Close()
}

// URL is the endpoint, without a slash at the end.
func (s *Server) URL() string { return s.http.URL }

// CloseConnections breaks all connections; the server goes on.
func (s *Server) CloseConnections() { s.http.CloseClientConnections() }

// RootCAs holds the certificate of a server with Options.TLS.
func (s *Server) RootCAs() *x509.CertPool {
	pool := x509.NewCertPool()
	if cert := s.http.Certificate(); cert != nil {
		pool.AddCert(cert)
	}
	return pool
}

// Dial connects to the server for any address, including a server with Options.InMemory
// and names that do not resolve.
func (s *Server) Dial(ctx context.Context, _, _ string) (net.Conn, error) {
	if s.pipe != nil {
		return s.pipe.dial(ctx)
	}
	var d net.Dialer
	return d.DialContext(ctx, "tcp", s.http.Listener.Addr().String())
}

// Transport returns a new http.Transport whose connections all go to this server.
func (s *Server) Transport() *http.Transport {
	t := &http.Transport{DialContext: s.Dial, MaxIdleConnsPerHost: 64, DisableCompression: true}
	if s.opts.TLS {
		if inner, ok := s.http.Client().Transport.(*http.Transport); ok {
			t.TLSClientConfig = inner.TLSClientConfig.Clone()
		}
	}
	return t
}

// nextID is a new id for a request, version or upload.
func (s *Server) nextID() string { return fmt.Sprintf("%016X", s.sequence.Add(1)) }
