package s3

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestDeleteMulti(t *testing.T) {
	var requests counter
	c := newTestClient(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.Method == http.MethodDelete {
			requests.add("single " + r.URL.Path)
			return
		}
		requests.add("multi")
		if r.Header.Get("Content-Md5") != md5Base64(body) {
			t.Error("Content-MD5 is missing or wrong")
		}
		fmt.Fprint(w, "<DeleteResult>")
		parseXML(body, func(parent, name, text []byte) error {
			if string(name) != "Key" {
				return nil
			}
			key, _ := appendXMLText(nil, string(text))
			switch {
			case string(text) == "denied":
				fmt.Fprintf(w, "<Error><Key>%s</Key><Code>AccessDenied</Code><Message>no</Message></Error>", key)
			case string(text) == "absent":
				fmt.Fprintf(w, "<Error><Key>%s</Key><Code>NoSuchKey</Code></Error>", key)
			case string(text) == "silent":
			default:
				fmt.Fprintf(w, "<Deleted><Key>%s</Key><DeleteMarker>true</DeleteMarker><DeleteMarkerVersionId>v</DeleteMarkerVersionId></Deleted>", key)
			}
			return nil
		})
		fmt.Fprint(w, "</DeleteResult>")
	})
	in := &DeleteMultiInput{Bucket: "bucket"}
	for _, key := range []string{"a<&>b", "denied", "absent", "silent", "x\x01y"} {
		in.Objects = append(in.Objects, ObjectID{Key: key})
	}
	got, err := c.DeleteMulti(t.Context(), in)
	noError(t, err)
	wantIs(t, got[1].Err, ErrForbidden)
	wantIs(t, got[3].Err, errNoResult)
	for _, i := range []int{0, 2, 4} {
		noError(t, got[i].Err)
	}
	if got[0].Key != "a<&>b" || !got[0].DeleteMarker || got[0].DeleteMarkerVersionID != "v" || requests.get("single /bucket/x\x01y") != 1 {
		t.Errorf("got %+v", got)
	}
	in.Objects = nil
	for i := range 2500 {
		in.Objects = append(in.Objects, ObjectID{Key: strconv.Itoa(i)})
	}
	before := requests.get("multi")
	got, err = c.DeleteMulti(t.Context(), in)
	noError(t, err)
	if len(got) != 2500 || got[2499].Key != "2499" || requests.get("multi")-before != 3 {
		t.Errorf("%d results of %d requests", len(got), requests.get("multi")-before)
	}
}

// Errors inside a response with status 200.
func TestErrorIn200(t *testing.T) {
	id := UploadID{Bucket: "bucket", Key: "k", ID: "u"}
	calls := map[string]func(context.Context, *Client) error{
		"copy": func(ctx context.Context, c *Client) error {
			return second(c.Copy(ctx, &CopyInput{SrcBucket: "bucket", SrcKey: "a", Bucket: "bucket", Key: "b", SrcSize: 1}))
		},
		"copy part": func(ctx context.Context, c *Client) error {
			return second(c.CopyPart(ctx, &CopyPartInput{Upload: id, PartNumber: 1, SrcBucket: "bucket", SrcKey: "a"}))
		},
		"complete": func(ctx context.Context, c *Client) error {
			return second(c.CompleteUpload(ctx, &CompleteUploadInput{Upload: id, Parts: []Part{{Number: 1, ETag: "x"}}}))
		},
		"delete": func(ctx context.Context, c *Client) error {
			return second(c.DeleteMulti(ctx, &DeleteMultiInput{Bucket: "bucket", Objects: []ObjectID{{Key: "k"}}}))
		},
	}
	for name, call := range calls {
		for _, tt := range []struct {
			body     string
			want     error
			attempts int32
		}{
			{errorBody("AccessDenied"), nil, 1},
			{errorBody("InternalError"), ErrTransient, 3},
			{errorBody("SlowDown"), ErrThrottled, 3},
			{"<html>welcome</html>", nil, 1},
			{"", nil, 1},
		} {
			var n atomic.Int32
			c := newTestClient(t, func(w http.ResponseWriter, r *http.Request) {
				n.Add(1)
				io.WriteString(w, "   \n") // sent to keep the connection while it works
				io.WriteString(w, tt.body)
			}, func(o *Options) { o.MaxAttempts = 3 })
			err := call(t.Context(), c)
			e := wantIs(t, err)
			if tt.want != nil {
				wantIs(t, err, tt.want)
			}
			if n.Load() != tt.attempts || e.Status != 200 {
				t.Errorf("%s, %q: status %d after %d attempts: %v", name, tt.body, e.Status, n.Load(), err)
			}
		}
	}
}

