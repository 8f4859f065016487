package fs

import (
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/s3mount/s3mount/s3"
	"github.com/s3mount/s3mount/s3/s3test"
)

// flipFirst inverts the first byte of the first answer to a GET of a key.
type flipFirst struct {
	next http.RoundTripper
	key  string
	done bool
}

func (f *flipFirst) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := f.next.RoundTrip(r)
	if err == nil && !f.done && r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/"+f.key) && res.StatusCode/100 == 2 {
		f.done = true
		res.Body = &flippedBody{ReadCloser: res.Body}
	}
	return res, err
}

// flippedBody is a body whose first byte is inverted.
type flippedBody struct {
	io.ReadCloser
	begun bool
}

func (b *flippedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if n > 0 && !b.begun {
		b.begun = true
		p[0] ^= 1
	}
	return n, err
}

// TestPagesOfCorruptVersion reads an object whose first byte is wrong in the answer of S3. The
// kernel has the page of that byte when the end of the object shows that the checksum is wrong.
// The next open makes the kernel drop it.
func TestPagesOfCorruptVersion(t *testing.T) {
	const size = 3 << 20
	srv := s3test.NewServer(t, s3test.Options{Buckets: []string{testBucket}})
	flip := &flipFirst{key: "f"}
	k := mountOn(t, srv, srv.Client(func(o *s3.Options) {
		o.Transport = func(next http.RoundTripper) http.RoundTripper { flip.next = next; return flip }
	}))
	content := strings.Repeat("x", size)
	if _, err := k.f.store.Put(t.Context(), &s3.PutInput{Bucket: testBucket, Key: "f", Body: strings.NewReader(content), Size: size}); err != nil {
		t.Fatal(err)
	}
	read := func(fh uint64) (st fuse.Status) {
		for off := int64(0); off < size && st == fuse.OK; off += 128 << 10 {
			_, st = k.tryRead(fh, off, 128<<10)
		}
		return st
	}
	fh := k.openFile("f", syscall.O_RDONLY)
	errnoIs(t, read(fh), syscall.EIO, "read")
	k.release(fh)
	out, st := k.openMode("f")
	k.must(st, "open", "f")
	if out.OpenFlags&fuse.FOPEN_KEEP_CACHE != 0 {
		t.Error("the kernel keeps the pages of the wrong bytes")
	}
	k.must(read(out.Fh), "read", "f")
	k.release(out.Fh)
	out, st = k.openMode("f")
	k.must(st, "open", "f")
	if out.OpenFlags&fuse.FOPEN_KEEP_CACHE == 0 {
		t.Error("the kernel drops the pages of the right bytes")
	}
	k.release(out.Fh)
}
