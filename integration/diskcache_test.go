package integration

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/s3mount/s3mount/integration/harness"
)

// TestDiskCache checks that --cache serves data that were read before, and never wrong
// data.
func TestDiskCache(t *testing.T) {
	t.Parallel()
	run(t, "restart", testCacheRestart)
	run(t, "size", testCacheSize)
	run(t, "change", func(t *testing.T, w *harness.World) { testCacheChange(t, w) })
	run(t, "change, read-only", func(t *testing.T, w *harness.World) { testCacheChange(t, w, "--read-only") })
	run(t, "writers beside readers", testCacheWriters)
	run(t, "mapping", testCacheMapping)
	run(t, "shrunk", testShrunk)
}

// mapsumOp prints the SHA-256 of a file that is mapped and closed, after it has
// read the other files to their ends. A page fault stops its whole process
// while the mount works, so nothing else may live in it.
func mapsumOp(args []string) error {
	f, err := os.Open(args[0])
	if err != nil {
		return err
	}
	st, err := f.Stat()
	if err != nil {
		return err
	}
	b, err := unix.Mmap(int(f.Fd()), 0, int(st.Size()), unix.PROT_READ, unix.MAP_SHARED)
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	for _, name := range args[1:] {
		if _, err := readOpen(name); err != nil {
			return err
		}
	}
	_, err = fmt.Printf("%x", sha256.Sum256(b))
	return errors.Join(err, unix.Munmap(b))
}

func wantMapped(t *testing.T, w *harness.World, path string, body []byte, others ...string) {
	t.Helper()
	r := w.Op(t, "mapsum", append([]string{path}, others...)...)
	if want := fmt.Sprintf("%x", sha256.Sum256(body)); r.Code != 0 || r.Out != want {
		t.Fatalf("the mapping of %s has %q (code %d), want %s", path, r.Out, r.Code, want)
	}
}

func wantFile(t *testing.T, path string, body []byte) {
	t.Helper()
	got, err := readOpen(path)
	must(t, err)
	if !bytes.Equal(got, body) {
		t.Fatalf("%s has %d bytes, want %d, first difference at %d", path, len(got), len(body), firstDiff(got, body))
	}
}

// warm reads a file until the cache has all of it. One read is not enough, because the
// cache writes behind the readers and skips blocks if the disk is slower.
func warm(t *testing.T, w *harness.World, proxy *harness.Proxy, o harness.MountOptions, name string, body []byte) {
	t.Helper()
	for range 10 {
		m := w.Mount(t, o)
		proxy.Reset()
		wantFile(t, m.Path(name), body)
		_, received := proxy.Bytes()
		m.Unmount(t)
		if received < 64<<10 { // names, and no data
			return
		}
	}
	t.Fatalf("%s does not get into the cache", name)
}

func testCacheRestart(t *testing.T, w *harness.World) {
	bucket, proxy := w.Bucket(t), w.Proxy(t, harness.Shape{})
	body := payload(1, 9<<20+77)
	must(t, bucket.Put(w.Context(t), "f", body, nil))
	for _, args := range [][]string{nil, {"--read-only"}} {
		o := harness.MountOptions{Endpoint: proxy.URL, Source: bucket.Bucket, Args: append(args, "--cache", w.Dir(t, "cache"))}
		warm(t, w, proxy, o, "f", body)
		m := w.Mount(t, o)
		for range 2 {
			proxy.Reset()
			wantFile(t, m.Path("f"), body)
			wantMapped(t, w, m.Path("f"), body)
			if _, received := proxy.Bytes(); received > 64<<10 {
				t.Errorf("%q: reading what is cached brought %d bytes", args, received)
			}
		}
		m.Kill(t)
		m.Detach(t)
		m = w.Mount(t, o)
		proxy.Reset()
		wantFile(t, m.Path("f"), body)
		if _, received := proxy.Bytes(); received > 64<<10 {
			t.Errorf("%q: after a crash, reading what is cached brought %d bytes", args, received)
		}
		m.Unmount(t)
	}
}

// testCacheSize reads more than the cache holds, by two mounts at once.
func testCacheSize(t *testing.T, w *harness.World) {
	const limit = 32 << 20
	bucket, dir := w.Bucket(t), w.Dir(t, "cache")
	o := harness.MountOptions{Endpoint: w.Endpoint, Source: bucket.Bucket, Args: []string{"--cache", dir, "--cache-size", "32MiB"}}
	const files = 12
	bodyOf := func(i int) []byte { return payload(i, 5<<20+i*100_000) }
	for i := range files {
		must(t, bucket.Put(w.Context(t), fmt.Sprintf("f%d", i), bodyOf(i), nil))
	}
	a, b := w.Mount(t, o), w.Mount(t, o)
	most := int64(0)
	for i := range files {
		key, body := fmt.Sprintf("f%d", i), bodyOf(i)
		wantFile(t, a.Path(key), body)
		wantFile(t, b.Path(key), body)
		most = max(most, diskUse(t, dir))
	}
	t.Logf("at most %d KiB of disk were used", most>>10)
	if most > limit {
		t.Errorf("%d bytes of disk were used, allowed are %d", most, limit)
	}
	if most < limit/4 {
		t.Errorf("only %d bytes of disk were used: nothing is cached", most)
	}
}