// copyServer copies by parts, and refuses to copy as a whole.
func copyServer(t *testing.T, size int64, ranges *sync.Map, aborted *atomic.Bool, failPart string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		switch {
		case r.Method == http.MethodHead:
			w.Header().Set("Content-Length", strconv.FormatInt(size, 10))
			w.Header().Set("ETag", `"src"`)
			w.Header().Set("Content-Type", "text/x")
			w.Header().Set("X-Amz-Meta-Mode", "1")
		case q.Has("tagging"):
			io.WriteString(w, "<Tagging><TagSet><Tag><Key>a</Key><Value>1</Value></Tag></TagSet></Tagging>")
		case q.Has("uploads"):
			if r.Header.Get("Content-Type") != "text/x" || r.Header.Get("X-Amz-Meta-Mode") != "1" || r.Header.Get("X-Amz-Tagging") != "a=1" {
				t.Errorf("properties are lost: %v", r.Header)
			}
			io.WriteString(w, "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>")
		case r.Method == http.MethodDelete:
			aborted.Store(true)
		case q.Has("partNumber"):
			if q.Get("partNumber") == failPart {
				writeError(w, 412, "PreconditionFailed")
				return
			}
			if r.Header.Get("X-Amz-Copy-Source") != "/bucket/a%20b?versionId=v%2B1" || r.Header.Get("X-Amz-Copy-Source-If-Match") != `"src"` {
				t.Errorf("part copy has %v", r.Header)
			}
			ranges.Store(q.Get("partNumber"), r.Header.Get("X-Amz-Copy-Source-Range"))
			io.WriteString(w, "<CopyPartResult><ETag>&quot;p&quot;</ETag></CopyPartResult>")
		case r.Method == http.MethodPost:
			io.WriteString(w, "<CompleteMultipartUploadResult><ETag>&quot;done&quot;</ETag></CompleteMultipartUploadResult>")
		default:
			writeError(w, 400, "InvalidRequest") // "larger than the maximum allowable size"
		}
	}
}

func TestCopyOver5GiB(t *testing.T) {
	const size = 5<<30 + 10
	for _, known := range []int64{size, 0} {
		var ranges sync.Map
		var aborted atomic.Bool
		c := newTestClient(t, copyServer(t, size, &ranges, &aborted, ""))
		in := &CopyInput{SrcBucket: "bucket", SrcKey: "a b", SrcVersionID: "v+1", SrcSize: known, Bucket: "bucket", Key: "k"}
		out, err := c.Copy(t.Context(), in)
		noError(t, err)
		if out.ETag != `"done"` || aborted.Load() {
			t.Errorf("got %+v", out)
		}
		covered := int64(0)
		for i := 1; ; i++ {
			v, ok := ranges.Load(strconv.Itoa(i))
			if !ok {
				break
			}
			var first, last int64
			fmt.Sscanf(v.(string), "bytes=%d-%d", &first, &last)
			if first != covered {
				t.Errorf("part %d starts at %d, not %d", i, first, covered)
			}
			covered = last + 1
		}
		if covered != size {
			t.Errorf("%d bytes were copied", covered)
		}
	}
}

// A refusal of a small copy stays what it is: S3 refuses a copy onto itself
// that changes nothing with the same code as one that is too large.
func TestRefusedSmallCopy(t *testing.T) {
	var ranges sync.Map
	var aborted atomic.Bool
	c := newTestClient(t, copyServer(t, 100, &ranges, &aborted, ""))
	_, err := c.Copy(t.Context(), &CopyInput{SrcBucket: "bucket", SrcKey: "k", Bucket: "bucket", Key: "k"})
	if e := wantIs(t, err); e.Code != "InvalidRequest" {
		t.Errorf("got %v", e)
	}
}

func TestFailedCopyIsAborted(t *testing.T) {
	var ranges sync.Map
	var aborted atomic.Bool
	c := newTestClient(t, copyServer(t, 6<<30, &ranges, &aborted, "3"))
	in := &CopyInput{SrcBucket: "bucket", SrcKey: "a b", SrcVersionID: "v+1", SrcSize: 6 << 30, Bucket: "bucket", Key: "k"}
	_, err := c.Copy(t.Context(), in)
	wantIs(t, err, ErrPreconditionFailed)
	if !aborted.Load() {
		t.Error("the upload was left behind")
	}
}

