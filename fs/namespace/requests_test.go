package namespace

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/s3mount/s3mount/fs/entry"
)

// TestRequests states the requests of single operations, cold and as the
// kernel makes them: each name is looked up before it is changed.
func TestRequests(t *testing.T) {
	ctx := context.Background()
	seed := []string{"file", "dir/", "dir/a", "dir/b", "dir/c", "impl/only", "deep/er/x"}
	attr := entry.Attr{Perm: 0o640, UID: 5, Mtime: time.Unix(1, 0)}
	for _, tc := range []struct {
		name string
		warm string // listed before
		run  func(t *testing.T, n *Namespace, f *fakeStore)
		want string
	}{
		{"lookup of a file", "-", func(t *testing.T, n *Namespace, _ *fakeStore) { at(t, n, "file") }, "HEAD 1"},
		{"lookup of a directory", "-", func(t *testing.T, n *Namespace, _ *fakeStore) { at(t, n, "impl") }, "HEAD 1 LIST 1"},
		{"lookup of a directory with marker", "-", func(t *testing.T, n *Namespace, _ *fakeStore) { at(t, n, "dir") }, "HEAD 2 LIST 1"},
		{"lookup of what is absent", "-", func(_ *testing.T, n *Namespace, _ *fakeStore) { _, _ = find(n, "none") }, "HEAD 1 LIST 1"},
		{"lookup of what is absent, again", "-", func(_ *testing.T, n *Namespace, f *fakeStore) {
			_, _ = find(n, "none")
			f.took()
			_, _ = find(n, "none")
		}, ""},
		{"lookups in a listed directory", "", func(t *testing.T, n *Namespace, _ *fakeStore) {
			at(t, n, "file")
			at(t, n, "dir")
			_, _ = find(n, "none")
		}, ""},
		{"stat of a file", "", func(t *testing.T, n *Namespace, _ *fakeStore) {
			_, _ = n.Stat(ctx, at(t, n, "file"))
		}, "HEAD 1"},
		{"mkdir", "", func(t *testing.T, n *Namespace, _ *fakeStore) {
			e, err := n.Mkdir(ctx, n.Root(), "new", attr)
			if err != nil {
				t.Error(err)
			}
			for _, name := range []string{"a", "b", "c"} {
				_, _ = n.Lookup(ctx, e, name) // nobody else can have filled it
			}
		}, "PUT 1"},
		{"rmdir of a directory just made", "", func(t *testing.T, n *Namespace, f *fakeStore) {
			e, err := n.Mkdir(ctx, n.Root(), "new", entry.Attr{})
			if err != nil {
				t.Error(err)
			}
			f.took()
			if err := n.RmdirInRun(ctx, n.Root(), "new", e); err != nil {
				t.Error(err)
			}
		}, "DELETE 1 LIST 1"},
		{"the first symlink of a directory", "dir", func(t *testing.T, n *Namespace, _ *fakeStore) {
			if _, err := n.Mknod(ctx, at(t, n, "dir"), "ln", entry.Symlink, attr, "a"); err != nil {
				t.Error(err)
			}
		}, "PUT 2"},
		{"the second symlink", "dir", func(t *testing.T, n *Namespace, f *fakeStore) {
			d := at(t, n, "dir")
			if _, err := n.Mknod(ctx, d, "l1", entry.Symlink, attr, "a"); err != nil {
				t.Error(err)
			}
			f.took()
			if e, err := n.Mknod(ctx, d, "l2", entry.Symlink, attr, "a"); err != nil {
				t.Error(err)
			} else if _, err := n.Readlink(ctx, e); err != nil {
				t.Error(err)
			}
		}, "PUT 1"},
		{"unlink, the first of the mount", "dir", func(t *testing.T, n *Namespace, _ *fakeStore) {
			if err := n.UnlinkInRun(ctx, at(t, n, "dir"), "a", at(t, n, "dir/a")); err != nil {
				t.Error(err)
			}
		}, "DELETE 1"},
		{"unlink of all files of a directory", "dir", func(t *testing.T, n *Namespace, _ *fakeStore) {
			for _, name := range []string{"a", "b", "c"} {
				if err := n.UnlinkInRun(ctx, at(t, n, "dir"), name, at(t, n, "dir/"+name)); err != nil {
					t.Error(err)
				}
			}
		}, "DELETE 1 MULTI 1"},
		{"unlink of the last file of an implicit directory", "impl", func(t *testing.T, n *Namespace, _ *fakeStore) {
			if err := n.UnlinkInRun(ctx, at(t, n, "impl"), "only", at(t, n, "impl/only")); err != nil {
				t.Error(err)
			}
		}, "DELETE 1 PUT 1"},
		{"rename of a file", "dir", func(t *testing.T, n *Namespace, _ *fakeStore) {
			n.queue.permission.prove() // as after any delete of the mount
			if _, err := mv(t, n, "dir/a", "dir/z"); err != nil {
				t.Error(err)
			}
		}, "COPY 1 DELETE 1"},
		// One delete asks for the permission, before there is a copy.
		{"rename of a file, the first delete of the mount", "dir", func(t *testing.T, n *Namespace, _ *fakeStore) {
			if _, err := mv(t, n, "dir/a", "dir/z"); err != nil {
				t.Error(err)
			}
		}, "COPY 1 DELETE 2"},
		{"chmod", "", func(t *testing.T, n *Namespace, _ *fakeStore) {
			if _, err := n.SetAttr(ctx, at(t, n, "file"), entry.Attr{Perm: 0o600}); err != nil {
				t.Error(err)
			}
		}, "COPY 1 HEAD 1"},
	} {
		synctest.Test(t, func(t *testing.T) {
			f := newFake(t, seed...)
			n := newTest(t, f)
			if tc.warm != "-" {
				ls(t, n, "") // as a shell does before it goes down
				ls(t, n, tc.warm)
			}
			f.took()
			tc.run(t, n, f)
			// Gathered deletes are sent, indexes not yet.
			time.Sleep(defaultDeleteDelay)
			synctest.Wait()
			logged := f.server.Log()
			if got := f.took(); got != tc.want {
				for _, r := range logged {
					t.Log(r.Kind, r.Key, r.Query)
				}
				t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
			}
		})
	}
}