// diskUse returns the disk space of the files below dir.
func diskUse(t *testing.T, dir string) (n int64) {
	t.Helper()
	must(t, filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // evicted meanwhile
		}
		if err != nil || e.IsDir() {
			return err
		}
		if info, err := e.Info(); err == nil {
			n += info.Sys().(*syscall.Stat_t).Blocks * 512
		}
		return nil
	}))
	return n
}

// testCacheChange changes an object while a cached version of it is open. A later open
// shows the new version, with read and mmap.
func testCacheChange(t *testing.T, w *harness.World, args ...string) {
	bucket, proxy := w.Bucket(t), w.Proxy(t, harness.Shape{})
	o := harness.MountOptions{Endpoint: proxy.URL, Source: bucket.Bucket, Args: append(args, "--cache", w.Dir(t, "cache"), "--metadata-ttl", "1h")}
	v := [][]byte{payload(1, 3<<20+5), payload(2, 3<<20+5), payload(3, 1<<20), payload(4, 5<<20)}
	must(t, bucket.Put(w.Context(t), "f", v[0], nil))
	warm(t, w, proxy, o, "f", v[0])
	m := w.Mount(t, o)
	first, err := os.Open(m.Path("f"))
	must(t, err)
	for _, body := range v {
		must(t, bucket.Put(w.Context(t), "f", body, nil))
		wantFile(t, m.Path("f"), body)
		wantMapped(t, w, m.Path("f"), body)
	}
	if len(args) > 0 && os.Geteuid() == 0 { // the kernel reads the cached file, which cannot be gone
		got, err := io.ReadAll(first)
		if err != nil || !bytes.Equal(got, v[0]) {
			t.Errorf("the first handle reads %d bytes, want %d, first difference at %d, error %v", len(got), len(v[0]), firstDiff(got, v[0]), err)
		}
		st, err := first.Stat()
		must(t, err)
		if st.Size() != int64(len(v[0])) {
			t.Errorf("the first handle has %d bytes by fstat, want %d", st.Size(), len(v[0]))
		}
	}
	must(t, first.Close())
	wantFile(t, m.Path("f"), v[len(v)-1])
}

// testCacheWriters writes a cached file while it is open for reading, and by a
// mapping: the readers see it.
func testCacheWriters(t *testing.T, w *harness.World) {
	bucket, proxy := w.Bucket(t), w.Proxy(t, harness.Shape{})
	o := harness.MountOptions{Endpoint: proxy.URL, Source: bucket.Bucket, Args: []string{"--cache", w.Dir(t, "cache")}}
	body := payload(1, 3<<20)
	must(t, bucket.Put(w.Context(t), "f", body, nil))
	warm(t, w, proxy, o, "f", body)
	m := w.Mount(t, o)
	r, err := os.Open(m.Path("f"))
	must(t, err)
	check := func(what string) {
		t.Helper()
		got, err := io.ReadAll(io.NewSectionReader(r, 0, 64<<20))
		if err != nil || !bytes.Equal(got, body) {
			t.Fatalf("after %s the reader has %d bytes, want %d, first difference at %d, error %v", what, len(got), len(body), firstDiff(got, body), err)
		}
	}
	check("nothing")
	w.Sh(t, m.Dir, "printf appended >> f; printf new | dd of=f bs=1 seek=4097 conv=notrunc status=none")
	body = append(body, "appended"...)
	copy(body[4097:], "new")
	check("an append and a write")
	if r := w.Op(t, "mmap", m.Path("f")); r.Code != 0 {
		t.Fatalf("writing by a mapping: %s", r.Out)
	}
	copy(body[1<<20+5:], "mapped")
	check("a mapping")
	wantObject(t, w, bucket, "f", body)
	wantMapped(t, w, m.Path("f"), body)
	must(t, r.Close())
	m = m.Remount(t)
	wantFile(t, m.Path("f"), body)
}

// testCacheMapping checks that mapped data do not change when the cache evicts their
// file.
func testCacheMapping(t *testing.T, w *harness.World) {
	bucket, proxy := w.Bucket(t), w.Proxy(t, harness.Shape{})
	o := harness.MountOptions{Endpoint: proxy.URL, Source: bucket.Bucket,
		Args: []string{"--read-only", "--cache", w.Dir(t, "cache"), "--cache-size", "32MiB"}}
	body := payload(1, 16<<20)
	must(t, bucket.Put(w.Context(t), "f", body, nil))
	var others []string
	for i := range 5 {
		others = append(others, fmt.Sprintf("o%d", i))
		must(t, bucket.Put(w.Context(t), others[i], payload(i+2, 8<<20), nil))
	}
	warm(t, w, proxy, o, "f", body)
	m := w.Mount(t, o)
	for i := range others {
		others[i] = m.Path(others[i])
	}
	wantMapped(t, w, m.Path("f"), body, others...)
}

// testShrunk checks an object that another client has shortened to a multiple of the
// kernel's readahead. Nothing follows its end, with or without a cache.
func testShrunk(t *testing.T, w *harness.World) {
	bucket := w.Bucket(t)
	for _, args := range [][]string{nil, {"--cache", w.Dir(t, "cache")}} {
		m := w.Mount(t, harness.MountOptions{Endpoint: w.Endpoint, Source: bucket.Bucket, Args: append(args, "--metadata-ttl", "1h")})
		for i := range 10 {
			for _, n := range []int{3<<20 + 5, 1 << 20} {
				body := payload(i, n)
				must(t, bucket.Put(w.Context(t), "f", body, nil))
				wantFile(t, m.Path("f"), body)
			}
		}
		m.Unmount(t)
	}
}
