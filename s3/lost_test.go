package s3

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// TestLostUpload runs a server that dies while it completes an upload and reports
// success for the repetition. The client must check whether the object exists.
func TestLostUpload(t *testing.T) {
	const etag = `"0123456789abcdef0123456789abcdef-1"`
	for name, tt := range map[string]struct {
		object string // its ETag; "": there is none
		size   string // its size; the upload has 5 bytes
		lost   bool   // the answer to the first attempt
		heads  int32
		want   error
	}{
		"done at once":                     {object: etag, size: "5", heads: 0},
		"done":                             {object: etag, size: "5", lost: true, heads: 1},
		"nothing there":                    {lost: true, heads: 1, want: ErrLostUpload},
		"the old one there":                {object: `"ffffffffffffffffffffffffffffffff"`, size: "4", lost: true, heads: 1, want: ErrLostUpload},
		"as long as it":                    {object: `"ffffffffffffffffffffffffffffffff-1"`, size: "5", lost: true, heads: 1, want: ErrLostUpload},
		"with an ETag of the server's own": {object: `"ffffffffffffffffffffffffffffffff"`, size: "5", lost: true, heads: 1},
	} {
		t.Run(name, func(t *testing.T) {
			var completes, heads atomic.Int32
			c := newTestClient(t, func(w http.ResponseWriter, r *http.Request) {
				switch {
				case r.Method == http.MethodHead && tt.object == "":
					heads.Add(1)
					w.WriteHeader(http.StatusNotFound)
				case r.Method == http.MethodHead:
					heads.Add(1)
					w.Header().Set("ETag", tt.object)
					w.Header().Set("Content-Length", tt.size)
				case completes.Add(1) == 1 && tt.lost:
					panic(http.ErrAbortHandler) // the connection ends
				default:
					fmt.Fprintf(w, `<CompleteMultipartUploadResult><ETag>%s</ETag></CompleteMultipartUploadResult>`, etag)
				}
			})
			out, err := c.CompleteUpload(t.Context(), &CompleteUploadInput{
				Upload: UploadID{Bucket: "bucket", Key: "k", ID: "u"}, Parts: []Part{{Number: 1, ETag: "x", Size: 5}}})
			switch {
			case tt.want == nil && (err != nil || out.ETag != etag):
				t.Errorf("%+v, %v", out, err)
			case tt.want != nil && (!errors.Is(err, tt.want) || !errors.Is(err, ErrTransient)):
				t.Errorf("error %v, want %v", err, tt.want)
			}
			if n := heads.Load(); n != tt.heads {
				t.Errorf("%d HEADs, want %d", n, tt.heads)
			}
		})
	}
}

// A completion with a conflict is not repeated. S3 has discarded the upload, so that a
// repetition would only return NoSuchUpload.
func TestConflictEndsACompletion(t *testing.T) {
	n := 0
	c := newFakeClient(t, func(*http.Request) (*http.Response, error) {
		if n++; n == 1 {
			return answer(409, errorBody("ConditionalRequestConflict")), nil
		}
		return answer(404, errorBody("NoSuchUpload")), nil
	})
	_, err := c.CompleteUpload(t.Context(), &CompleteUploadInput{Upload: UploadID{Bucket: "bucket", Key: "k", ID: "u"},
		Parts: []Part{{Number: 1, ETag: "x"}}, IfNoneMatch: "*"})
	wantIs(t, err, ErrConflict)
	if n != 1 {
		t.Errorf("%d requests", n)
	}
}

// oneObject is a server with one object. It loses the first answers to writes and
// compares the conditions of later writes with the object.
type oneObject struct {
	lose int
	have bool
	etag string
	meta string
	size int
}

func (s *oneObject) serve(r *http.Request) (*http.Response, error) {
	h := r.Header
	switch {
	case r.Method == http.MethodHead && r.URL.Path == "/bucket/src":
		return answer(200, "", "ETag", md5Of("mine!")), nil
	case r.Method == http.MethodHead && !s.have:
		return answer(404, ""), nil
	case r.Method == http.MethodHead:
		resp := answer(200, "", "ETag", s.etag, "X-Amz-Meta-Owner", s.meta)
		resp.ContentLength = int64(s.size)
		return resp, nil
	case h.Get("If-None-Match") != "" && s.have, h.Get("If-Match") != "" && (!s.have || h.Get("If-Match") != s.etag):
		return answer(412, errorBody("PreconditionFailed")), nil
	}
	s.have, s.etag, s.meta, s.size = r.Method == http.MethodPut, md5Of("mine!"), h.Get("X-Amz-Meta-Owner"), 5
	if h.Get("X-Amz-Copy-Source") != "" {
		s.size = 0
	}
	if s.lose--; s.lose >= 0 {
		return nil, io.ErrUnexpectedEOF
	}
	return answer(200, "<CopyObjectResult/>", "ETag", s.etag), nil
}

