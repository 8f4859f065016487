package integration

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/s3mount/s3mount/integration/harness"
	"github.com/s3mount/s3mount/integration/servers"
	"github.com/s3mount/s3mount/s3/s3test"
)

// oddKeys are keys that no directory of a disk could hold as they are, or that
// servers, URLs and XML like to mangle.
var oddKeys = []string{
	"plain", "dir/file", "a", "a/b", "a/b/c", "a-b", "a0", "a!",
	"x//y", "x///z", "/leading", "//", "end//", "data/", "data/more",
	".", "..", "./file", "../file", "x/./y", "x/../y", "./..", "x/.", "x/..",
	strings.Repeat("n", 255), strings.Repeat("n", 256), strings.Repeat("n", 1024),
	strings.Repeat("d", 300) + "/" + strings.Repeat("f", 300), strings.Repeat("s", 1023) + "/",
	strings.Repeat("ü", 200), strings.Repeat("q/", 40) + "deep",
	"new\nline", "tab\ttab", "carriage\rreturn", "del\x7f",
	"percent%", "%2F", "a%2Fb", "%25", "%~f", "%~d", "%%~f", "x%~0y", "%~+", "a%~d", "a%~d/b",
	" ", " lead", "trail ", "plus+", "amp&lt;<>", "q?uery=1#frag", "back\\slash", "quote\"'", "*", "colon:", "semi;,", "$(x)",
	"ünïcödé", "é", "é", "名前/名前", "\U0001f600",
	"only/marker/",
}

// xmlKeys cannot be written in XML at all; a server must encode them. (A key
// that is not UTF-8 is refused by S3.)
var xmlKeys = []string{"\ufffe", "esc\x1b", "\x01", "a\x02b/\x03"}

// TestP9EveryKey checks that each key has exactly one name, by which it can be read,
// changed and removed, and that no key breaks a listing.
func TestP9EveryKey(t *testing.T) {
	t.Parallel()
	run(t, "server", func(t *testing.T, w *harness.World) {
		everyKey(t, w, w.Endpoint, w.Bucket(t).Bucket, keysOf(w.Server))
	})
	if !harness.IsChosen(servers.Versitygw) {
		return // the other cases start their own servers
	}
	run(t, "reference server", func(t *testing.T, w *harness.World) {
		srv := s3test.NewServer(t, s3test.Options{Buckets: []string{"odd"}})
		everyKey(t, w, srv.URL(), "odd", slices.Concat(oddKeys, xmlKeys))
	})
	run(t, "gofakes3", func(t *testing.T, w *harness.World) {
		endpoint := w.Memory(t)
		keys := slices.DeleteFunc(slices.Clone(oddKeys), func(k string) bool {
			return strings.HasPrefix(k, "/") // its listings lose them
		})
		everyKey(t, w, endpoint, w.BucketOn(t, endpoint).Bucket, keys)
	})
	run(t, "under a prefix", func(t *testing.T, w *harness.World) {
		srv := s3test.NewServer(t, s3test.Options{Buckets: []string{"odd"}})
		var keys []string
		for _, k := range oddKeys {
			if len(k) < 1000 {
				keys = append(keys, "pre//fix/"+k)
			}
		}
		srv.PutObject("odd", "outside", []byte("x"), nil)
		everyKey(t, w, srv.URL(), "odd:pre//fix/", keys)
		if _, _, ok := srv.Object("odd", "outside"); !ok {
			t.Error("an object outside the prefix was touched")
		}
	})
	run(t, "made in the mount", keysMadeInMount)
}

// keysOf returns the odd keys that a server can hold by the table of servers.
func keysOf(name string) []string {
	s, _ := servers.Get(name)
	segment := func(k string, is func(string) bool) bool {
		return slices.ContainsFunc(strings.Split(strings.TrimSuffix(k, "/"), "/"), is)
	}
	return slices.DeleteFunc(slices.Concat(oddKeys, xmlKeys), func(k string) bool {
		return s.Lacks(s3test.ControlKeys) && slices.Contains(xmlKeys, k) ||
			s.Lacks(s3test.RawKeys) && segment(k, func(s string) bool { return s == "" || s == "." || s == ".." }) ||
			// versitygw takes a name of 255 bytes, and then cannot replace it.
			s.Lacks(s3test.LongSegments) && segment(k, func(s string) bool { return len(s) >= 255 }) ||
			s.Lacks(s3test.MarkerBodies) && strings.HasSuffix(k, "/") && k != "only/marker/" ||
			s.Lacks(s3test.NestedKeys) && slices.ContainsFunc(oddKeys, func(other string) bool { return strings.HasPrefix(other, k+"/") })
	})
}