// TestAdaptiveTrust states how long a listing is believed.
func TestAdaptiveTrust(t *testing.T) {
	for _, tc := range []struct{ age, trust time.Duration }{
		{time.Second, time.Second},
		{100 * time.Second, 10 * time.Second},
		{24 * time.Hour, time.Minute},
	} {
		synctest.Test(t, func(t *testing.T) {
			f := newFake(t)
			f.set("d/a", "x", nil, time.Now().Add(-tc.age))
			n := newTest(t, f)
			ls(t, n, "d")
			if e := at(t, n, "d/a"); n.TTL(e) != tc.trust {
				t.Errorf("the kernel believes an object of age %v for %v, want %v", tc.age, n.TTL(e), tc.trust)
			}
			f.took()
			time.Sleep(tc.trust - time.Millisecond)
			names(t, n.OpenDir(entry.Entry{Key: "d/", Kind: entry.Directory}))
			equal(t, "requests before the end", f.took(), "")
			time.Sleep(time.Millisecond)
			names(t, n.OpenDir(entry.Entry{Key: "d/", Kind: entry.Directory}))
			if got := f.took(); got == "" {
				t.Errorf("a listing with an object of age %v is believed after %v", tc.age, tc.trust)
			}
		})
	}
}

// TestNoTrust uses a TTL so short that nothing is believed.
func TestNoTrust(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t, "d/a", "d/s/b")
		f.setDelay(time.Millisecond) // else no time passes at all
		n := newTest(t, f, func(o *Options) { o.TTL = 1 })
		for i := range 3 {
			name := strings.Repeat("n", i+1)
			f.set("d/"+name, "x", nil, time.Now())
			if e := at(t, n, "d/"+name); e.Size != 1 || n.TTL(e) > 1 {
				t.Errorf("%q is %+v, believed for %v", name, e, n.TTL(e))
			}
			equal(t, "names", len(ls(t, n, "d")), 3+i)
			equal(t, "names below", ls(t, n, "d/s"), []string{"b"})
		}
	})
}

// TestLookupsInHugeDirectory checks that a few lookups do not list a large directory,
// and that many lookups all over it cost less than one request each.
func TestLookupsInHugeDirectory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const count, lookups, few = 100_000, 1000, 3
		f := newFake(t)
		f.at(time.Now().Add(-time.Hour), func() { f.server.SeedN("b", "d/%06d", count, []byte("x")) })
		n := newTest(t, f, func(o *Options) { o.Posix = PosixOff })
		dir := at(t, n, "d")
		f.took()
		for i := range lookups {
			if _, err := n.Lookup(t.Context(), dir, fmt.Sprintf("%06d", i*7919%count)); err != nil {
				t.Fatal(err)
			}
			if i+1 == few {
				equal(t, "requests of the first lookups", f.took(), "HEAD 2 LIST 1")
			}
		}
		requests := f.took()
		t.Logf("%d more lookups: %s", lookups-few, requests)
		if f.total > lookups {
			t.Errorf("%d more lookups took %s", lookups-few, requests)
		}
	})
}
