package integration

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/s3mount/s3mount/integration/harness"
)

// filler fills a bucket with files of one kilobyte.
type filler func(t *testing.T, w *harness.World, endpoint string, bucket *harness.Referee, keys []string)

// TestAttributeRequests counts the requests of common work in buckets that another
// client or a mount has filled. In some of them a mount has stored attributes before,
// in the root or elsewhere. Deletes are not counted, because their number depends on
// the speed of the machine and the server. Requests that detect the features of the
// server are not counted either.
func TestAttributeRequests(t *testing.T) {
	t.Parallel()
	fillers := map[string]filler{"other client": fillByClient, "mount": fillByMount, "other client, allow-other": fillByClient}
	works := map[string]struct {
		keys    []string
		run     func(t *testing.T, m *harness.Mount, keys []string)
		most    int // requests in a bucket that another client has filled
		through int // requests in a bucket that a mount has filled just now; 0: not tried
	}{
		"rm -rf of one directory": {numbered("d/f%03d", 400), removeAll, 8, 30},
		"rm -rf in the root":      {numbered("f%03d", 400), removeEach, 8, 30},
		"rm -rf of a tree":        {tree(22, 40), removeAll, 10, 60},
		"ls -l twice":             {numbered("d/f%03d", 400), listTwice, 6, 30},
		"create by 16 threads":    {[]string{"d/x"}, create(1200), 1300, 0},      // each second of it costs some more
		"read by 16 threads":      {numbered("d/f%04d", 1200), readAll, 1250, 0}, // each thread may ask twice before it waits for a listing
		"stat of deep paths":      {numbered("a/b%02[1]d/c/d/f%02[1]d", 200), statEach, 6, 0},
	}
	for name, fill := range fillers {
		for _, chmod := range []bool{false, true} {
			for title, work := range works {
				most := work.most
				if name == "mount" {
					most = work.through
				}
				if most == 0 {
					continue
				}
				var args []string
				if strings.HasSuffix(name, "allow-other") {
					args = []string{"--allow-other"}
				}
				run(t, fmt.Sprintf("%s/chmod %v/%s", name, chmod, title), func(t *testing.T, w *harness.World) {
					server := w.Gateway(t, harness.ServerOptions{})
					bucket, proxy := w.BucketOn(t, server.Endpoint), w.ProxyOn(t, server.Endpoint, harness.Shape{})
					if chmod {
						storeAttributes(t, w, server.Endpoint, bucket)
					}
					fill(t, w, server.Endpoint, bucket, work.keys)
					if name != "mount" {
						age(t, server.Data)
					}
					m := w.Mount(t, harness.MountOptions{Endpoint: proxy.URL, Source: bucket.Bucket, Args: args})
					waitQuiet(proxy)
					proxy.Reset()
					work.run(t, m, work.keys)
					m.Unmount(t)
					counts := proxy.Counts()
					if total := counted(proxy); total > most {
						t.Errorf("%d requests, want at most %d: %v, more than once %v", total, most, counts, repeated(proxy))
					} else {
						t.Logf("%d requests: %v", total, counts)
					}
				})
			}
		}
	}
}

// age makes all objects of a server old, so that the mount trusts listings of them for
// a while, even on a slow machine.
func age(t *testing.T, data string) {
	t.Helper()
	old := time.Now().Add(-time.Hour)
	must(t, filepath.WalkDir(data, func(p string, _ os.DirEntry, err error) error {
		return errors.Join(err, os.Chtimes(p, old, old))
	}))
}

func counted(proxy *harness.Proxy) int {
	total := 0
	for _, r := range proxy.Requests() {
		isDelete := r.Kind == harness.Delete || r.Kind == harness.DeleteMulti
		if !isDelete && !strings.HasPrefix(r.Key, ".s3mount/probe-") {
			total++
		}
	}
	return total
}

// repeated returns some of the requests that were made more than once.
func repeated(proxy *harness.Proxy) []string {
	counts := map[string]int{}
	for _, r := range proxy.Requests() {
		counts[fmt.Sprint(r.Kind, " ", r.Key, r.Query["prefix"], r.Query["start-after"])]++
	}
	var out []string
	for what, n := range counts {
		if n > 1 && len(out) < 20 {
			out = append(out, fmt.Sprintf("%d %s", n, what))
		}
	}
	return out
}

