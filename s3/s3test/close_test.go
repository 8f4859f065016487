package s3test_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/s3mount/s3mount/s3"
	"github.com/s3mount/s3mount/s3/s3test"
)

// TestCloseWaitsForProbes checks that a probe continues when its call is interrupted,
// and that Close waits until it has removed its objects.
func TestCloseWaitsForProbes(t *testing.T) {
	srv := s3test.NewServer(t, s3test.Options{Buckets: []string{"b"}})
	reached, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	o := s3.Options{Endpoint: srv.URL(), ProbePrefix: "probes/"}
	o.Transport = func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) {
			if strings.Contains(r.URL.Path, "/probes/") {
				once.Do(func() { close(reached) })
				<-release
			}
			return next.RoundTrip(r)
		})
	}
	c, err := s3.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	put := make(chan error, 1)
	go func() {
		in := &s3.PutInput{Bucket: "b", Key: "k", Body: strings.NewReader("x"), Size: 1}
		in.IfNoneMatch = "*"
		_, err := c.Put(ctx, in)
		put <- err
	}()
	<-reached
	cancel()
	if err := <-put; err == nil {
		t.Error("a PUT that was given up succeeded")
	}
	closed := make(chan struct{})
	go func() {
		c.Close()
		close(closed)
	}()
	select {
	case <-closed:
		t.Error("Close did not wait for the probe")
	default:
	}
	close(release)
	<-closed
	page, err := c.Ls(t.Context(), &s3.LsInput{Bucket: "b"})
	if err != nil || len(page.Objects) != 0 {
		t.Errorf("the probe left %+v (%v)", page, err)
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