func everyKey(t *testing.T, w *harness.World, endpoint, source string, keys []string) {
	ctx := w.Context(t)
	bucket, prefix, _ := strings.Cut(source, ":")
	ref := harness.NewReferee(endpoint, bucket)
	for _, k := range keys {
		if !strings.HasSuffix(k, "only/marker/") {
			must(t, ref.Put(ctx, k, []byte("at "+k), nil))
		}
	}
	must(t, ref.Put(ctx, prefix+"only/marker/", nil, nil))
	m := w.Mount(t, harness.MountOptions{Endpoint: endpoint, Source: source})
	byKey := map[string]string{}
	for path, body := range files(t, m.Dir) {
		key := strings.TrimPrefix(body, "at ")
		if other, twice := byKey[key]; twice {
			t.Errorf("key %q has two names: %q and %q", key, other, path)
		}
		byKey[key] = path
	}
	for _, k := range keys {
		if strings.HasSuffix(k, "only/marker/") {
			continue
		}
		path, ok := byKey[k]
		if !ok {
			t.Errorf("key %q has no name", k)
			continue
		}
		plain := !strings.Contains(k, "%~") && len(k) < 255 && !slices.ContainsFunc(strings.Split(strings.TrimPrefix(k, prefix), "/"), func(s string) bool {
			return s == "" || s == "." || s == ".."
		})
		if rel, _ := filepath.Rel(m.Dir, path); plain && prefix+rel != k && !strings.HasPrefix(k, prefix+"a/") {
			t.Errorf("key %q has the name %q, want its own", k, rel)
		}
		must(t, os.WriteFile(path, []byte("changed "+k), 0o644))
		if b, err := ref.Get(ctx, k); err != nil || string(b) != "changed "+k {
			t.Errorf("a write to %q left %q under its key (%v)", path, b, err)
		}
	}
	if st, err := os.Stat(m.Path("only/marker")); err != nil || !st.IsDir() {
		t.Errorf("a marker alone is no directory: %v", err)
	}
	m = m.Remount(t)
	for k, path := range byKey {
		if b, err := os.ReadFile(path); err != nil || string(b) != "changed "+k {
			t.Errorf("after remount %.80q under key %.80q reads %.80q (%.200v)", path, k, b, err)
		}
	}
	// Deep ones first: a directory gets its own name back when the object that shadows it is gone.
	for _, path := range slices.SortedFunc(maps.Values(byKey), func(a, b string) int { return strings.Count(b, "/") - strings.Count(a, "/") }) {
		if err := os.Remove(path); err != nil {
			t.Errorf("remove: %.200v", err)
		}
	}
	removeDirectories(t, m.Dir)
	m.Unmount(t)
	left, err := ref.Keys(ctx, prefix)
	left = slices.DeleteFunc(left, func(k string) bool { return strings.HasPrefix(k, prefix+".s3mount/") || k == prefix })
	if err != nil || len(left) > 0 {
		t.Errorf("after everything was removed by its name: %q (%v)", left, err)
	}
}

// removeDirectories removes the directories below dir, one by one as rmdir does.
func removeDirectories(t *testing.T, dir string) {
	t.Helper()
	names, err := os.ReadDir(dir)
	if err != nil {
		t.Errorf("read directory: %.200v", err)
	}
	for _, n := range names {
		path := filepath.Join(dir, n.Name())
		removeDirectories(t, path)
		if err := os.Remove(path); err != nil {
			t.Errorf("remove directory: %.200v", err)
		}
	}
}

// files reads every file below dir.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	m := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		m[path] = string(b)
		return err
	})
	must(t, err)
	return m
}

// keysMadeInMount: a name that is made in the mount is the obvious key.
func keysMadeInMount(t *testing.T, w *harness.World) {
	srv := s3test.NewServer(t, s3test.Options{Buckets: []string{"odd"}})
	m := w.Mount(t, harness.MountOptions{Endpoint: srv.URL(), Source: "odd"})
	names := []string{
		"plain", "new\nline", "percent%", "%2F", "%25", " ", "plus+", "q?#", "esc\x1b", strings.Repeat("n", 255), "ünï", "back\\slash", "...", "~", "a~d",
	}
	for i, n := range names {
		must(t, os.WriteFile(m.Path(n), []byte(n), 0o644))
		must(t, os.MkdirAll(m.Path(fmt.Sprintf("d%d", i), n), 0o755))
		must(t, os.WriteFile(m.Path(fmt.Sprintf("d%d", i), n, n), []byte(n), 0o644))
		for _, key := range []string{n, fmt.Sprintf("d%d/%s/%s", i, n, n)} {
			if b, _, ok := srv.Object("odd", key); !ok || string(b) != n {
				t.Errorf("name %q: no object %q", n, key)
			}
		}
	}
	for _, n := range []string{"\xff\xfe", "latin\xe9"} { // cannot be a key: said at once, not at close
		_, err := os.Create(m.Path(n))
		wantErrno(t, "create of a name that is not UTF-8", err, syscall.EILSEQ, syscall.EINVAL)
	}
	if _, err := os.ReadDir(m.Path(".s3mount")); err == nil {
		t.Error("the reserved prefix can be seen")
	}
	long := strings.Repeat("l/", 400) + strings.Repeat("x", 230)
	must(t, os.MkdirAll(filepath.Dir(m.Path(long)), 0o755))
	if err := os.WriteFile(m.Path(long), nil, 0o644); err == nil {
		t.Error("a key of 1030 bytes was accepted")
	}
}