// waitQuiet returns when the mount makes no requests by itself any more.
func waitQuiet(proxy *harness.Proxy) {
	for n := -1; n != len(proxy.Requests()); time.Sleep(200 * time.Millisecond) {
		n = len(proxy.Requests())
	}
}

// storeAttributes lets a mount store a mode in the root of the bucket.
func storeAttributes(t *testing.T, w *harness.World, endpoint string, bucket *harness.Referee) {
	t.Helper()
	m := w.Mount(t, harness.MountOptions{Endpoint: endpoint, Source: bucket.Bucket})
	must(t, os.WriteFile(m.Path("private"), []byte("x"), 0o644))
	must(t, os.Chmod(m.Path("private"), 0o600))
	m.Unmount(t)
	if keys, err := bucket.Keys(w.Context(t), ".s3mount/attrs/"); err != nil || len(keys) == 0 {
		t.Fatalf("the mount stored no attributes (%v)", err)
	}
}

func fillByClient(t *testing.T, w *harness.World, _ string, bucket *harness.Referee, keys []string) {
	t.Helper()
	must(t, bucket.PutMany(w.Context(t), keys, func(key string) []byte { return payload(len(key), 1000) }))
}

func fillByMount(t *testing.T, w *harness.World, endpoint string, bucket *harness.Referee, keys []string) {
	t.Helper()
	m := w.Mount(t, harness.MountOptions{Endpoint: endpoint, Source: bucket.Bucket})
	parallel(t, keys, func(key string) error {
		if err := os.MkdirAll(m.Path(path.Dir(key)), 0o755); err != nil {
			return err
		}
		return os.WriteFile(m.Path(key), payload(len(key), 1000), 0o644)
	})
	m.Unmount(t)
}

func numbered(format string, count int) []string {
	keys := make([]string, count)
	for i := range keys {
		keys[i] = fmt.Sprintf(format, i)
	}
	return keys
}

func tree(dirs, files int) []string {
	var keys []string
	for i := range dirs {
		keys = append(keys, numbered(fmt.Sprintf("t/d%02d/f%%03d", i), files)...)
	}
	return keys
}

// parallel runs f for each key in 16 threads.
func parallel(t *testing.T, keys []string, f func(key string) error) {
	t.Helper()
	work := make(chan string)
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for key := range work {
				if err := f(key); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for _, key := range keys {
		work <- key
	}
	close(work)
	wg.Wait()
}

func removeAll(t *testing.T, m *harness.Mount, keys []string) {
	dir, _, _ := cut(keys[0])
	must(t, os.RemoveAll(m.Path(dir)))
}

// removeEach removes files that it found by a listing, as rm does with a pattern.
func removeEach(t *testing.T, m *harness.Mount, keys []string) {
	found, err := os.ReadDir(m.Dir)
	must(t, err)
	for _, d := range found {
		if slices.Contains(keys, d.Name()) {
			must(t, os.Remove(m.Path(d.Name())))
		}
	}
}

func cut(key string) (first, rest string, ok bool) {
	for i := range key {
		if key[i] == '/' {
			return key[:i], key[i+1:], true
		}
	}
	return key, "", false
}

func create(count int) func(*testing.T, *harness.Mount, []string) {
	return func(t *testing.T, m *harness.Mount, _ []string) {
		parallel(t, numbered("d/new%04d", count), func(key string) error {
			return os.WriteFile(m.Path(key), []byte("x"), 0o644)
		})
	}
}

func readAll(t *testing.T, m *harness.Mount, keys []string) {
	parallel(t, keys, func(key string) error {
		_, err := os.ReadFile(m.Path(key))
		return err
	})
}

// listTwice looks at all files of a directory in order, as ls -l does.
func listTwice(t *testing.T, m *harness.Mount, keys []string) {
	for range 2 {
		found, err := os.ReadDir(m.Path("d"))
		must(t, err)
		for _, d := range found {
			must(t, unix.Lstat(m.Path("d", d.Name()), &unix.Stat_t{}))
		}
		if len(found) != len(keys) {
			t.Errorf("%d names, want %d", len(found), len(keys))
		}
	}
}

func statEach(t *testing.T, m *harness.Mount, keys []string) {
	for _, key := range keys {
		var st unix.Stat_t
		must(t, unix.Stat(m.Path(key), &st))
		if st.Size != 1000 {
			t.Errorf("%s has %d bytes", key, st.Size)
		}
	}
}
