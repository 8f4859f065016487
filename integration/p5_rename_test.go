package integration

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/s3mount/s3mount/integration/harness"
)

// TestP5Rename checks that a file, and every file of a directory, exists under at least
// one of its names at every moment, even if the mount is killed, that attributes are
// preserved, and that the flags of rename work.
func TestP5Rename(t *testing.T) {
	t.Parallel()
	run(t, "file", func(t *testing.T, w *harness.World) {
		m, bucket, proxy := mountOf(t, w)
		body := payload(1, 20<<20)
		must(t, os.WriteFile(m.Path("a"), body, 0o640))
		must(t, os.WriteFile(m.Path("b"), []byte("old"), 0o644))
		proxy.Reset()
		must(t, os.Rename(m.Path("a"), m.Path("b")))
		wantObject(t, w, bucket, "b", body)
		m.Unmount(t) // all batched deletes have been sent
		wantNoObject(t, w, bucket, "a")
		// The keys with which the mount tests permissions and features do not count.
		reqs := slices.DeleteFunc(proxy.Requests(), func(r harness.Request) bool { return strings.HasPrefix(r.Key, ".s3mount") })
		copied := slices.IndexFunc(reqs, kind2(harness.Copy, harness.Complete))
		deleted := slices.IndexFunc(reqs, kind2(harness.Delete, harness.DeleteMulti))
		if copied < 0 || deleted < copied {
			t.Errorf("the old name was deleted before the new one was there: %v", proxy.Counts())
		}
		if sent, _ := proxy.Bytes(); sent > 1<<20 {
			t.Errorf("rename sent %d bytes", sent)
		}
	})
	run(t, "not yet in S3", func(t *testing.T, w *harness.World) {
		m, bucket, _ := mountOf(t, w)
		f, err := os.Create(m.Path("tmp"))
		must(t, err)
		_, err = f.WriteString("before")
		must(t, err)
		must(t, os.Rename(m.Path("tmp"), m.Path("final")))
		_, err = f.WriteString(" and after")
		must(t, err)
		must(t, f.Close())
		wantObject(t, w, bucket, "final", []byte("before and after"))
		m.Unmount(t)
		wantNoObject(t, w, bucket, "tmp")
	})
	run(t, "directory", testRenameDirectory)
	run(t, "killed", testRenameKilled)
	run(t, "delete fails", func(t *testing.T, w *harness.World) {
		m, bucket, proxy := mountOf(t, w, impatient...)
		must(t, os.WriteFile(m.Path("a"), []byte("x"), 0o644))
		proxy.Inject(harness.Fault{Match: kind(harness.Delete, harness.DeleteMulti), Status: 403, Code: "AccessDenied"})
		err := os.Rename(m.Path("a"), m.Path("b"))
		t.Logf("rename: %v", err)
		proxy.Heal()
		wantOneOf(t, w, bucket, "x", "a", "b")
	})
	run(t, "flags", testRenameFlags)
}

func kind2(kinds ...harness.Kind) func(harness.Request) bool {
	is := kind(kinds...)
	return func(r harness.Request) bool { return is(&r) }
}

// wantOneOf fails the test unless an object with this body is under one of the keys.
func wantOneOf(t testing.TB, w *harness.World, r *harness.Referee, body string, keys ...string) {
	t.Helper()
	for _, k := range keys {
		if b, err := r.Get(context.WithoutCancel(w.Context(t)), k); err == nil && bytes.Equal(b, []byte(body)) {
			return
		}
	}
	t.Errorf("%q is under none of %q", body, keys)
}

const renamed = 60 // files in the directories that are renamed here

func putTree(t *testing.T, w *harness.World, r *harness.Referee) {
	t.Helper()
	for i := range renamed {
		key := treeKey("old/", i)
		must(t, r.Put(w.Context(t), key, []byte(key[4:]), map[string]string{"mode": "33200", "colour": "blue"}))
	}
}

func treeKey(prefix string, i int) string {
	return fmt.Sprintf("%ssub%d/f%02d", prefix, i%4, i)
}