func TestPartSizeFor(t *testing.T) {
	for _, size := range []int64{1, 5 << 30, 5 << 40, 48 << 40} {
		part := partSizeFor(size)
		if n := (size + part - 1) / part; n > MaxPartNumber || part > MaxPartSize && size <= 48<<40 {
			t.Errorf("%d bytes: %d parts of %d", size, n, part)
		}
	}
}

// streamServer takes uploads and forgets their bytes.
func streamServer(got *atomic.Int64, fail string, aborted *atomic.Bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		switch {
		case q.Has("uploads"):
			io.WriteString(w, "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>")
		case r.Method == http.MethodDelete:
			aborted.Store(true)
		case r.Method == http.MethodPost:
			io.Copy(io.Discard, r.Body)
			io.WriteString(w, "<CompleteMultipartUploadResult><ETag>&quot;done&quot;</ETag></CompleteMultipartUploadResult>")
		default:
			if fail != "" && q.Get("partNumber") == fail {
				writeError(w, 403, "AccessDenied")
				return
			}
			n, _ := io.Copy(io.Discard, r.Body)
			got.Add(n)
			w.Header().Set("ETag", `"p"`)
		}
	}
}

// zeros yields n bytes.
func zeros(n int64) io.Reader { return io.LimitReader(zeroReader{}, n) }

type zeroReader struct{}

func (zeroReader) Read(p []byte) (int, error) { return len(p), nil }

func TestPutStream(t *testing.T) {
	for _, size := range []int64{0, 1, MinPartSize - 1, MinPartSize, MinPartSize + 1, 3 * MinPartSize, 7*MinPartSize + 3} {
		var got atomic.Int64
		var aborted atomic.Bool
		c := newTestClient(t, streamServer(&got, "", &aborted), func(o *Options) { o.Checksums = ChecksumOff })
		_, err := c.PutStream(t.Context(), &PutStreamInput{Bucket: "bucket", Key: "k", Body: zeros(size), PartSize: MinPartSize, Parallel: 2})
		noError(t, err)
		if got.Load() != size || aborted.Load() {
			t.Errorf("%d of %d bytes", got.Load(), size)
		}
	}
}

func TestPutStreamFails(t *testing.T) {
	boom := errors.New("boom")
	for _, tt := range []struct {
		name string
		body io.Reader
		fail string
		want error
	}{
		{"server", zeros(100 << 20), "3", ErrForbidden},
		{"body", io.MultiReader(zeros(3*MinPartSize), errReader{boom}), "", boom},
	} {
		var got atomic.Int64
		var aborted atomic.Bool
		c := newTestClient(t, streamServer(&got, tt.fail, &aborted), func(o *Options) { o.Checksums = ChecksumOff })
		_, err := c.PutStream(t.Context(), &PutStreamInput{Bucket: "bucket", Key: "k", Body: tt.body, PartSize: MinPartSize})
		wantIs(t, err, tt.want)
		if !aborted.Load() {
			t.Errorf("%s: the upload was left behind", tt.name)
		}
	}
	c := newTestClient(t, nil)
	_, err := c.PutStream(t.Context(), &PutStreamInput{Bucket: "bucket", Key: "k", Body: errReader{boom}})
	wantIs(t, err, boom)
}

// A stream of 5 GiB stays under the bound that PutStream states.
func TestPutStreamMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("moves 5 GiB")
	}
	c := newFakeClient(t, func(r *http.Request) (*http.Response, error) {
		switch {
		case r.URL.Query().Has("uploads"):
			return answer(200, "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"), nil
		case r.Method == http.MethodPost:
			return answer(200, "<CompleteMultipartUploadResult><ETag>e</ETag></CompleteMultipartUploadResult>"), nil
		}
		return answer(200, "", "ETag", "p"), nil
	}, func(o *Options) { o.Checksums = ChecksumOff })
	var before runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	_, err := c.PutStream(t.Context(), &PutStreamInput{Bucket: "bucket", Key: "k", Body: zeros(5 << 30)})
	noError(t, err)
	var after runtime.MemStats
	runtime.ReadMemStats(&after)
	const bound = 5*streamPartSize + 16<<20 // the parts, and what 640 requests leave to the collector
	if n := after.TotalAlloc - before.TotalAlloc; n > bound {
		t.Errorf("%d MiB were allocated, of which at most %d MiB may live", n>>20, bound>>20)
	}
}

