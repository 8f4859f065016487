package s3test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/s3mount/s3mount/s3"
)

// testInput holds that bad input, from the caller or the server, is a clear error.
func testInput(e *env) {
	e.run("names", inputNames)
	e.run("answers", inputAnswers)
	e.run("redirect loop", inputRedirects)
	e.run("closed everywhere", inputClosed)
}

// inputNames are requests that never leave the client.
func inputNames(e *env) {
	for _, bucket := range []string{"", "a/b", "a b", "ü", ".", "..", "a?b", "a\n", strings.Repeat("b", 256)} {
		_, err := e.c.Get(e.ctx, &s3.GetInput{Bucket: bucket, Key: "k"})
		e.fails(fmt.Sprintf("bucket %q", bucket), err, s3.ErrInvalidInput)
		_, err = e.c.Ls(e.ctx, &s3.LsInput{Bucket: bucket})
		e.fails(fmt.Sprintf("ls of bucket %q", bucket), err, s3.ErrInvalidInput)
	}
	for _, key := range []string{"", strings.Repeat("k", 1025)} {
		_, getErr := e.c.Get(e.ctx, &s3.GetInput{Bucket: e.bucket, Key: key})
		_, headErr := e.c.Head(e.ctx, &s3.HeadInput{Bucket: e.bucket, Key: key})
		_, putErr := e.c.Put(e.ctx, e.putInput(key, nil))
		_, delErr := e.c.Delete(e.ctx, &s3.DeleteInput{Bucket: e.bucket, Key: key})
		_, createErr := e.c.CreateUpload(e.ctx, &s3.CreateUploadInput{Bucket: e.bucket, Key: key})
		for op, err := range map[string]error{"get": getErr, "head": headErr, "put": putErr, "delete": delErr, "create": createErr} {
			e.fails(fmt.Sprintf("%s of a key of %d bytes", op, len(key)), err, s3.ErrInvalidInput)
		}
	}
	for _, r := range []s3.Range{s3.Bytes(5, 4), s3.Bytes(-1, 4), s3.Last(0)} {
		_, err := e.c.Get(e.ctx, &s3.GetInput{Bucket: e.bucket, Key: "k", Range: r})
		if err == nil {
			e.Errorf("range %v: no error", r)
		}
	}
}

// strange is a server that always answers the same, and a client of it that tries once.
func (e *env) strange(h http.Handler) *s3.Client {
	e.Helper()
	srv := httptest.NewServer(h)
	e.Cleanup(srv.Close)
	return e.clientOf(srv.URL)
}

// clientOf is a client that tries once.
func (e *env) clientOf(url string) *s3.Client {
	e.Helper()
	c, err := s3.New(s3.Options{Endpoint: url, Addressing: s3.AddressingPath, MaxAttempts: 1})
	e.ok("client", err)
	e.Cleanup(c.Close)
	return c
}

// calls makes one call of each kind and returns their errors by name.
func (e *env) calls(c *s3.Client) map[string]error {
	id := s3.UploadID{Bucket: "bucket", Key: "k", ID: "id"}
	errs := map[string]error{}
	_, _, errs["get"] = c.GetTo(e.ctx, &s3.GetInput{Bucket: "bucket", Key: "k"}, io.Discard)
	_, errs["head"] = c.Head(e.ctx, &s3.HeadInput{Bucket: "bucket", Key: "k"})
	_, errs["ls"] = c.Ls(e.ctx, &s3.LsInput{Bucket: "bucket"})
	_, errs["put"] = c.Put(e.ctx, &s3.PutInput{Bucket: "bucket", Key: "k", Body: strings.NewReader("x"), Size: 1})
	_, errs["copy"] = c.Copy(e.ctx, &s3.CopyInput{SrcBucket: "bucket", SrcKey: "k", SrcSize: 1, Bucket: "bucket", Key: "c"})
	_, errs["create"] = c.CreateUpload(e.ctx, &s3.CreateUploadInput{Bucket: "bucket", Key: "k"})
	_, errs["complete"] = c.CompleteUpload(e.ctx, &s3.CompleteUploadInput{Upload: id, Parts: []s3.Part{{Number: 1, ETag: `"x"`}}})
	_, errs["list parts"] = c.ListParts(e.ctx, &s3.ListPartsInput{Upload: id})
	_, errs["list uploads"] = c.ListUploads(e.ctx, &s3.ListUploadsInput{Bucket: "bucket"})
	_, errs["delete multi"] = c.DeleteMulti(e.ctx, &s3.DeleteMultiInput{Bucket: "bucket", Objects: []s3.ObjectID{{Key: "k"}}})
	return errs
}

