package writeback

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/s3mount/s3mount/cache"
	"github.com/s3mount/s3mount/s3"
	"github.com/s3mount/s3mount/s3/s3test"
)

// getReader reads a version through a client.
type getReader struct {
	c *s3.Client
	v Version
}

func (r getReader) CopyWithin(ctx context.Context, p []byte, off, _ int64) (int, error) {
	return r.CopyAt(ctx, p, off)
}

func (r getReader) CopyAt(ctx context.Context, p []byte, off int64) (int, error) {
	if off >= r.v.Size {
		return 0, io.EOF
	}
	in := &s3.GetInput{Bucket: "bucket", Key: r.v.Key, Range: s3.Bytes(off, off+int64(len(p))-1),
		Conditions: s3.Conditions{IfMatch: r.v.ETag}}
	_, n, err := r.c.GetInto(ctx, in, p)
	if n < len(p) && err == nil {
		err = io.EOF
	}
	return n, err
}

// remote is a manager over a real client and an in-memory server.
func remote(t *testing.T, srv *s3test.Server, faults *s3test.Faults) (*Manager, *s3.Client) {
	t.Helper()
	c := srv.Client(func(o *s3.Options) {
		if faults != nil {
			o.Transport = faults.Transport
		}
		o.Deadline = 2 * time.Second
	})
	t.Cleanup(c.Close)
	dir := t.TempDir()
	o := Defaults()
	o.Bucket = "bucket"
	o.SpoolDir, o.RecoveryDir, o.StateDir = dir+"/spool", dir+"/recovery", dir+"/state"
	o.PartSize = s3.MinPartSize
	o.Logger = slog.New(slog.DiscardHandler)
	o.OpenBase = func(v Version) BaseReader { return getReader{c, v} }
	m, err := New(c, cache.NewPool(cache.NewBudget(64<<20)), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m, c
}

// TestClient commits every kind of change through the real client.
func TestClient(t *testing.T) {
	srv := s3test.NewServer(t, s3test.Options{Buckets: []string{"bucket"}})
	m, c := remote(t, srv, nil)
	want := random(12<<20+17, 1)
	f := m.Open(OpenInput{Key: "dir/k", Exclusive: true, Object: s3.ObjectOptions{ContentType: "text/x"}})
	for off := 0; off < len(want); off += 1 << 20 {
		mustWrite(t, f, want[off:min(off+1<<20, len(want))], int64(off))
	}
	v := mustCommit(t, f)
	if v.ETag != srv.ETag("bucket", "dir/k") {
		t.Errorf("ETag %s, the server has %s", v.ETag, srv.ETag("bucket", "dir/k"))
	}
	check := func(what string) {
		t.Helper()
		got, _, _ := srv.Object("bucket", "dir/k")
		sameContent(t, what, got, want)
		sameContent(t, what+", file", content(t, f), want)
	}
	check("stream")
	copy(want[6<<20:], "changed in the middle")
	mustWrite(t, f, []byte("changed in the middle"), 6<<20)
	srv.Reset()
	mustCommit(t, f)
	check("change")
	if r := srv.Requests(); r["UploadPartCopy"] == 0 {
		t.Errorf("nothing was copied: %v", r)
	}
	want = append(want, "appended"...)
	if _, err := f.Append(context.Background(), []byte("appended")); err != nil {
		t.Fatal(err)
	}
	mustCommit(t, f)
	check("append")
	want = want[:1000]
	if err := f.Truncate(context.Background(), 1000); err != nil {
		t.Fatal(err)
	}
	srv.PutObject("bucket", "dir/k", []byte("theirs"), nil)
	if err := f.Close(context.Background()); !errors.Is(err, ErrConflict) {
		t.Errorf("close: %v, want ErrConflict", err)
	}
	info, err := c.Head(context.Background(), &s3.HeadInput{Bucket: "bucket", Key: "dir/k"})
	if err != nil || info.Size != 6 {
		t.Errorf("their object: %+v, %v", info, err)
	}
	if n := srv.Uploads("bucket"); n != 0 {
		t.Errorf("%d uploads are left", n)
	}
}

// writes lists the requests that change something.
func writes(r *http.Request) bool { return r.Method != http.MethodGet && r.Method != http.MethodHead }

// TestClientFaults injects each fault into the n-th write. The result of the commit must be true, and
// the object must be the old one or the new one.
func TestClientFaults(t *testing.T) {
	old := random(900_000, 2)
	faults := map[string]s3test.Fault{
		"lost answer": s3test.LoseAnswer(), "broken connection": s3test.Fail(nil), "500": s3test.InternalError(),
		"twice": s3test.Twice(), "error inside": s3test.ErrorInside("InternalError"),
	}
	for name, fault := range faults {
		for _, size := range []int{1000, 900_000} {
			for n := 1; ; n++ {
				what := fmt.Sprintf("%s, request %d, %d bytes", name, n, size)
				srv := s3test.NewServer(t, s3test.Options{Buckets: []string{"bucket"}, MinPartSize: 32 << 10})
				etag := srv.PutObject("bucket", "k", old[:size], nil)
				inject := s3test.NewFaults(s3test.Rule{Match: writes, Nth: n, Fault: fault})
				m, c := remote(t, srv, inject)
				m.limits = limits{part: 64 << 10, min: 32 << 10, max: s3.MaxPartSize, copyMax: 256 << 10, parts: s3.MaxPartNumber}
				v := Version{Key: "k", ETag: etag, Size: int64(size)}
				f := m.Open(OpenInput{Key: "k", Base: &v, Reader: getReader{c, v}})
				mustWrite(t, f, []byte("new"), 500)
				want := append([]byte{}, old[:size]...)
				copy(want[500:], "new")
				_, err := f.Commit(context.Background())
				got, _, _ := srv.Object("bucket", "k")
				switch {
				case err == nil:
					sameContent(t, what, got, want)
				case errors.Is(err, ErrConflict):
					t.Fatalf("%s: %v", what, err)
				case string(got) != string(old[:size]) && string(got) != string(want):
					t.Fatalf("%s: a blend", what)
				}
				struck := inject.Struck() > 0
				inject.Clear()
				mustCommit(t, f)
				got, _, _ = srv.Object("bucket", "k")
				sameContent(t, what+", at last", got, want)
				mustClose(t, f)
				if !struck {
					break
				}
			}
		}
	}
}
