package s3test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync"
	"sync/atomic"

	"github.com/s3mount/s3mount/s3"
)

// testCredentials is the row Credentials, as far as a server sees it.
func testCredentials(e *env) {
	e.run("unsigned", func(e *env) {
		e.need(Authentication)
		e.with(func(o *s3.Options) { o.Credentials = nil })
		_, err := e.c.Put(e.ctx, e.putInput("k", []byte("x")))
		e.fails("put", err, s3.ErrForbidden)
		_, err = e.c.Ls(e.ctx, &s3.LsInput{Bucket: e.bucket})
		e.fails("ls", err, s3.ErrForbidden)
	})
	e.run("wrong", func(e *env) {
		e.need(Authentication)
		e.with(func(o *s3.Options) {
			creds, err := o.Credentials.Retrieve(e.ctx)
			e.ok("credentials", err)
			o.Credentials = s3.StaticCredentials(creds.AccessKeyID, creds.SecretAccessKey+"x", creds.SessionToken)
		})
		_, err := e.c.Get(e.ctx, &s3.GetInput{Bucket: e.bucket, Key: "k"})
		e.fails("get", err, s3.ErrForbidden)
		_, err = e.c.Head(e.ctx, &s3.HeadInput{Bucket: e.bucket, Key: "k"})
		e.fails("head", err, s3.ErrForbidden)
		if errors.Is(err, s3.ErrNotFound) {
			e.Error("a refusal is taken for an absent key")
		}
	})
	e.run("unknown", func(e *env) {
		e.need(Authentication)
		e.with(func(o *s3.Options) { o.Credentials = s3.StaticCredentials("NOBODY", "secret", "") })
		_, err := e.c.Get(e.ctx, &s3.GetInput{Bucket: e.bucket, Key: "k"})
		if err == nil || errors.Is(err, s3.ErrNotFound) {
			e.Errorf("a refusal is taken for an absent key: %v", err)
		}
		_, err = e.c.Ls(e.ctx, &s3.LsInput{Bucket: e.bucket})
		if err == nil || errors.Is(err, s3.ErrNotFound) {
			e.Errorf("a refusal is taken for an absent bucket: %v", err)
		}
	})
}

// testRegion is the row Region, as far as a server sees it.
func testRegion(e *env) {
	info, err := e.c.HeadBucket(e.ctx, e.bucket)
	e.ok("head bucket", err)
	if e.has(BucketRegion) && info.Region == "" {
		e.Error("no region")
	}
	e.run("signed for another", func(e *env) {
		e.with(func(o *s3.Options) { o.Region = "ap-southeast-4" })
		// The client finds the right region, or says that it is another one.
		_, err := e.c.Put(e.ctx, e.putInput("k", []byte("x")))
		if err != nil {
			e.fails("put", err, s3.ErrRedirect)
			return
		}
		e.holds("k", "x")
	})
}

// testConnections is the row Connections.
func testConnections(e *env) {
	e.run("reused", func(e *env) {
		e.put("k", "x")
		var fresh atomic.Int64
		e.ctx = httptrace.WithClientTrace(e.ctx, &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) {
			if !i.Reused {
				fresh.Add(1)
			}
		}})
		for range 20 {
			e.holds("k", "x")
			e.put("k", "x")
			e.absent("absent")
			if _, err := e.rows(s3.LsInput{Bucket: e.bucket}); err != nil {
				e.Errorf("ls: %v", err)
			}
		}
		if n := fresh.Load(); n > 2 {
			e.Errorf("80 requests made %d connections", n)
		}
	})
	e.run("bounded", func(e *env) {
		const limit = 3
		var conns counter
		e.with(func(o *s3.Options) {
			o.Connections = limit
			o.Transport = chain(o.Transport, &conns)
		})
		e.put("k", string(pattern(100_000)))
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() { e.holds("k", string(pattern(100_000))) })
		}
		wg.Wait()
		if top := conns.top.Load(); top > limit {
			e.Errorf("%d requests at one time, want at most %d", top, limit)
		}
	})
}

// wrapper wraps a RoundTripper, as s3.Options.Transport does.
type wrapper interface {
	Transport(next http.RoundTripper) http.RoundTripper
}

// chain returns a Transport option that applies inner and then w.
func chain(inner func(http.RoundTripper) http.RoundTripper, w wrapper) func(http.RoundTripper) http.RoundTripper {
	return func(next http.RoundTripper) http.RoundTripper {
		if inner != nil {
			next = inner(next)
		}
		return w.Transport(next)
	}
}

// counter counts the requests under way, from their start to the end of their answer.
type counter struct{ now, top atomic.Int64 }

// Transport implements wrapper.
func (c *counter) Transport(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		now := c.now.Add(1)
		for top := c.top.Load(); now > top && !c.top.CompareAndSwap(top, now); top = c.top.Load() {
		}
		res, err := next.RoundTrip(r)
		if err != nil {
			c.now.Add(-1)
			return nil, err
		}
		res.Body = &countedBody{ReadCloser: res.Body, c: c}
		return res, nil
	})
}

// countedBody notifies its counter when it is closed or read to its end.
type countedBody struct {
	io.ReadCloser
	c    *counter
	once sync.Once
}

func (b *countedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.once.Do(func() { b.c.now.Add(-1) })
	}
	return n, err
}

func (b *countedBody) Close() error {
	b.once.Do(func() { b.c.now.Add(-1) })
	return b.ReadCloser.Close()
}

// roundTripper is a function as an http.RoundTripper.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// headerCheck counts the requests without a header.
type headerCheck struct {
	name          string
	with, without atomic.Int64
}

// Transport implements wrapper.
func (h *headerCheck) Transport(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		if r.Header.Get(h.name) == "" {
			h.without.Add(1)
		} else {
			h.with.Add(1)
		}
		return next.RoundTrip(r)
	})
}

// testRequesterPays is the row Requester pays.
func testRequesterPays(e *env) {
	check := &headerCheck{name: "x-amz-request-payer"}
	e.with(func(o *s3.Options) {
		o.RequesterPays = true
		o.Transport = chain(o.Transport, check)
	})
	e.put("k", "x")
	e.holds("k", "x")
	if _, err := e.rows(s3.LsInput{Bucket: e.bucket}); err != nil {
		e.Errorf("ls: %v", err)
	}
	_, err := e.c.Copy(e.ctx, e.copyInput("k", "c"))
	e.ok("copy", err)
	if check.without.Load() > 0 || check.with.Load() == 0 {
		e.Errorf("%d requests with the header, %d without", check.with.Load(), check.without.Load())
	}
}
