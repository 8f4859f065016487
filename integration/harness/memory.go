package harness

import (
	"fmt"
	"net"
	"net/http"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
)

// StartMemory starts an in-process S3 server (gofakes3 with its memory backend) on a
// free loopback port. It can store keys that a server on top of a directory cannot. It
// has no authentication, ignores If-Match on GET and does not support aws-chunked
// trailers.
func StartMemory() (endpoint string, stop func(), err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, fmt.Errorf("listen for the in-process server: %w", err)
	}
	srv := &http.Server{Handler: gofakes3.New(s3mem.New(), gofakes3.WithTimeSkewLimit(0)).Server()}
	go func() { _ = srv.Serve(l) }() // ends with Close below
	return "http://" + l.Addr().String(), func() { _ = srv.Close() }, nil
}
