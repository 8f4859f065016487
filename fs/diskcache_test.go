package fs

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// withCache puts a disk cache under a mount.
func withCache(dir string) func(*Options) {
	return func(o *Options) { o.CacheDir, o.CacheMinFree = dir, 0 }
}

// fetched counts the GETs of a key that carried bytes, and those that were
// answered by "not modified".
func (k *kernel) fetched(key string) (bodies, unmodified int) {
	for _, r := range k.srv.Log() {
		switch {
		case r.Kind != "GetObject" || r.Key != key:
		case r.Status == http.StatusNotModified:
			unmodified++
		default:
			bodies++
		}
	}
	return bodies, unmodified
}

// dataFiles lists the files of the disk cache that hold bytes of objects.
func dataFiles(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*", "*", "*.data"))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func testContent(n int) string { return strings.Repeat("0123456789abcdef\n", n/17+1)[:n] }

// TestDiskCacheShared checks that data that one mount has read cost the next one only a
// revalidation.
func TestDiskCacheShared(t *testing.T) {
	dir := t.TempDir()
	k := newKernel(t, withCache(dir))
	want := testContent(700_000)
	k.srv.PutObject(testBucket, "f", []byte(want), nil)
	if k.cat("f") != want {
		t.Fatal("the first mount reads other bytes")
	}
	k.unmount()
	if len(dataFiles(t, dir)) != 1 {
		t.Fatalf("files in the cache: %q", dataFiles(t, dir))
	}

	k.srv.Reset()
	k = remount(t, k.srv, withCache(dir))
	if k.cat("f") != want {
		t.Error("the second mount reads other bytes")
	}
	if bodies, unmodified := k.fetched("f"); bodies != 0 || unmodified != 1 {
		t.Errorf("reading from the disk cache cost %d GETs with bytes and %d without", bodies, unmodified)
	}

	// The same name and size, another content: the cache is of no use.
	changed := strings.ToUpper(want)
	k.srv.PutObject(testBucket, "f", []byte(changed), nil)
	if k.cat("f") != changed {
		t.Error("the disk cache hides a change")
	}

	// Another server: the same bucket and key are another object.
	other := remount(t, k.srv, withCache(dir), func(o *Options) { o.Endpoint = "https://other" })
	k.srv.Reset()
	if other.cat("f") != changed {
		t.Error("the mount of another server reads other bytes")
	}
	if bodies, _ := k.fetched("f"); bodies == 0 {
		t.Error("the mount of another server took its bytes from the cache of the first")
	}
}

// TestDiskCacheDamaged checks that damaged blocks are fetched again.
func TestDiskCacheDamaged(t *testing.T) {
	for _, tc := range []struct {
		name   string
		damage func(path string, size int64) error
	}{
		{"a bit", func(path string, size int64) error {
			f, err := os.OpenFile(path, os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			defer f.Close()
			_, err = f.WriteAt([]byte{0xff}, size/2)
			return err
		}},
		{"the end", func(path string, size int64) error { return os.Truncate(path, size-1) }},
		{"all", func(path string, size int64) error { return os.WriteFile(path, make([]byte, size), 0o600) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			k := newKernel(t, withCache(dir))
			want := testContent(700_000)
			k.srv.PutObject(testBucket, "f", []byte(want), nil)
			k.cat("f")
			k.unmount()
			for _, path := range dataFiles(t, dir) {
				if err := tc.damage(path, int64(len(want))); err != nil {
					t.Fatal(err)
				}
			}
			k.srv.Reset()
			k = remount(t, k.srv, withCache(dir))
			if k.cat("f") != want {
				t.Error("damaged bytes were served")
			}
			if bodies, _ := k.fetched("f"); bodies == 0 {
				t.Error("damaged bytes were not fetched again")
			}
		})
	}
}

// TestDiskCacheWrites checks that reads of a file that is being written never return an
// older version from the cache.
func TestDiskCacheWrites(t *testing.T) {
	dir := t.TempDir()
	k := newKernel(t, withCache(dir))
	k.put("f", testContent(300_000))
	k.cat("f")
	reader := k.openFile("f", syscall.O_RDONLY)
	writer := k.openFile("f", syscall.O_WRONLY)
	k.write(writer, 10, "NEW")
	if got := k.read(reader, 8, 7); got != "89NEWde" {
		t.Errorf("while it is written the file reads %q", got)
	}
	k.close(writer)
	if got := k.read(reader, 8, 7); got != "89NEWde" {
		t.Errorf("once it is saved the file reads %q", got)
	}
	k.close(reader)
	if got := k.cat("f"); got[8:15] != "89NEWde" {
		t.Errorf("a new open reads %q", got[8:15])
	}
}

func TestValidateCache(t *testing.T) {
	for _, tc := range []struct {
		change func(*Options)
		says   string // "" is valid
	}{
		{func(o *Options) {}, ""},
		{func(o *Options) { o.CacheDir = "/c" }, ""},
		{func(o *Options) { o.CacheDir, o.CacheSize, o.CacheMinFree = "/c", minCacheSize, 0 }, ""},
		{func(o *Options) { o.CacheDir = "c" }, `--cache "c": must be an absolute path`},
		{func(o *Options) { o.CacheDir, o.CacheSize = "/c", minCacheSize-1 }, "--cache-size 16777215: must be at least 16 MiB"},
		{func(o *Options) { o.CacheDir, o.CacheMinFree = "/c", -1 }, "--cache-min-free -1: must not be negative"},
		{func(o *Options) { o.CacheSize = 1 << 30 }, "--cache-size 1073741824: needs --cache"},
		{func(o *Options) { o.CacheMinFree = 0 }, "--cache-min-free 0: needs --cache"},
	} {
		o := DefaultOptions()
		o.Bucket, o.StateDir = testBucket, "/s"
		tc.change(&o)
		err := o.Validate()
		if tc.says == "" && err != nil || tc.says != "" && (err == nil || err.Error() != tc.says) {
			t.Errorf("error %v, want %q", err, tc.says)
		}
	}
}

// TestCacheDirRefused checks that an unusable cache directory is an error before the
// mount.
func TestCacheDirRefused(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	o := DefaultOptions()
	o.Bucket, o.StateDir, o.CacheDir = testBucket, t.TempDir(), file
	if _, err := newFilesystem(nil, o); err == nil || !strings.HasPrefix(err.Error(), "--cache "+file+": ") {
		t.Errorf("error %v", err)
	}
}