func testRenameDirectory(t *testing.T, w *harness.World) {
	m, bucket, _ := mountOf(t, w)
	putTree(t, w, bucket)
	must(t, os.Mkdir(m.Path("old/empty"), 0o700))
	must(t, os.Rename(m.Path("old"), m.Path("new")))
	if _, err := os.Stat(m.Path("old")); !errors.Is(err, syscall.ENOENT) {
		t.Errorf("the old name is still there: %v", err)
	}
	m = m.Remount(t)
	keys, err := bucket.Keys(w.Context(t), "")
	must(t, err)
	for i := range renamed {
		key := treeKey("new/", i)
		wantObject(t, w, bucket, key, []byte(key[4:]))
		head, err := bucket.Head(w.Context(t), key)
		must(t, err)
		if head.Metadata["colour"] != "blue" || head.Metadata["mode"] != "33200" {
			t.Errorf("%s lost metadata: %v", key, head.Metadata)
		}
	}
	for _, k := range keys {
		if k == "old/" || len(k) > 4 && k[:4] == "old/" {
			t.Errorf("left behind: %q", k)
		}
	}
	if st, err := os.Stat(m.Path("new/empty")); err != nil || !st.IsDir() {
		t.Errorf("the empty directory did not come along: %v", err)
	}
}

// testRenameKilled kills the mount at several points of a directory rename.
func testRenameKilled(t *testing.T, w *harness.World) {
	for _, after := range []int{1, 20, 59, 60} {
		bucket, proxy := w.Bucket(t), w.Proxy(t, harness.Shape{})
		putTree(t, w, bucket)
		m := w.Mount(t, harness.MountOptions{Endpoint: proxy.URL, Source: bucket.Bucket})
		// After so many copies and deletes nothing is answered any more.
		proxy.Inject(harness.Fault{Match: kind(harness.Copy, harness.Delete, harness.DeleteMulti), Skip: after, Delay: time.Hour})
		done := make(chan error, 1)
		go func() { done <- os.Rename(m.Path("old"), m.Path("new")) }()
		for proxy.Counts()[harness.Copy]+proxy.Counts()[harness.Delete]+proxy.Counts()[harness.DeleteMulti] <= after {
			select {
			case <-w.Context(t).Done():
				t.Fatalf("the rename made only %v", proxy.Counts())
			case <-time.After(time.Millisecond):
			}
		}
		m.Kill(t)
		if err := <-done; err == nil {
			t.Errorf("rename said that it was done while a request was open")
		}
		for i := range renamed {
			wantOneOf(t, w, bucket, treeKey("", i), treeKey("old/", i), treeKey("new/", i))
		}
		proxy.Heal()
		wantFinished(t, w, m, bucket)
		proxy.CloseConnections()
	}
}

// wantFinished mounts again over the dead mount and waits for the rename to be finished.
func wantFinished(t *testing.T, w *harness.World, m *harness.Mount, bucket *harness.Referee) {
	t.Helper()
	ctx := w.Context(t)
	m = m.Again(t)
	defer func() { m.Unmount(t) }()
	for {
		old, err := bucket.Keys(ctx, "old/")
		if err != nil || len(old) == 0 {
			must(t, err)
			break
		}
		tick(t, w, "the rename is not finished by the next mount") // the bucket is another process
	}
	names, err := filepath.Glob(m.Path("new/*/*"))
	if err != nil || len(names) != renamed {
		t.Errorf("the finished directory shows %d files (%v), want %d", len(names), err, renamed)
	}
}

func testRenameFlags(t *testing.T, w *harness.World) {
	m, bucket, _ := mountOf(t, w)
	rename := func(a, b string, flags uint) error {
		return unix.Renameat2(unix.AT_FDCWD, m.Path(a), unix.AT_FDCWD, m.Path(b), flags)
	}
	must(t, os.WriteFile(m.Path("a"), []byte("A"), 0o644))
	must(t, os.WriteFile(m.Path("b"), []byte("B"), 0o644))
	wantErrno(t, "NOREPLACE over a file", rename("a", "b", unix.RENAME_NOREPLACE), syscall.EEXIST, syscall.EINVAL)
	wantObject(t, w, bucket, "b", []byte("B"))
	if err := rename("a", "c", unix.RENAME_NOREPLACE); err == nil {
		wantObject(t, w, bucket, "c", []byte("A"))
		must(t, os.Rename(m.Path("c"), m.Path("a")))
	} else {
		wantErrno(t, "NOREPLACE", err, syscall.EINVAL)
	}
	must(t, os.Mkdir(m.Path("d"), 0o755))
	must(t, os.Mkdir(m.Path("e"), 0o755))
	for _, pair := range [][2]string{{"a", "b"}, {"a", "d"}, {"d", "a"}, {"d", "e"}} {
		wantErrno(t, fmt.Sprintf("EXCHANGE of %q", pair), rename(pair[0], pair[1], unix.RENAME_EXCHANGE), syscall.EINVAL)
	}
	wantErrno(t, "an unknown flag", rename("a", "b", 1<<20), syscall.EINVAL)
	wantObject(t, w, bucket, "a", []byte("A"))
	wantObject(t, w, bucket, "b", []byte("B"))
}
