package s3test

import (
	"fmt"
	"net/http"

	"github.com/s3mount/s3mount/s3"
)

// Client returns a client of this server. The options initially contain what the server
// needs (endpoint, credentials, certificate), and each function may change them. Client
// panics if the options are invalid, because this is a mistake in the test.
func (s *Server) Client(change ...func(*s3.Options)) *s3.Client {
	o := s3.Options{Endpoint: s.URL(), Region: s.opts.Region, Addressing: s3.AddressingPath}
	if s.opts.AccessKey != "" {
		o.Credentials = s3.StaticCredentials(s.opts.AccessKey, s.opts.SecretKey, s.opts.SessionToken)
	}
	if s.opts.TLS {
		o.RootCAs = s.RootCAs()
	}
	if s.opts.InMemory {
		o.Transport = func(http.RoundTripper) http.RoundTripper { return s.Transport() }
	}
	for _, f := range change {
		f(&o)
	}
	c, err := s3.New(o)
	if err != nil {
		panic(fmt.Sprintf("s3test: client: %v", err))
	}
	return c
}