// A ranged GET of 8 MiB into the caller's buffer costs no heap in proportion.
func TestGetIntoAllocates(t *testing.T) {
	content := testBytes(8 << 20)
	c := newTestClient(t, objectServer(content))
	p := make([]byte, 8<<20)
	get := func() {
		if _, n, err := c.GetInto(t.Context(), &GetInput{Bucket: "bucket", Key: "k", Range: Bytes(0, 8<<20-1)}, p); err != nil || n != len(p) {
			t.Fatal(n, err)
		}
	}
	get()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	const rounds = 10
	for range rounds {
		get()
	}
	runtime.ReadMemStats(&after)
	if n := (after.TotalAlloc - before.TotalAlloc) / rounds; n > 64<<10 { // the test's server is in it
		t.Errorf("%d bytes allocated per GET", n)
	}
	if !bytes.Equal(p, content) {
		t.Error("bytes differ")
	}
}

func TestObserverAndLog(t *testing.T) {
	var n atomic.Int32
	var mu sync.Mutex
	var seen []Attempt
	var log bytes.Buffer
	c := newTestClient(t, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		if n.Add(1) == 1 {
			writeError(w, 500, "InternalError")
			return
		}
		w.Header().Set("Content-Length", "3")
		io.WriteString(w, "abc")
	}, func(o *Options) {
		o.Observer = func(a Attempt) {
			mu.Lock()
			defer mu.Unlock()
			seen = append(seen, a)
		}
		o.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		o.Credentials = StaticCredentials("AKIDEXAMPLE", "topsecret", "sessiontoken")
	})
	_, err := c.Put(t.Context(), &PutInput{Bucket: "bucket", Key: "k", Body: strings.NewReader("12345"), Size: 5,
		ObjectOptions: ObjectOptions{SSE: ServerSideEncryption{Customer: &CustomerKey{}}}})
	noError(t, err)
	out, err := c.Get(t.Context(), &GetInput{Bucket: "bucket", Key: "k"})
	noError(t, err)
	if len(seen) != 2 {
		t.Errorf("a GET was reported before its body was read: %+v", seen)
	}
	io.Copy(io.Discard, out.Body)
	out.Body.Close()
	if len(seen) != 3 {
		t.Fatalf("saw %+v", seen)
	}
	for i, want := range []Attempt{
		{Op: "PutObject", Status: 500, BytesSent: 5}, {Op: "PutObject", Status: 200, Retry: 1, BytesSent: 5, BytesReceived: 3},
		{Op: "GetObject", Status: 200, BytesReceived: 3},
	} {
		a := seen[i]
		if a.Op != want.Op || a.Status != want.Status || a.Retry != want.Retry || a.BytesSent != want.BytesSent ||
			i > 0 && a.BytesReceived != want.BytesReceived || (a.Err != nil) != (i == 0) || a.Bucket != "bucket" || a.Duration < a.Header || a.Header <= 0 {
			t.Errorf("attempt %d is %+v", i, a)
		}
	}
	if s := log.String(); strings.Count(s, "s3 attempt") != 3 {
		t.Errorf("log is %s", s)
	}
	for _, secret := range []string{"topsecret", "sessiontoken", "Signature", "AAAAAAAAAAAA"} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("log holds %q", secret)
		}
	}
}

func TestRequesterPays(t *testing.T) {
	c := newFakeClient(t, func(r *http.Request) (*http.Response, error) {
		if r.Header.Get("X-Amz-Request-Payer") != "requester" {
			t.Error("header is missing")
		}
		return answer(204, ""), nil
	}, func(o *Options) { o.RequesterPays = true })
	_, err := c.Delete(t.Context(), &DeleteInput{Bucket: "bucket", Key: "k"})
	noError(t, err)
	p, err := c.PresignGet(t.Context(), &GetInput{Bucket: "bucket", Key: "k"}, time.Minute)
	noError(t, err)
	if !strings.Contains(p.URL, "x-amz-request-payer=requester") {
		t.Errorf("URL is %s", p.URL)
	}
}

