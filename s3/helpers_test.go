package s3

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

// testOptions are for servers on this host. They are patient: on a busy machine
// seconds pass in which a test does not run, and nothing is wrong with that.
func testOptions(endpoint string) Options {
	return Options{
		Endpoint:        endpoint,
		Credentials:     StaticCredentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", ""),
		ConnectTimeout:  time.Minute,
		StallTimeout:    time.Minute,
		ResponseTimeout: time.Minute,
	}
}

// newTestClient speaks to handler over real HTTP. Retries do not wait.
func newTestClient(t testing.TB, handler http.HandlerFunc, change ...func(*Options)) *Client {
	t.Helper()
	srv := httptest.NewServer(handler)
	t.Cleanup(srv.Close)
	o := testOptions(srv.URL)
	for _, f := range change {
		f(&o)
	}
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	c.backoff = func(int) time.Duration { return time.Microsecond }
	t.Cleanup(c.Close)
	return c
}

// discardBuffers are package variables, because the race detector drops elements of a
// sync.Pool. All measured allocations then belong to the client.
var discardBuffers = make(chan []byte, 8)

// discardBody reads a body that nobody looks at.
func discardBody(r io.Reader) error {
	var buf []byte
	select {
	case buf = <-discardBuffers:
	default:
		buf = make([]byte, 1<<20)
	}
	defer func() {
		select {
		case discardBuffers <- buf:
		default:
		}
	}()
	_, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, r, buf)
	return err
}

// roundTrip is a http.RoundTripper that needs no network.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		if err := discardBody(r.Body); err != nil {
			return nil, err
		}
		r.Body.Close()
	}
	return f(r)
}

// newFakeClient speaks to f in place of a server. It is not patient: where time
// counts, its tests are in a bubble of testing/synctest.
func newFakeClient(t testing.TB, f roundTrip, change ...func(*Options)) *Client {
	t.Helper()
	o := testOptions("http://s3.test")
	o.ConnectTimeout, o.StallTimeout, o.ResponseTimeout = 10*time.Second, 2*time.Second, 5*time.Second
	o.Transport = func(http.RoundTripper) http.RoundTripper { return f }
	for _, g := range change {
		g(&o)
	}
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// answer makes a response out of a status, headers in pairs, and a body.
func answer(status int, body string, headers ...string) *http.Response {
	r := &http.Response{StatusCode: status, Header: make(http.Header), ContentLength: int64(len(body)),
		Body: io.NopCloser(bytes.NewReader([]byte(body)))}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return r
}

func errorBody(code string) string {
	return "<?xml version=\"1.0\"?>\n<Error><Code>" + code + "</Code><Message>m</Message><RequestId>r1</RequestId></Error>"
}

func writeError(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	io.WriteString(w, errorBody(code))
}

// testBytes returns n bytes that are the same in every run.
func testBytes(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}

func wantIs(t testing.TB, err error, targets ...error) *Error {
	t.Helper()
	for _, target := range targets {
		if !errors.Is(err, target) {
			t.Fatalf("error is %v, want %v", err, target)
		}
	}
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("error %v (%T) is no *Error", err, err)
	}
	return e
}

func noError(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// counter counts by name.
type counter struct {
	mu sync.Mutex
	n  map[string]int
}

func (c *counter) add(name string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n == nil {
		c.n = make(map[string]int)
	}
	c.n[name]++
	return c.n[name]
}

func (c *counter) get(name string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n[name]
}

// parseList parses a page of a listing.
func parseList(data []byte) (*LsPage, error) {
	p, err := parseListing(data)
	if err != nil {
		return nil, err
	}
	return &p.page, nil
}

// attemptOnce makes a call without retries.
func attemptOnce(ctx context.Context, c *Client, k *call) (*response, error) {
	resp, e := c.attempt(ctx, k, 0)
	if e != nil {
		return nil, e
	}
	return resp, nil
}
