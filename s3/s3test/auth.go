package s3test

import "net/http"

// authenticate holds the request to Options.
func (c *call) authenticate() error {
	if c.chunked() {
		c.body = newChunkedReader(c.r.Body, nil)
	}
	return nil
}

type chunkVerifier struct{ trailers bool }

func (v *chunkVerifier) write([]byte)                 {}
func (v *chunkVerifier) begin(string)                 {}
func (v *chunkVerifier) end() error                   { return nil }
func (v *chunkVerifier) endTrailer(a, b string) error { return nil }
func sha256Sum(s string) []byte                       { return nil }

type Faults struct{}

func (f *Faults) Middleware(h http.Handler) http.Handler { return h }