func TestPresignExpiry(t *testing.T) {
	c := newTestClient(t, nil)
	for _, d := range []time.Duration{0, time.Millisecond, 8 * 24 * time.Hour} {
		_, err := c.PresignGet(t.Context(), &GetInput{Bucket: "bucket", Key: "k"}, d)
		wantIs(t, err, ErrInvalidInput)
	}
	id := UploadID{Bucket: "bucket", Key: "k", ID: "u"}
	for method, p := range map[string]func() (*Presigned, error){
		"GET": func() (*Presigned, error) {
			return c.PresignGet(t.Context(), &GetInput{Bucket: "bucket", Key: "k"}, time.Hour)
		},
		"HEAD": func() (*Presigned, error) {
			return c.PresignHead(t.Context(), &HeadInput{Bucket: "bucket", Key: "k"}, time.Hour)
		},
		"PUT": func() (*Presigned, error) {
			return c.PresignUploadPart(t.Context(), &UploadPartInput{Upload: id, PartNumber: 1, Size: 99}, time.Hour)
		},
		"DELETE": func() (*Presigned, error) {
			return c.PresignDelete(t.Context(), &DeleteInput{Bucket: "bucket", Key: "k"}, time.Hour)
		},
	} {
		got, err := p()
		noError(t, err)
		if got.Method != method || !strings.Contains(got.URL, "X-Amz-Expires=3600") || len(got.Header) != 0 {
			t.Errorf("got %+v", got)
		}
	}
}

func TestTLS(t *testing.T) {
	srv := httptest.NewTLSServer(objectServer([]byte("abc")))
	defer srv.Close()
	srv.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	o := testOptions(srv.URL)
	head := func(o Options) error {
		c, err := New(o)
		noError(t, err)
		defer c.Close()
		_, err = c.Head(t.Context(), &HeadInput{Bucket: "bucket", Key: "k"})
		return err
	}
	start := time.Now()
	if e := wantIs(t, head(o), ErrTransient); !strings.Contains(e.Error(), "certificate") || time.Since(start) > 30*time.Second {
		t.Errorf("an unknown authority: %v", e)
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	noError(t, os.WriteFile(file, pemOf(srv), 0o600))
	pool, err := CertPool(file)
	noError(t, err)
	trusting := o
	trusting.RootCAs = pool
	noError(t, head(trusting))
	careless := o
	careless.InsecureSkipVerify = true
	noError(t, head(careless))
	if _, err := CertPool(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("no error for a missing file")
	}
	noError(t, os.WriteFile(file, []byte("x"), 0o600))
	if _, err := CertPool(file); err == nil {
		t.Error("no error for a file without certificates")
	}
	plain := testOptions(strings.Replace(srv.URL, "https", "http", 1))
	plain.MaxAttempts = 2
	if err := head(plain); err == nil {
		t.Error("http to a https server gives no error")
	}
}

func pemOf(srv *httptest.Server) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})
}

func TestIPFamily(t *testing.T) {
	srv := httptest.NewServer(objectServer([]byte("abc")))
	defer srv.Close()
	for family, ok := range map[IPFamily]bool{IPBoth: true, IPv4Only: true, IPv6Only: false} {
		o := testOptions(srv.URL)
		o.IPFamily, o.MaxAttempts = family, 1
		c, err := New(o)
		noError(t, err)
		if _, err = c.Head(t.Context(), &HeadInput{Bucket: "bucket", Key: "k"}); (err == nil) != ok {
			t.Errorf("family %d: %v", family, err)
		}
		c.Close()
	}
}

func TestConnectionsAreReused(t *testing.T) {
	var conns atomic.Int32
	srv := httptest.NewUnstartedServer(objectServer(testBytes(1 << 20)))
	srv.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			conns.Add(1)
		}
	}
	srv.Start()
	defer srv.Close()
	c, err := New(testOptions(srv.URL))
	noError(t, err)
	defer c.Close()
	p := make([]byte, 1000)
	for i := range 50 {
		out, err := c.Get(t.Context(), &GetInput{Bucket: "bucket", Key: "k", Range: Bytes(0, 50_000)})
		noError(t, err)
		if i%2 == 0 {
			io.ReadFull(out.Body, p) // the rest is small: cheaper to drop than a new connection
		} else {
			io.Copy(io.Discard, out.Body)
		}
		out.Body.Close()
		_, err = c.Head(t.Context(), &HeadInput{Bucket: "bucket", Key: "k"})
		noError(t, err)
		_, err = c.Head(t.Context(), &HeadInput{Bucket: "bucket", Key: "k", Conditions: Conditions{IfNoneMatch: "*"}})
		wantIs(t, err, ErrNotModified)
	}
	if conns.Load() != 1 {
		t.Errorf("%d connections for 150 requests one by one", conns.Load())
	}
}
