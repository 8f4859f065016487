package s3test

import (
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/s3mount/s3mount/s3"
)

// testPresign is the row Presign.
func testPresign(e *env) {
	if e.suite.configure == nil {
		e.Skip("the options of a client are not known: s3test.Configure gives them")
	}
	o, bucket := e.suite.configure(e.T)
	if o.Credentials == nil {
		o.Credentials = s3.StaticCredentials("anyone", "anything", "")
	}
	c, err := s3.New(o)
	e.ok("client", err)
	defer c.Close()
	e.c, e.bucket = c, bucket
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: o.RootCAs}}
	defer transport.CloseIdleConnections()
	var rt http.RoundTripper = transport
	if o.Transport != nil {
		rt = o.Transport(rt)
	}
	p := &presigner{env: e, http: &http.Client{Transport: rt}}
	e.run("object", func(e *env) { p.on(e).object() })
	e.run("part", func(e *env) { p.on(e).part() })
	e.run("forged", func(e *env) { p.on(e).forged() })
	e.run("expiry", func(e *env) {
		for _, d := range []time.Duration{0, -time.Second, 8 * 24 * time.Hour} {
			_, err := e.c.PresignGet(e.ctx, &s3.GetInput{Bucket: e.bucket, Key: "k"}, d)
			e.fails(d.String(), err, s3.ErrInvalidInput)
		}
	})
}

// presigner sends presigned requests as anyone would.
type presigner struct {
	*env
	http *http.Client
}

// on is p in a subtest.
func (p *presigner) on(e *env) *presigner { return &presigner{env: e, http: p.http} }

// send sends a presigned request.
func (p *presigner) send(s *s3.Presigned, err error, body string) (status int, got string) {
	p.Helper()
	p.ok("presign", err)
	r, err := http.NewRequestWithContext(p.ctx, s.Method, s.URL, strings.NewReader(body))
	p.ok("request", err)
	for name, values := range s.Header {
		r.Header[name] = values
	}
	res, err := p.http.Do(r)
	p.ok(s.Method, err)
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	p.ok("read", err)
	return res.StatusCode, string(b)
}

// object writes, reads and deletes an object by URLs.
func (p *presigner) object() {
	const key = "dir/ü +%?"
	in := &s3.PutInput{Bucket: p.bucket, Key: key}
	in.ContentType = "text/x"
	in.Metadata = map[string]string{"k": "v"}
	s, err := p.c.PresignPut(p.ctx, in, time.Minute)
	if status, body := p.send(s, err, "bytes"); status != 200 {
		p.Fatalf("put: %d %s", status, body)
	}
	p.holds(key, "bytes")
	info, err := p.c.Head(p.ctx, &s3.HeadInput{Bucket: p.bucket, Key: key})
	p.ok("head", err)
	if info.ContentType != "text/x" || info.Metadata["k"] != "v" {
		p.Errorf("info = %+v", info)
	}
	s, err = p.c.PresignGet(p.ctx, &s3.GetInput{Bucket: p.bucket, Key: key}, time.Minute)
	if status, body := p.send(s, err, ""); status != 200 || body != "bytes" {
		p.Errorf("get: %d %s", status, body)
	}
	s, err = p.c.PresignHead(p.ctx, &s3.HeadInput{Bucket: p.bucket, Key: key}, time.Minute)
	if status, _ := p.send(s, err, ""); status != 200 {
		p.Errorf("head: %d", status)
	}
	s, err = p.c.PresignGet(p.ctx, &s3.GetInput{Bucket: p.bucket, Key: key, Range: s3.Bytes(1, 2)}, time.Minute)
	if status, body := p.send(s, err, ""); status != 206 || body != "yt" {
		p.Errorf("range: %d %s", status, body)
	}
	s, err = p.c.PresignDelete(p.ctx, &s3.DeleteInput{Bucket: p.bucket, Key: key}, time.Minute)
	if status, body := p.send(s, err, ""); status != 204 {
		p.Errorf("delete: %d %s", status, body)
	}
	p.absent(key)
}

// part uploads a part by URL.
func (p *presigner) part() {
	id, err := p.c.CreateUpload(p.ctx, &s3.CreateUploadInput{Bucket: p.bucket, Key: "upload"})
	p.ok("create", err)
	s, err := p.c.PresignUploadPart(p.ctx, &s3.UploadPartInput{Upload: id, PartNumber: 1}, time.Minute)
	if status, body := p.send(s, err, "bytes"); status != 200 {
		p.Logf("this upload takes no parts without checksums: %d %s", status, body)
		p.ok("abort", p.c.AbortUpload(p.ctx, id))
		return
	}
	page, err := p.c.ListParts(p.ctx, &s3.ListPartsInput{Upload: id})
	p.ok("list parts", err)
	p.complete(id, page.Parts...)
	p.holds("upload", "bytes")
}

// forged changes signed parts of a request.
func (p *presigner) forged() {
	p.need(Authentication)
	p.put("k", "bytes")
	s, err := p.c.PresignGet(p.ctx, &s3.GetInput{Bucket: p.bucket, Key: "k"}, time.Minute)
	p.ok("presign", err)
	for name, change := range map[string]func(*s3.Presigned){
		"method": func(s *s3.Presigned) { s.Method = http.MethodDelete },
		"key":    func(s *s3.Presigned) { s.URL = strings.Replace(s.URL, "/k?", "/other?", 1) },
		"expiry": func(s *s3.Presigned) { s.URL = strings.Replace(s.URL, "X-Amz-Expires=60", "X-Amz-Expires=6000", 1) },
	} {
		forged := *s
		change(&forged)
		if status, body := p.send(&forged, nil, ""); status != 403 {
			p.Errorf("another %s: %d %s", name, status, body)
		}
	}
	p.holds("k", "bytes")
	plain, err := s3.New(s3.Options{Endpoint: "http://127.0.0.1:1"})
	p.ok("client", err)
	defer plain.Close()
	_, err = plain.PresignGet(p.ctx, &s3.GetInput{Bucket: p.bucket, Key: "k"}, time.Minute)
	if !errors.Is(err, s3.ErrNoCredentials) {
		p.Errorf("presign without credentials: %v", err)
	}
}
