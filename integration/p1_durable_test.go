package integration

import (
	"bytes"
	"errors"
	"os"
	"syscall"
	"testing"

	"github.com/s3mount/s3mount/integration/harness"
)

// impatient makes a mount return errors of a failing server early, while a test waits.
var impatient = []string{"--deadline", "2s"}

// mountOf mounts a new bucket of the shared server through a proxy.
func mountOf(t *testing.T, w *harness.World, args ...string) (*harness.Mount, *harness.Referee, *harness.Proxy) {
	t.Helper()
	bucket, proxy := w.Bucket(t), w.Proxy(t, harness.Shape{})
	m := w.Mount(t, harness.MountOptions{Endpoint: proxy.URL, Source: bucket.Bucket, Args: args})
	return m, bucket, proxy
}

// wantObject fails the test unless the object holds exactly body.
func wantObject(t testing.TB, w *harness.World, r *harness.Referee, key string, body []byte) {
	t.Helper()
	got, err := r.Get(w.Context(t), key)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, body) {
		t.Fatalf("object %q has %d bytes, want %d, first difference at %d", key, len(got), len(body), firstDiff(got, body))
	}
}

func wantNoObject(t testing.TB, w *harness.World, r *harness.Referee, key string) {
	t.Helper()
	if ok, err := r.Exists(w.Context(t), key); err != nil || ok {
		t.Fatalf("object %q: exists %v (%v), want none", key, ok, err)
	}
}

func firstDiff(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

func wantErrno(t testing.TB, what string, err error, want ...syscall.Errno) {
	t.Helper()
	for _, e := range want {
		if errors.Is(err, e) {
			return
		}
	}
	t.Errorf("%s: got %v, want %v", what, err, want)
}

// TestP1Durable checks that S3 has the data when close and fsync return 0, and that
// they return the real errno when S3 refuses the data. It does not cover the journal.
func TestP1Durable(t *testing.T) {
	t.Parallel()
	run(t, "close", func(t *testing.T, w *harness.World) {
		m, bucket, _ := mountOf(t, w)
		for _, n := range []int{0, 1, 100_000, 8 << 20, 8<<20 + 1, 30 << 20} {
			body := payload(n, n)
			must(t, os.WriteFile(m.Path("f"), body, 0o644))
			wantObject(t, w, bucket, "f", body)
		}
	})
	run(t, "fsync", func(t *testing.T, w *harness.World) {
		m, bucket, _ := mountOf(t, w)
		f, err := os.Create(m.Path("f"))
		must(t, err)
		var all []byte
		for i, n := range []int{10, 12 << 20, 5} {
			_, err = f.Write(payload(i, n))
			must(t, err)
			all = append(all, payload(i, n)...)
			must(t, f.Sync())
			wantObject(t, w, bucket, "f", all)
		}
		must(t, f.Close())
		wantObject(t, w, bucket, "f", all)
	})
	t.Run("refused", testRefused)
	run(t, "error in 200", func(t *testing.T, w *harness.World) {
		m, bucket, proxy := mountOf(t, w, impatient...)
		body := payload(1, 20<<20)
		fault := harness.Fault{Match: kind(harness.Complete), Status: 200, Code: "InternalError", Times: 1}
		proxy.Inject(fault)
		must(t, os.WriteFile(m.Path("once"), body, 0o644))
		wantObject(t, w, bucket, "once", body)
		fault.Times = 0
		proxy.Inject(fault)
		wantErrno(t, "write whose completion always fails", os.WriteFile(m.Path("always"), body, 0o644), syscall.EIO)
		wantNoObject(t, w, bucket, "always")
		proxy.Heal()
		must(t, os.WriteFile(m.Path("always"), body, 0o644))
		wantObject(t, w, bucket, "always", body)
	})
}

// kind matches requests of these kinds.
func kind(kinds ...harness.Kind) func(*harness.Request) bool {
	return func(r *harness.Request) bool {
		for _, k := range kinds {
			if r.Kind == k {
				return true
			}
		}
		return false
	}
}

// writes are the requests by which bytes get into S3.
var writes = kind(harness.Put, harness.Create, harness.Part, harness.PartCopy, harness.Complete)

func testRefused(t *testing.T) {
	for _, c := range []struct {
		name  string
		fault harness.Fault
		want  syscall.Errno
	}{
		{"forbidden", harness.Fault{Status: 403, Code: "AccessDenied"}, syscall.EACCES},
		{"failing", harness.Fault{Status: 500, Code: "InternalError"}, syscall.EIO},
		{"unavailable", harness.Fault{Status: 503, Code: "SlowDown"}, syscall.EIO},
		{"broken", harness.Fault{Drop: true}, syscall.EIO},
	} {
		run(t, c.name, func(t *testing.T, w *harness.World) {
			m, bucket, proxy := mountOf(t, w, impatient...)
			c.fault.Match = writes
			for _, n := range []int{1000, 20 << 20} {
				proxy.Inject(c.fault)
				synced, closed := w.Name("synced"), w.Name("closed")
				f, err := os.Create(m.Path(synced))
				must(t, err)
				_, werr := f.Write(payload(1, n)) // of a large file a part may have failed already
				serr := f.Sync()
				cerr := f.Close()
				wantErrno(t, "fsync or the write before it", errors.Join(werr, serr), c.want)
				if serr == nil && cerr == nil {
					t.Errorf("%d bytes: neither fsync nor close failed", n)
				}
				wantNoObject(t, w, bucket, synced)
				g, err := os.Create(m.Path(closed))
				must(t, err)
				_, werr = g.Write(payload(2, n))
				wantErrno(t, "close or the write before it", errors.Join(werr, g.Close()), c.want)
				wantNoObject(t, w, bucket, closed)
				proxy.Heal()
				must(t, os.WriteFile(m.Path(synced), payload(3, n), 0o644))
				wantObject(t, w, bucket, synced, payload(3, n))
				// No pending upload of the refused bytes replaces these newer ones.
				m = m.Remount(t)
				wantObject(t, w, bucket, synced, payload(3, n))
			}
		})
	}
}
