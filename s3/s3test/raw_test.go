package s3test_test

import (
	"encoding/xml"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/s3mount/s3mount/s3/s3test"
)

// raw speaks plain HTTP to a server, so that the server is tested without the
// client that it will test.
type raw struct {
	t      *testing.T
	srv    *s3test.Server
	client *http.Client
}

func newRaw(t *testing.T, o s3test.Options) *raw {
	t.Helper()
	if o.Buckets == nil {
		o.Buckets = []string{"b"}
	}
	srv := s3test.NewServer(t, o)
	transport := srv.Transport()
	t.Cleanup(transport.CloseIdleConnections)
	return &raw{t: t, srv: srv, client: &http.Client{Transport: transport}}
}

// answer is a response that was read to its end.
type answer struct {
	status int
	header http.Header
	body   string
}

// do sends a request; target is the raw path and query, header is name and value in turn.
func (r *raw) do(method, target, body string, header ...string) answer {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), method, r.srv.URL()+"/", strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	path, query, _ := strings.Cut(target, "?")
	req.URL.Opaque, req.URL.RawQuery = path, query
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := r.client.Do(req)
	if err != nil {
		r.t.Fatalf("%s %s: %v", method, target, err)
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	if err != nil {
		r.t.Fatalf("%s %s: read the body: %v", method, target, err)
	}
	return answer{status: res.StatusCode, header: res.Header, body: string(got)}
}

// want sends a request and holds the answer to a status.
func (r *raw) want(status int, method, target, body string, header ...string) answer {
	r.t.Helper()
	a := r.do(method, target, body, header...)
	if a.status != status {
		r.t.Fatalf("%s %s: status %d, want %d: %s", method, target, a.status, status, a.body)
	}
	return a
}

// code is the Code of an error answer.
func (a answer) code() string {
	var e struct{ Code string }
	_ = xml.Unmarshal([]byte(a.body), &e)
	return e.Code
}
