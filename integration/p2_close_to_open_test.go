package integration

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"testing"

	"github.com/s3mount/s3mount/integration/harness"
)

// TestP2CloseToOpen checks that an open after a close on another mount sees its data,
// regardless of the metadata TTL, and that a reader sees one version of an object.
func TestP2CloseToOpen(t *testing.T) {
	t.Parallel()
	run(t, "two mounts", func(t *testing.T, w *harness.World) {
		bucket := w.Bucket(t)
		o := harness.MountOptions{Endpoint: w.Endpoint, Source: bucket.Bucket, Args: []string{"--metadata-ttl", "1h"}}
		a, b := w.Mount(t, o), w.Mount(t, o)
		for i, n := range []int{100, 200, 200, 0, 9 << 20, 5, 9 << 20, 9 << 20} {
			body := payload(i, n)
			must(t, os.WriteFile(a.Path("f"), body, 0o644))
			got, err := readOpen(b.Path("f"))
			must(t, err)
			if !bytes.Equal(got, body) {
				t.Fatalf("round %d: the other mount read %d bytes, want %d, first difference at %d", i, len(got), n, firstDiff(got, body))
			}
			if _, err := os.Stat(a.Path("f")); err != nil {
				t.Error(err)
			}
		}
		// Also if this one is sure that there is none.
		for _, m := range []*harness.Mount{a, b} {
			if _, err := os.Stat(m.Path("log")); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("stat of what nobody has made: %v", err)
			}
		}
		for _, m := range []*harness.Mount{a, b, a} {
			must(t, appendLine(m.Path("log"), m.Dir))
		}
		got, err := readOpen(b.Path("log"))
		if want := a.Dir + "\n" + b.Dir + "\n" + a.Dir + "\n"; err != nil || string(got) != want {
			t.Errorf("a log that both add to holds %q, want %q (%v)", got, want, err)
		}
		must(t, os.Remove(a.Path("f")))
		if _, err := readOpen(b.Path("f")); !errors.Is(err, syscall.ENOENT) && !errors.Is(err, syscall.ESTALE) {
			t.Errorf("open after it was removed elsewhere: %v", err)
		}
	})
	run(t, "one version", testOneVersion)
	run(t, "reopen costs nothing", func(t *testing.T, w *harness.World) {
		m, bucket, proxy := mountOf(t, w)
		must(t, bucket.Put(w.Context(t), "small", payload(1, 1000), nil))
		_, err := os.Stat(m.Path("small"))
		must(t, err)
		for range 3 {
			proxy.Reset()
			_, err := readOpen(m.Path("small"))
			must(t, err)
			if c := proxy.Counts(); c[harness.Get] != 1 || c.Total() != 1 {
				t.Errorf("reading a small file whose name is known cost %v, want one GET", c)
			}
		}
	})
}

// appendLine appends a line to a file and creates the file if necessary. The mount does
// not ask S3 again for a name that was absent within the last second. In this case
// close reports that another mount has created the file (P3), and the next attempt
// succeeds.
func appendLine(path, line string) error {
	for again := false; ; again = true {
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(f, line)
		err = errors.Join(err, f.Close())
		if again || !errors.Is(err, syscall.ESTALE) {
			return err
		}
	}
}

// readOpen opens a file and reads to its end, without regard to the size of stat.
func readOpen(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}

// testOneVersion changes an object under a reader: of the same size, of
// another, deleted, and deleted and made again.
func testOneVersion(t *testing.T, w *harness.World) {
	ctx := w.Context(t)
	bucket := w.Bucket(t)
	const size = 100 << 20 // more than can be cached, so that the reader must ask S3 again
	changes := []func(key string) error{
		func(k string) error { return bucket.Put(ctx, k, payload(7, size), nil) },
		func(k string) error { return bucket.Put(ctx, k, payload(8, 50<<20), nil) },
		func(k string) error { return bucket.Delete(ctx, k) },
		func(k string) error {
			return errors.Join(bucket.Delete(ctx, k), bucket.Put(ctx, k, payload(9, size), nil))
		},
	}
	for i := range changes {
		must(t, bucket.Put(ctx, fmt.Sprint("f", i), payload(i, size), nil))
	}
	m := w.Mount(t, harness.MountOptions{Endpoint: w.Endpoint, Source: bucket.Bucket, Args: []string{"--memory-limit", "64MiB"}})
	for i, change := range changes {
		key, old := fmt.Sprint("f", i), payload(i, size)
		f, err := os.Open(m.Path(key))
		must(t, err)
		head := make([]byte, 1<<20)
		_, err = io.ReadFull(f, head)
		must(t, err)
		must(t, change(key))
		rest, err := io.ReadAll(f)
		got := append(head, rest...)
		if !bytes.HasPrefix(old, got) {
			t.Errorf("change %d: the reader got mixed bytes, first difference at %d", i, firstDiff(old, got))
		}
		if err == nil && len(got) != size {
			t.Errorf("change %d: the reader got %d bytes of %d and no error", i, len(got), size)
		}
		if err != nil {
			wantErrno(t, "read of a version that is gone", err, syscall.ESTALE)
		}
		must(t, f.Close())
	}
}