// inputAnswers are answers that no S3 server gives.
func inputAnswers(e *env) {
	const page = "<html><head><title>Login</title></head><body>Please <b>log in.</body></html>"
	for name, c := range map[string]struct {
		status int
		kind   string
		body   string
		fine   string // calls that may take the answer for good
	}{
		"HTML error":   {502, "text/html", page, ""},
		"HTML portal":  {200, "text/html; charset=utf-8", page, ""}, // no word of an object
		"HTML login":   {200, "text/html", page, "get head put"},
		"empty":        {200, "application/xml", "", "get head put"},
		"half XML":     {200, "application/xml", "<ListBucketResult><Contents><Key>a", "get head put"},
		"other XML":    {200, "application/xml", "<a><b/></a>", "get head put"},
		"binary":       {500, "application/octet-stream", "\x00\xff\xfe<\x00>", ""},
		"error in 200": {200, "application/xml", "<Error><Code>InternalError</Code></Error>", "get head put"},
		"entities":     {200, "application/xml", `<!DOCTYPE x [<!ENTITY a "aaaa">]><ListBucketResult>&a;</ListBucketResult>`, "get head put"},
	} {
		h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			w.Header().Set("Content-Type", c.kind)
			if name != "HTML portal" {
				w.Header().Set("ETag", `"x"`)
			}
			w.WriteHeader(c.status)
			_, _ = io.WriteString(w, c.body)
		})
		for call, err := range e.calls(e.strange(h)) {
			typed := new(s3.Error)
			if err == nil && !strings.Contains(c.fine, call) {
				e.Errorf("%s: %s is no error", name, call)
			} else if err != nil && !errors.As(err, &typed) {
				e.Errorf("%s: %s: %T %v", name, call, err, err)
			}
		}
	}
	huge := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "<ListBucketResult>")
		chunk := strings.Repeat("<Contents><Key>"+strings.Repeat("k", 1000)+"</Key></Contents>", 1000)
		for range 1000 { // a gigabyte, if nobody stops it
			if _, err := io.WriteString(w, chunk); err != nil {
				return
			}
		}
	})
	_, err := e.strange(huge).Ls(e.ctx, &s3.LsInput{Bucket: "bucket"})
	if typed := new(s3.Error); !errors.As(err, &typed) {
		e.Errorf("endless listing: %v", err)
	}
}

// inputRedirects sends the client in circles.
func inputRedirects(e *env) {
	n := 0
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n++
		w.Header().Set("Location", "http://"+r.Host+r.URL.Path+"?again")
		w.Header().Set("x-amz-bucket-region", fmt.Sprintf("eu-west-%d", n%2+1))
		w.WriteHeader(http.StatusTemporaryRedirect)
	})
	_, err := e.strange(h).Get(e.ctx, &s3.GetInput{Bucket: "bucket", Key: "k"})
	e.fails("redirect loop", err, s3.ErrRedirect)
	if n > 20 {
		e.Errorf("%d requests", n)
	}
}

// inputClosed closes the connection after every byte of an answer: no prefix
// of an answer is taken for the whole, and no call hangs.
func inputClosed(e *env) {
	const list = "<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>k</Key><Size>1</Size><ETag>x</ETag>" +
		"<LastModified>2020-01-02T03:04:05.000Z</LastModified></Contents></ListBucketResult>"
	for name, c := range map[string]struct {
		body string
		call func(*s3.Client) error
	}{
		"get": {"hello, world", func(c *s3.Client) error {
			_, _, err := c.GetTo(e.ctx, &s3.GetInput{Bucket: "bucket", Key: "k"}, io.Discard)
			return err
		}},
		"ls": {list, func(c *s3.Client) error {
			_, err := c.Ls(e.ctx, &s3.LsInput{Bucket: "bucket"})
			return err
		}},
		"put": {"", func(c *s3.Client) error {
			_, err := c.Put(e.ctx, &s3.PutInput{Bucket: "bucket", Key: "k", Body: strings.NewReader("x"), Size: 1})
			return err
		}},
	} {
		answer := fmt.Sprintf("HTTP/1.1 200 OK\r\nETag: \"x\"\r\nLast-Modified: Thu, 02 Jan 2020 03:04:05 GMT\r\nContent-Length: %d\r\n\r\n%s",
			len(c.body), c.body)
		for n := range len(answer) {
			if err := c.call(e.clientOf(e.abrupt(answer[:n]))); err == nil {
				e.Errorf("%s: %d of %d bytes of the answer are no error", name, n, len(answer))
			}
		}
		if err := c.call(e.clientOf(e.abrupt(answer))); err != nil {
			e.Errorf("%s: the whole answer: %v", name, err)
		}
	}
}

// abrupt is the URL of a server that sends these bytes to everyone and closes.
func (e *env) abrupt(answer string) string {
	e.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	e.ok("listen", err)
	e.Cleanup(func() { _ = l.Close() }) // closed twice at worst
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			if r, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
				_, _ = io.Copy(io.Discard, r.Body)
				_, _ = io.WriteString(conn, answer)
			}
			_ = conn.Close()
		}
	}()
	return "http://" + l.Addr().String()
}
