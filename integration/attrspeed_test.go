package integration

import (
	"fmt"
	"os"
	"testing"

	"github.com/s3mount/s3mount/integration/harness"
	"github.com/s3mount/s3mount/s3/s3test"
)

// TestAttributesAtListingSpeed checks that all attributes of a tree cost about as many
// requests as its directories. With --posix=full an object of another tool costs one
// more request, once.
func TestAttributesAtListingSpeed(t *testing.T) {
	t.Parallel()
	t.Run("a tree of ours", func(t *testing.T) {
		harness.Run(t, harness.Config{}, testListOurs)
	})
	run(t, "full", testListFull)
}

const (
	listedDirs  = 220 // and the root: 221
	listedFiles = 2000
)

func testListOurs(t *testing.T, w *harness.World) {
	// A server on which the marker of a directory stays as old as it is when
	// files are made beside it, as on S3.
	srv := s3test.NewServer(t, s3test.Options{AccessKey: harness.AccessKey, SecretKey: harness.SecretKey, Buckets: []string{"b"}})
	m := w.Mount(t, harness.MountOptions{Endpoint: srv.URL(), Source: "b"})
	for i := range listedDirs {
		must(t, os.MkdirAll(m.Path(fmt.Sprintf("d%02d/e%02d", i%20, i/20)), 0o750))
	}
	for i := range listedFiles {
		p := m.Path(fmt.Sprintf("d%02d/e%02d/f%04d", i%20, i/20%11, i))
		must(t, os.WriteFile(p, []byte("x"), 0o600))
		must(t, os.Chtimes(p, fixtureTime, fixtureTime))
	}
	// The times of directories are lost at the unmount (fs/README.md).
	const list = "ls -lR --time-style=full-iso | sed '/^total/d; s/^\\(d.* root root *[0-9]* \\).* /\\1/'"
	want := w.Sh(t, m.Dir, list)
	m = m.Remount(t)
	srv.Reset()
	got := w.Sh(t, m.Dir, list)
	total, c := srv.Total(), srv.Requests()
	t.Logf("ls -lR of %d files in %d directories: %v", listedFiles, listedDirs+21, c)
	if total > listedDirs+21+10 {
		t.Errorf("it took %d requests (%v), want at most one for each of the %d directories, and 10", total, c, listedDirs+21)
	}
	if got != want {
		t.Errorf("ls shows after a remount\n%s\nand before\n%s", harness.Last(got, 30), harness.Last(want, 30))
	}
}

func testListFull(t *testing.T, w *harness.World) {
	bucket, proxy := w.Bucket(t), w.Proxy(t, harness.Shape{})
	const files = 40
	for i := range files {
		meta := map[string]string{"mode": "33152", "mtime": "1500000000", "xattr": "%7B%7D"}
		must(t, bucket.Put(w.Context(t), fmt.Sprintf("d/f%02d", i), []byte("x"), meta))
	}
	m := w.Mount(t, harness.MountOptions{Endpoint: proxy.URL, Source: bucket.Bucket, Args: []string{"--posix", "full"}})
	look := func() int {
		t.Helper()
		proxy.Reset()
		if out := w.Sh(t, m.Dir, "ls -l d | grep -c '^-rw------- .* 2017 '"); out != fmt.Sprintln(files) {
			t.Errorf("%q files have the attributes of their objects, want %d", out, files)
		}
		return proxy.Counts()[harness.Head]
	}
	if n := look(); n < files {
		t.Errorf("%d HEADs for %d objects", n, files)
	}
	m = m.Remount(t)
	if n := look(); n > 5 {
		t.Errorf("%d HEADs after a remount", n)
	}
	m.Unmount(t)
	m = w.Mount(t, harness.MountOptions{Endpoint: proxy.URL, Source: bucket.Bucket, Args: []string{"--posix", "off"}})
	if out := w.Sh(t, m.Dir, "ls -l d | grep -c '^-rw-r--r--'; echo y > d/new; chmod 600 d/new; touch -d @1 d/new; sync d/new"); out != fmt.Sprintln(files) {
		t.Errorf("--posix=off shows attributes: %q", out)
	}
	head, err := bucket.Head(w.Context(t), "d/new")
	must(t, err)
	if len(head.Metadata) > 0 {
		t.Errorf("--posix=off stored %v", head.Metadata)
	}
}
