package integration

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/s3mount/s3mount/integration/harness"
)

// TestBadCache checks that a mount works without a disk cache when the disk takes no
// files, and goes on when the disk becomes full later.
func TestBadCache(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]func(t *testing.T, w *harness.World){
		"full": testFullCache, "read-only": testReadOnlyCache, "filled": testFilledCache,
	} {
		t.Run(name, func(t *testing.T) { harness.Run(t, harness.Config{NeedRoot: true}, body) })
	}
}

// tmpfs mounts a small disk.
func tmpfs(t *testing.T, w *harness.World, options string) string {
	t.Helper()
	disk := w.Dir(t, "disk")
	must(t, unix.Mount("tmpfs", disk, "tmpfs", 0, "mode=0700,"+options))
	t.Cleanup(func() { must(t, unix.Unmount(disk, unix.MNT_DETACH)) })
	return disk
}

// wantNoCache checks that a mount with an unusable cache reads and writes, and
// that its log has a warning.
func wantNoCache(t *testing.T, w *harness.World, cache string) {
	t.Helper()
	bucket := w.Bucket(t)
	m := w.Mount(t, harness.MountOptions{Endpoint: w.Endpoint, Source: bucket.Bucket, Args: []string{"--cache", cache, "--cache-size", "64M"}})
	body := payload(1, 1<<20)
	must(t, os.WriteFile(m.Path("f"), body, 0o644))
	wantObject(t, w, bucket, "f", body)
	got, err := os.ReadFile(m.Path("f"))
	must(t, err)
	if !bytes.Equal(got, body) {
		t.Error("the file has other bytes")
	}
	m.Unmount(t)
	if log := harness.Tail(m.Log, 100); !strings.Contains(log, "level=WARN") || !strings.Contains(log, "no disk cache") {
		t.Errorf("the log has no warning:\n%s", log)
	}
}

// testFullCache uses a disk that has no room for a directory, and one that has room
// for the directory but not for the files of the cache.
func testFullCache(t *testing.T, w *harness.World) {
	for _, inodes := range []int{1, 3} { // the root of a tmpfs is one
		disk := tmpfs(t, w, fmt.Sprintf("size=1m,nr_inodes=%d", inodes))
		wantNoCache(t, w, filepath.Join(disk, "cache"))
	}
}

func testReadOnlyCache(t *testing.T, w *harness.World) {
	disk := tmpfs(t, w, "size=1m,ro")
	wantNoCache(t, w, filepath.Join(disk, "cache"))
	wantNoCache(t, w, disk)
}

// testFilledCache fills the disk under a cache that is in use.
func testFilledCache(t *testing.T, w *harness.World) {
	disk := tmpfs(t, w, "size=64m")
	cache := filepath.Join(disk, "cache")
	bucket := w.Bucket(t)
	const files = 12
	for i := range files {
		must(t, bucket.Put(w.Context(t), fmt.Sprint("f", i), payload(i, 1<<20), nil))
	}
	m := w.Mount(t, harness.MountOptions{Endpoint: w.Endpoint, Source: bucket.Bucket, Args: []string{"--cache", cache, "--cache-size", "40M", "--cache-min-free", "0"}})
	read := func(from, to int) {
		t.Helper()
		for i := from; i < to; i++ {
			name := fmt.Sprint("f", i)
			got, err := os.ReadFile(m.Path(name))
			must(t, err)
			if !bytes.Equal(got, payload(i, 1<<20)) {
				t.Errorf("%s has other bytes", name)
			}
		}
	}
	read(0, 5)
	f, err := os.Create(filepath.Join(disk, "filler"))
	must(t, err)
	for chunk := make([]byte, 64<<10); err == nil; {
		_, err = f.Write(chunk)
	}
	wantErrno(t, "a write to a full disk", err, syscall.ENOSPC)
	must(t, f.Close())
	read(0, files)
	m.Unmount(t)
}
