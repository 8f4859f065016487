package s3

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// objectServer serves content under every key, ranges and all.
func objectServer(content []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"etag"`)
		http.ServeContent(w, r, "", time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), bytes.NewReader(content))
	}
}

func TestGet(t *testing.T) {
	content := testBytes(1 << 20)
	c := newTestClient(t, objectServer(content))
	for _, tt := range []struct {
		r           Range
		first, last int64
	}{
		{Range{}, 0, 1<<20 - 1}, {Bytes(0, 0), 0, 0}, {Bytes(100, 199), 100, 199}, {From(1 << 19), 1 << 19, 1<<20 - 1},
		{Last(5), 1<<20 - 5, 1<<20 - 1}, {Bytes(1<<20-1, 1<<30), 1<<20 - 1, 1<<20 - 1}, {Last(1 << 30), 0, 1<<20 - 1},
	} {
		in := &GetInput{Bucket: "bucket", Key: "k", Range: tt.r}
		out, err := c.Get(t.Context(), in)
		noError(t, err)
		got, err := io.ReadAll(out.Body)
		noError(t, err)
		noError(t, out.Body.Close())
		want := content[tt.first : tt.last+1]
		if !bytes.Equal(got, want) || out.Offset != tt.first || out.Length != int64(len(want)) || out.Size != 1<<20 {
			t.Errorf("%v: offset %d, length %d, size %d", tt.r, out.Offset, out.Length, out.Size)
		}
		if _, err := out.Body.Read(make([]byte, 1)); !errors.Is(err, errBodyClosed) {
			t.Errorf("read after close: %v", err)
		}
		var buf bytes.Buffer
		if _, n, err := c.GetTo(t.Context(), in, &buf); err != nil || n != int64(len(want)) || !bytes.Equal(buf.Bytes(), want) {
			t.Errorf("%v: GetTo gives %d bytes, %v", tt.r, n, err)
		}
		p := make([]byte, len(want)+10)
		if _, n, err := c.GetInto(t.Context(), in, p); err != nil || !bytes.Equal(p[:n], want) {
			t.Errorf("%v: GetInto gives %d bytes, %v", tt.r, n, err)
		}
	}
	if _, n, err := c.GetInto(t.Context(), &GetInput{Bucket: "bucket", Key: "k"}, make([]byte, 7)); err != nil || n != 7 {
		t.Errorf("into a small buffer: %d, %v", n, err)
	}
	_, err := c.Get(t.Context(), &GetInput{Bucket: "bucket", Key: "k", Range: From(1 << 20)})
	wantIs(t, err, ErrInvalidRange)
}

func TestServerThatIgnoresRanges(t *testing.T) {
	c := newTestClient(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "0123456789") })
	_, err := c.Get(t.Context(), &GetInput{Bucket: "bucket", Key: "k", Range: Bytes(3, 5)})
	wantIs(t, err, errRangeIgnored)
	out, err := c.Get(t.Context(), &GetInput{Bucket: "bucket", Key: "k", Range: Bytes(0, 20)})
	noError(t, err)
	out.Body.Close()
}

// The response to a HEAD may lack a length only if the object is empty.
func TestHeadWithoutLength(t *testing.T) {
	for etag, ok := range map[string]bool{`"` + emptyMD5 + `"`: true, `"0123456789abcdef0123456789abcdef"`: false, "": false} {
		c := newTestClient(t, func(w http.ResponseWriter, r *http.Request) { w.Header().Set("ETag", etag) })
		info, err := c.Head(t.Context(), &HeadInput{Bucket: "bucket", Key: "k"})
		if ok && (err != nil || info.Size != 0) || !ok && !errors.Is(err, errNoLength) {
			t.Errorf("ETag %s: %+v, %v", etag, info, err)
		}
	}
}

func TestWrongContentRange(t *testing.T) {
	for _, h := range []string{"", "bytes 0-2/10", "bytes 3-6/10", "bytes 3-4/10", "bytes 3-5/4"} {
		c := newTestClient(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Range", h)
			w.WriteHeader(206)
			io.WriteString(w, "345")
		})
		_, err := c.Get(t.Context(), &GetInput{Bucket: "bucket", Key: "k", Range: Bytes(3, 5)})
		wantIs(t, err, errBadContentRange)
	}
}

// breaking serves content but cuts the connection after each n bytes of body.
func breaking(content []byte, n int, changed func(r *http.Request) bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		etag := `"etag"`
		if changed != nil && changed(r) {
			etag = `"other"`
		}
		if m := r.Header.Get("If-Match"); m != "" && m != etag {
			writeError(w, 412, "PreconditionFailed")
			return
		}
		first := 0
		if v := r.Header.Get("Range"); v != "" {
			first, _ = strconv.Atoi(strings.TrimSuffix(strings.Split(strings.TrimPrefix(v, "bytes="), "-")[0], "-"))
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", first, len(content)-1, len(content)))
		}
		w.Header().Set("ETag", etag)
		w.Header().Set("Content-Length", strconv.Itoa(len(content)-first))
		if first > 0 {
			w.WriteHeader(206)
		}
		rest := content[first:]
		w.Write(rest[:min(n, len(rest))])
		if len(rest) > n {
			http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}
	}
}

func TestBrokenBodyIsResumed(t *testing.T) {
	content := testBytes(300_000)
	var requests atomic.Int32
	serve := breaking(content, 70_000, nil)
	c := newTestClient(t, func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		serve(w, r)
	})
	var buf bytes.Buffer
	out, n, err := c.GetTo(t.Context(), &GetInput{Bucket: "bucket", Key: "k"}, &buf)
	noError(t, err)
	if n != 300_000 || !bytes.Equal(buf.Bytes(), content) || out.ETag != `"etag"` {
		t.Errorf("%d bytes, equal: %v", n, bytes.Equal(buf.Bytes(), content))
	}
	if requests.Load() != 5 {
		t.Errorf("%d requests", requests.Load())
	}
}

// A server that breaks every body after a byte makes progress, but the call must end.
func TestBodyThatBreaksForEver(t *testing.T) {
	var requests atomic.Int32
	serve := breaking(testBytes(300_000), 1, nil)
	c := newTestClient(t, func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		serve(w, r)
	})
	_, n, err := c.GetTo(t.Context(), &GetInput{Bucket: "bucket", Key: "k"}, io.Discard)
	wantIs(t, err, ErrTransient, ErrDeadline)
	if n := requests.Load(); n != defaultMaxAttempts {
		t.Errorf("%d requests", n)
	}
	if n != defaultMaxAttempts {
		t.Errorf("%d bytes", n)
	}
}

func TestBrokenBodyOfAChangedObject(t *testing.T) {
	content := testBytes(300_000)
	var served atomic.Bool
	c := newTestClient(t, breaking(content, 70_000, func(*http.Request) bool { return served.Swap(true) }))
	var buf bytes.Buffer
	_, n, err := c.GetTo(t.Context(), &GetInput{Bucket: "bucket", Key: "k"}, &buf)
	wantIs(t, err, ErrPreconditionFailed)
	if !bytes.Equal(buf.Bytes(), content[:n]) {
		t.Error("mixed bytes of two versions")
	}
}

// If a server closes the connection at any point of the exchange, the call returns an
// error or the right bytes. It never hangs.
func TestServerClosesAnywhere(t *testing.T) {
	content := testBytes(2000)
	full := "HTTP/1.1 200 OK\r\nETag: \"etag\"\r\nContent-Length: 2000\r\n\r\n" + string(content)
	head := strings.Index(full, "\r\n\r\n") + 4
	for cut := 0; cut < len(full); cut += 37 {
		c := newTestClient(t, func(w http.ResponseWriter, r *http.Request) {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				end := cut
				if r.Method == http.MethodHead {
					end = min(cut, head)
				}
				io.WriteString(conn, full[:end])
				conn.Close()
			}
		}, func(o *Options) { o.MaxAttempts = 2 })
		_, err := c.Head(t.Context(), &HeadInput{Bucket: "bucket", Key: "k"})
		if (err == nil) != (cut >= head) {
			t.Errorf("cut at %d: HEAD gives %v", cut, err)
		}
		_, err = c.Ls(t.Context(), &LsInput{Bucket: "bucket"})
		wantIs(t, err, ErrTransient)
		_, n, err := c.GetTo(t.Context(), &GetInput{Bucket: "bucket", Key: "k"}, io.Discard)
		wantIs(t, err, ErrTransient)
		if n > 2000 {
			t.Errorf("cut at %d: %d bytes", cut, n)
		}
	}
}

func TestChecksumOfDownload(t *testing.T) {
	content := testBytes(100_000)
	for _, a := range []ChecksumAlgorithm{CRC32C, CRC64NVME, CRC32} {
		sum := checksummer{algorithm: a}
		sum.write(content)
		var sent string
		c := newTestClient(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("X-Amz-Checksum-Mode") == "ENABLED" {
				w.Header().Set(a.header(), sent)
			}
			w.Header().Set("Content-Length", strconv.Itoa(len(content)))
			w.Write(content)
		})
		for value, ok := range map[string]bool{sum.value(): true, "AAAAAA==": false, "AAAAAA==-3": true, "": true} {
			sent = value
			in := &GetInput{Bucket: "bucket", Key: "k"}
			_, n, err := c.GetTo(t.Context(), in, io.Discard)
			if (n == 100_000) != ok || (err == nil) != ok || !ok && !errors.Is(err, ErrChecksum) {
				t.Errorf("%s %q: %d bytes, %v", a, value, n, err)
			}
			// A buffer that just holds the object: nobody reads up to the end of the body.
			_, into, err := c.GetInto(t.Context(), in, make([]byte, len(content)))
			if (into == len(content)) != ok || (err == nil) != ok || !ok && !errors.Is(err, ErrChecksum) {
				t.Errorf("%s %q: GetInto gives %d bytes, %v", a, value, into, err)
			}
		}
	}
}

func TestChecksumValues(t *testing.T) {
	// The check values of the CRC catalogue for "123456789".
	for a, want := range map[ChecksumAlgorithm]uint64{CRC32C: 0xE3069283, CRC32: 0xCBF43926, CRC64NVME: 0xAE8B14860A799888} {
		for split := range 9 {
			s := checksummer{algorithm: a}
			s.write([]byte("123456789")[:split])
			s.write([]byte("123456789")[split:])
			if s.sum != want || len(s.value()) != a.encodedLen() {
				t.Errorf("%s is %x, %q", a, s.sum, s.value())
			}
		}
	}
	long := testBytes(1001)
	whole, bytewise := checksummer{algorithm: CRC64NVME}, checksummer{algorithm: CRC64NVME}
	whole.write(long)
	for i := range long {
		bytewise.write(long[i : i+1])
	}
	if whole.sum != bytewise.sum {
		t.Error("eight bytes at once give another checksum than one by one")
	}
}

func TestCallerHasItsBodyBack(t *testing.T) {
	// The server answers before it has read the body: nobody may read on
	// after Put has returned. The race detector watches buf.
	c := newTestClient(t, func(w http.ResponseWriter, r *http.Request) { writeError(w, 403, "AccessDenied") })
	buf := make([]byte, 8<<20)
	for range 5 {
		_, err := c.Put(t.Context(), &PutInput{Bucket: "bucket", Key: "k", Body: bytes.NewReader(buf), Size: int64(len(buf))})
		if err == nil {
			t.Fatal("no error")
		}
		clear(buf)
	}
}

func TestShortAndBrokenBodies(t *testing.T) {
	var requests atomic.Int32
	c := newTestClient(t, func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		io.Copy(io.Discard, r.Body)
	})
	_, err := c.Put(t.Context(), &PutInput{Bucket: "bucket", Key: "k", Body: strings.NewReader("abc"), Size: 4})
	wantIs(t, err, errBodyShort)
	_, err = c.Put(t.Context(), &PutInput{Bucket: "bucket", Key: "k", Body: struct{ io.Reader }{strings.NewReader("abc")}, Size: 4})
	wantIs(t, err, errBodyShort)
	boom := errors.New("disk on fire")
	_, err = c.Put(t.Context(), &PutInput{Bucket: "bucket", Key: "k", Body: io.MultiReader(strings.NewReader("abc"), errReader{boom}), Size: 4})
	e := wantIs(t, err, boom)
	if errors.Is(e, ErrTransient) {
		t.Error("an error of the caller's reader looks like the network's")
	}
	if requests.Load() > 3 {
		t.Errorf("%d requests: an error of the body was retried", requests.Load())
	}
}

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }

// Only a seekable body is sent again.
func TestBodyIsSentAgainFromWhereItStood(t *testing.T) {
	var mu sync.Mutex
	var bodies []string
	c := newTestClient(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		if bodies = append(bodies, string(b)); len(bodies) < 3 {
			writeError(w, 500, "InternalError")
		}
	})
	body := strings.NewReader("skip this")
	body.Seek(5, io.SeekStart)
	_, err := c.Put(t.Context(), &PutInput{Bucket: "bucket", Key: "k", Body: body, Size: 4})
	noError(t, err)
	if strings.Join(bodies, ",") != "this,this,this" {
		t.Errorf("server got %q", bodies)
	}
	bodies = nil
	_, err = c.Put(t.Context(), &PutInput{Bucket: "bucket", Key: "k", Body: struct{ io.Reader }{strings.NewReader("once")}, Size: 4})
	wantIs(t, err, ErrTransient)
	if strings.Join(bodies, ",") != "once" {
		t.Errorf("server got %q", bodies)
	}
}

// memReader has neither WriteTo nor a slice to show.
type memReader struct{ r *bytes.Reader }

func (m memReader) Read(p []byte) (int, error)                { return m.r.Read(p) }
func (m memReader) Seek(off int64, whence int) (int64, error) { return m.r.Seek(off, whence) }

func TestUploadsOfAllSizes(t *testing.T) {
	content := testBytes(3 << 20)
	var got []byte
	c := newTestClient(t, func(w http.ResponseWriter, r *http.Request) {
		got, _ = io.ReadAll(r.Body)
	}, func(o *Options) { o.Checksums = ChecksumOff })
	for _, size := range []int{0, 1, 4095, 4096, connBuffer - 100, connBuffer, connBuffer + 1, copyBuffer, pieceSize + 1, 3 << 20} {
		for name, body := range map[string]io.Reader{
			"memory": bytes.NewReader(content), "reader": memReader{bytes.NewReader(content)},
			"stream": struct{ io.Reader }{bytes.NewReader(content)},
		} {
			_, err := c.Put(t.Context(), &PutInput{Bucket: "bucket", Key: "k", Body: body, Size: int64(size)})
			noError(t, err)
			if !bytes.Equal(got, content[:size]) {
				t.Errorf("%s of %d: server got %d bytes", name, size, len(got))
			}
		}
	}
}

// The body waits for "100 Continue" for at most a second. The test runs in a synctest
// bubble, so that the load of the machine does not matter.
func TestExpect100(t *testing.T) {
	for name, tt := range map[string]struct {
		late time.Duration // of the answer
		sent int           // of the body
	}{"refused": {0, 0}, "silent": {2 * expectTimeout, 3}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				asked := false
				c, _ := newPipeClient(t, func(w http.ResponseWriter, r *http.Request) {
					asked = r.Header.Get("Expect") == "100-continue"
					time.Sleep(tt.late)
					writeError(w, 403, "AccessDenied")
				})
				body := &countingReader{Reader: strings.NewReader("abc")}
				_, err := c.Put(t.Context(), &PutInput{Bucket: "bucket", Key: "k", Body: body, Size: 3, Expect100: true})
				wantIs(t, err, ErrForbidden)
				if !asked || body.n != tt.sent {
					t.Errorf("asked: %v, sent %d bytes, want %d", asked, body.n, tt.sent)
				}
			})
		})
	}
}

type countingReader struct {
	io.Reader
	n int
}

func (r *countingReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	r.n += n
	return n, err
}
