package s3

import (
	"bytes"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// checksumServer is a server of a certain age.
type checksumServer struct {
	echo    bool // knows checksums in headers
	trailer bool // reads aws-chunked
	refuse  int  // status for checksum headers, 0 to ignore them
	deny    int  // status for aws-chunked, 0 to store it as it is

	log    []string // how each body was protected
	stored []byte
}

func (s *checksumServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	h := r.Header
	sum := checksummer{algorithm: CRC32C}
	switch {
	case h.Get("X-Amz-Content-Sha256") == unsignedTrailer:
		s.log = append(s.log, "trailer")
		if s.deny != 0 {
			writeError(w, s.deny, "NotImplemented")
			return
		}
		if s.trailer {
			body = unchunk(body, h)
			sum.write(body)
			w.Header().Set("X-Amz-Checksum-Crc32c", sum.value())
		}
	case h.Get("X-Amz-Checksum-Crc32c") != "":
		s.log = append(s.log, "header")
		if s.refuse != 0 {
			writeError(w, s.refuse, "InvalidArgument")
			return
		}
		if sum.write(body); s.echo {
			if h.Get("X-Amz-Checksum-Crc32c") != sum.value() {
				writeError(w, 400, "BadDigest")
				return
			}
			w.Header().Set("X-Amz-Checksum-Crc32c", sum.value())
		}
	case h.Get("Content-Md5") != "":
		s.log = append(s.log, "md5")
		if h.Get("Content-Md5") != md5Base64(body) {
			writeError(w, 400, "BadDigest")
			return
		}
	default:
		s.log = append(s.log, "none")
	}
	s.stored = body
	w.Header().Set("ETag", `"x"`)
}

// unchunk reads a body of aws-chunked and checks its trailer.
func unchunk(framed []byte, h http.Header) []byte {
	var body []byte
	for {
		line, rest, _ := bytes.Cut(framed, []byte("\r\n"))
		n, err := strconv.ParseInt(string(line), 16, 64)
		if err != nil {
			return []byte("bad frame")
		}
		if framed = rest; n == 0 {
			break
		}
		body = append(body, framed[:n]...)
		framed = framed[n+2:]
	}
	sum := checksummer{algorithm: CRC32C}
	sum.write(body)
	if string(framed) != h.Get("X-Amz-Trailer")+":"+sum.value()+"\r\n\r\n" || strconv.Itoa(len(body)) != h.Get("X-Amz-Decoded-Content-Length") ||
		!strings.HasPrefix(h.Get("Content-Encoding"), "aws-chunked") {
		return []byte("bad trailer " + string(framed))
	}
	return body
}

func TestUploadsAreProtectedAsTheServerCan(t *testing.T) {
	small, large := testBytes(1000), testBytes(trailerMin)
	for _, tt := range []struct {
		name   string
		server checksumServer
		want   string // for small, small, large, large
	}{
		{"today's", checksumServer{echo: true, trailer: true}, "header header trailer trailer"},
		{"no trailers, refuses them", checksumServer{echo: true, deny: 501}, "header header trailer header header"},
		{"no trailers, stores the frame", checksumServer{echo: true}, "header header trailer header header"},
		{"ignores checksums", checksumServer{}, "header md5 md5 md5"},
		{"refuses checksums", checksumServer{refuse: 400}, "header md5 md5 md5 md5"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newTestClient(t, tt.server.ServeHTTP)
			for _, body := range [][]byte{small, small, large, large} {
				_, err := c.Put(t.Context(), &PutInput{Bucket: "bucket", Key: "k", Body: bytes.NewReader(body), Size: int64(len(body)),
					ObjectOptions: ObjectOptions{ContentEncoding: "gzip"}})
				noError(t, err)
				if !bytes.Equal(tt.server.stored, body) {
					t.Fatalf("server holds %q", clip(string(tt.server.stored), 100))
				}
			}
			if got := strings.Join(tt.server.log, " "); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

// A refusal for another reason does not change the state of the negotiation.
func TestOtherRefusalsTeachNothing(t *testing.T) {
	refuse := true
	server := checksumServer{echo: true, trailer: true}
	c := newTestClient(t, func(w http.ResponseWriter, r *http.Request) {
		if refuse {
			writeError(w, 400, "InvalidArgument")
			return
		}
		server.ServeHTTP(w, r)
	})
	put := func() error {
		_, err := c.Put(t.Context(), &PutInput{Bucket: "bucket", Key: "k", Body: strings.NewReader("x"), Size: 1})
		return err
	}
	if e := wantIs(t, put()); e.Code != "InvalidArgument" {
		t.Errorf("got %v", e)
	}
	refuse = false
	noError(t, put())
	if strings.Join(server.log, " ") != "header" {
		t.Errorf("body was protected by %q", server.log)
	}
}

// A conditional PUT is not repeated on suspicion, because it would fail due to the
// object that it has created.
func TestConditionalPutsTryNoTrailer(t *testing.T) {
	server := checksumServer{echo: true}
	c := newTestClient(t, server.ServeHTTP)
	body := testBytes(trailerMin)
	for range 3 {
		_, err := c.Put(t.Context(), &PutInput{Bucket: "bucket", Key: "k", Body: bytes.NewReader(body), Size: trailerMin, IfNoneMatch: "*"})
		noError(t, err)
	}
	if got := strings.Join(server.log, " "); got != "header header header" {
		t.Errorf("got %s", got)
	}
}

func TestBodiesThatCannotGoBack(t *testing.T) {
	stream := func(c *Client, server *checksumServer) {
		_, err := c.Put(t.Context(), &PutInput{Bucket: "bucket", Key: "k", Body: struct{ io.Reader }{strings.NewReader("abc")}, Size: 3})
		noError(t, err)
		if string(server.stored) != "abc" {
			t.Fatalf("server holds %q", server.stored)
		}
	}
	server := checksumServer{echo: true, trailer: true}
	c := newTestClient(t, server.ServeHTTP)
	stream(c, &server)
	c.integrity.state.Store(checksumTrailer)
	stream(c, &server)
	if got := strings.Join(server.log, " "); got != "none trailer" {
		t.Errorf("got %s", got)
	}
}

func TestCorruptUploadIsAnError(t *testing.T) {
	n := 0
	c := newTestClient(t, func(w http.ResponseWriter, r *http.Request) {
		n++
		io.Copy(io.Discard, r.Body)
		writeError(w, 400, "BadDigest")
	}, func(o *Options) { o.MaxAttempts = 3 })
	c.integrity.state.Store(checksumHeader)
	_, err := c.Put(t.Context(), &PutInput{Bucket: "bucket", Key: "k", Body: strings.NewReader("x"), Size: 1})
	wantIs(t, err, ErrChecksum)
	if n != 3 {
		t.Errorf("%d attempts", n)
	}
}

// Uploads without checksums may refuse them on their parts.
func TestPartsOfPlainUploads(t *testing.T) {
	server := checksumServer{echo: true, refuse: 400}
	c := newTestClient(t, server.ServeHTTP)
	c.integrity.state.Store(checksumHeader)
	for number := range 3 {
		part, err := c.UploadPart(t.Context(), &UploadPartInput{Upload: UploadID{Bucket: "bucket", Key: "k", ID: "u"},
			PartNumber: number + 1, Body: strings.NewReader("x"), Size: 1})
		noError(t, err)
		if part.Checksum != (Checksum{}) {
			t.Errorf("part has %v", part.Checksum)
		}
	}
	if got := strings.Join(server.log, " "); got != "header md5 md5 md5" {
		t.Errorf("got %s", got)
	}
	if c.integrity.state.Load() != checksumHeader {
		t.Error("a part's refusal changed how objects are protected")
	}
}

func TestChecksumsOff(t *testing.T) {
	server := checksumServer{}
	c := newTestClient(t, server.ServeHTTP, func(o *Options) { o.Checksums = ChecksumOff })
	_, err := c.Put(t.Context(), &PutInput{Bucket: "bucket", Key: "k", Body: strings.NewReader("x"), Size: 1})
	noError(t, err)
	if got := strings.Join(server.log, " "); got != "none" {
		t.Errorf("got %s", got)
	}
}

// lostAnswers stores objects but breaks the connection of the first writes.
type lostAnswers struct {
	mu     sync.Mutex // a broken connection orders nothing between two requests
	lose   int
	stored []byte
	etag   string
	other  bool // somebody else's object is there
}

func (s *lostAnswers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Method == http.MethodHead {
		sum := checksummer{algorithm: CRC32C}
		sum.write(s.stored)
		w.Header().Set("X-Amz-Checksum-Crc32c", sum.value())
		w.Header().Set("ETag", s.etag)
		w.Header().Set("Content-Length", strconv.Itoa(len(s.stored)))
		return
	}
	body, _ := io.ReadAll(r.Body)
	if s.stored != nil {
		if r.Method == http.MethodPost {
			writeError(w, 404, "NoSuchUpload")
		} else {
			writeError(w, 412, "PreconditionFailed")
		}
		return
	}
	s.stored = body
	if s.other {
		s.stored, s.etag = []byte("other"), `"other"`
	}
	if s.lose--; s.lose >= 0 {
		panic(http.ErrAbortHandler)
	}
}

func TestLostAnswerOfAConditionalPut(t *testing.T) {
	for _, other := range []bool{false, true} {
		server := &lostAnswers{lose: 1, etag: `"mine"`, other: other}
		c := newTestClient(t, server.ServeHTTP)
		out, err := c.Put(t.Context(), &PutInput{Bucket: "bucket", Key: "k", Body: strings.NewReader("mine!"), Size: 5, IfNoneMatch: "*"})
		if other {
			wantIs(t, err, ErrPreconditionFailed)
			continue
		}
		noError(t, err)
		if out.ETag != `"mine"` {
			t.Errorf("etag %s", out.ETag)
		}
	}
	// Without a lost answer a 412 is an error even if the object has the same content.
	c := newTestClient(t, (&lostAnswers{stored: []byte("mine!"), etag: `"mine"`}).ServeHTTP)
	_, err := c.Put(t.Context(), &PutInput{Bucket: "bucket", Key: "k", Body: strings.NewReader("mine!"), Size: 5, IfNoneMatch: "*"})
	wantIs(t, err, ErrPreconditionFailed)
}

func TestLostAnswerOfACompletion(t *testing.T) {
	part := md5.Sum([]byte("part"))
	parts := []Part{{Number: 1, ETag: `"` + hex.EncodeToString(part[:]) + `"`}}
	want := uploadETag(parts)
	for _, other := range []bool{false, true} {
		server := &lostAnswers{lose: 1, etag: `"` + want + `"`, other: other}
		c := newTestClient(t, server.ServeHTTP)
		out, err := c.CompleteUpload(t.Context(), &CompleteUploadInput{Upload: UploadID{Bucket: "bucket", Key: "k", ID: "u"}, Parts: parts})
		if other {
			wantIs(t, err, ErrNotFound)
			continue
		}
		noError(t, err)
		if out.ETag != server.etag {
			t.Errorf("etag %s", out.ETag)
		}
	}
}

func TestUploadETag(t *testing.T) {
	// As S3 gives it to 5 MiB and 1 byte of zeros: computed with md5sum and xxd.
	a, b := md5.Sum(make([]byte, 5<<20)), md5.Sum(make([]byte, 1))
	want := md5.Sum(append(a[:], b[:]...))
	got := uploadETag([]Part{{ETag: `"` + hex.EncodeToString(a[:]) + `"`}, {ETag: hex.EncodeToString(b[:])}})
	if got != hex.EncodeToString(want[:])+"-2" {
		t.Errorf("got %s", got)
	}
	if got := uploadETag([]Part{{ETag: `"` + base64.StdEncoding.EncodeToString(a[:]) + `"`}}); got != "" {
		t.Errorf("ETags that are no MD5s give %s", got)
	}
}