func md5Of(body string) string {
	sum := md5.Sum([]byte(body))
	return `"` + hex.EncodeToString(sum[:]) + `"`
}

// A conditional write that fails only because its first attempt succeeded has
// succeeded.
func TestLostAnswersOfConditionalWrites(t *testing.T) {
	put := func(c *Client, ifMatch, ifNoneMatch string) error {
		in := &PutInput{Bucket: "bucket", Key: "k", Body: strings.NewReader("mine!"), Size: 5, IfMatch: ifMatch, IfNoneMatch: ifNoneMatch}
		in.Metadata = map[string]string{"Owner": "me"}
		return second(c.Put(context.Background(), in))
	}
	replace := func(c *Client) error { return put(c, `"old"`, "") }
	create := func(c *Client) error { return put(c, "", "*") }
	remove := func(c *Client) error {
		return second(c.Delete(context.Background(), &DeleteInput{Bucket: "bucket", Key: "k", IfMatch: `"old"`}))
	}
	duplicate := func(c *Client) error {
		return second(c.Copy(context.Background(), &CopyInput{SrcBucket: "bucket", SrcKey: "src", SrcSize: 5, Bucket: "bucket", Key: "k", IfNoneMatch: "*"}))
	}
	for name, tt := range map[string]struct {
		server oneObject
		call   func(*Client) error
		want   error
	}{
		"create":                       {oneObject{lose: 1}, create, nil},
		"replace":                      {oneObject{lose: 1, have: true, etag: `"old"`}, replace, nil},
		"delete":                       {oneObject{lose: 1, have: true, etag: `"old"`}, remove, nil},
		"copy":                         {oneObject{lose: 1}, duplicate, nil},
		"create over another's":        {oneObject{have: true, etag: md5Of("mine!"), meta: "me", size: 5}, create, ErrPreconditionFailed},
		"delete of another's":          {oneObject{have: true, etag: `"other"`}, remove, ErrPreconditionFailed},
		"delete of what was gone":      {oneObject{}, remove, ErrPreconditionFailed},
		"copy over another's":          {oneObject{have: true, etag: md5Of("mine!")}, duplicate, ErrPreconditionFailed},
		"replacement of another's":     {oneObject{have: true, etag: `"other"`}, replace, ErrPreconditionFailed},
		"replacement of equal bytes":   {oneObject{have: true, etag: md5Of("mine!"), meta: "me", size: 5}, replace, ErrPreconditionFailed},
		"replacement of what was gone": {oneObject{}, replace, ErrPreconditionFailed},
	} {
		for _, mode := range []ChecksumMode{ChecksumAuto, ChecksumOff} {
			t.Run(name, func(t *testing.T) {
				server := tt.server
				c := newFakeClient(t, server.serve, func(o *Options) { o.Checksums = mode })
				c.backoff = func(int) time.Duration { return 0 }
				if err := tt.call(c); !errors.Is(err, tt.want) {
					t.Errorf("%v, want %v", err, tt.want)
				}
			})
		}
	}
}

// Another client wrote the same bytes with other metadata while an attempt failed, or
// the attempt never reached the server.
func TestEqualBytesOfAnotherWriter(t *testing.T) {
	for name, tt := range map[string]struct {
		fail error
		meta string
	}{
		"metadata":  {io.ErrUnexpectedEOF, "somebody"},
		"never met": {&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, "me"},
	} {
		t.Run(name, func(t *testing.T) {
			server := &oneObject{have: true, etag: md5Of(""), meta: tt.meta}
			n := 0
			c := newFakeClient(t, func(r *http.Request) (*http.Response, error) {
				if n++; n == 1 {
					return nil, tt.fail
				}
				return server.serve(r)
			})
			c.backoff = func(int) time.Duration { return 0 }
			in := &PutInput{Bucket: "bucket", Key: "lock", IfNoneMatch: "*"}
			in.Metadata = map[string]string{"Owner": "me"}
			wantIs(t, second(c.Put(t.Context(), in)), ErrPreconditionFailed)
		})
	}
}
