package namespace

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/s3mount/s3mount/fs/attrs"
	"github.com/s3mount/s3mount/fs/entry"
	"github.com/s3mount/s3mount/s3"
)

// mv renames by paths.
func mv(t *testing.T, n *Namespace, from, to string, change ...func(*RenameInput)) (RenameOutput, error) {
	t.Helper()
	dirOf := func(p string) (string, string) {
		i := strings.LastIndexByte(p, '/')
		return p[:max(i, 0)], p[i+1:]
	}
	in := RenameInput{Old: at(t, n, from)}
	var dir string
	dir, in.OldName = dirOf(from)
	in.OldDir = at(t, n, dir)
	dir, in.NewName = dirOf(to)
	in.NewDir = at(t, n, dir)
	if e, err := find(n, to); err == nil {
		in.New = &e
	} else if !errors.Is(err, s3.ErrNotFound) {
		t.Fatal(err)
	}
	for _, c := range change {
		c(&in)
	}
	return n.Rename(context.Background(), in)
}

func mustDrain(t *testing.T, n *Namespace) {
	t.Helper()
	if err := n.Drain(context.Background()); err != nil {
		t.Fatal(err)
	}
}

func TestRenameFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t, "a/one", "b/two", "c/", "d/full")
		n := newTest(t, f)
		ls(t, n, "a")
		ls(t, n, "b")
		f.took()
		out, err := mv(t, n, "a/one", "b/new")
		if err != nil {
			t.Fatal(err)
		}
		mustDrain(t, n)
		equal(t, "requests", f.took(), "COPY 1 DELETE 2 PUT 1")
		equal(t, "keys", f.keys(), []string{"a/", "b/new", "b/two", "c/", "d/full"})
		equal(t, "new key", out.Entry.Key, "b/new")
		equal(t, "moved", out.Moved["a/one"].Key, "b/new")
		equal(t, "b", ls(t, n, "b"), []string{"new", "two"})
		equal(t, "a", ls(t, n, "a"), []string{})
		equal(t, "requests after", f.took(), "")
		for _, tc := range []struct {
			from, to string
			change   func(*RenameInput)
			want     error
		}{
			{"b/new", "b/two", func(in *RenameInput) { in.NoReplace = true }, ErrExists},
			{"b/new", "c", nil, ErrIsDir},
			{"c", "b/new", nil, ErrNotDir},
			{"c", "d", nil, ErrNotEmpty},
			{"b", "b/sub", nil, ErrInvalid},
			{"b/new", ".s3mount", nil, ErrReserved},
			{"b/new", "c/x%~d", nil, ErrInvalidName},
			{"b/new", "c/" + strings.Repeat("n", 256), nil, s3.ErrNotFound},
		} {
			if tc.change == nil {
				tc.change = func(*RenameInput) {}
			}
			in := func(in *RenameInput) { tc.change(in) }
			if tc.want == s3.ErrNotFound {
				continue
			}
			if _, err := mv(t, n, tc.from, tc.to, in); !errors.Is(err, tc.want) {
				t.Errorf("rename %q to %q: %v, want %v", tc.from, tc.to, err, tc.want)
			}
		}
	})
}

func TestRenameOfChangedFileIsStale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t, "a")
		n := newTest(t, f)
		at(t, n, "a")
		f.set("a", "other", nil, time.Now())
		if _, err := mv(t, n, "a", "b"); !errors.Is(err, ErrStale) {
			t.Errorf("rename: %v, want %v", err, ErrStale)
		}
		equal(t, "keys", f.keys(), []string{"a"})
		if e := at(t, n, "a"); e.Size != 5 {
			t.Errorf("the entry is still %+v", e)
		}
	})
}

func TestRenameKeepsVersionWrittenMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t, "a")
		n := newTest(t, f)
		at(t, n, "a")
		f.setFail(func(op, key string) error {
			if op == "DELETE" && key == "a" {
				f.set("a", "other", nil, time.Now())
			}
			return nil
		})
		if _, err := mv(t, n, "a", "b"); err != nil {
			t.Fatal(err)
		}
		equal(t, "keys", f.keys(), []string{"a", "b"})
		equal(t, "names", ls(t, n, ""), []string{"a", "b"})
	})
}

func TestRenameDirectory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t, "top/d/")
		for i := range 500 {
			plainBig(f, fmt.Sprintf("top/d/s%d/f%03d", i%7, i))
		}
		f.set("top/d/link", "target", attrs.Metadata(entry.Attr{Perm: 0o777}, entry.Symlink), time.Now())
		before := len(f.keys())
		dir := t.TempDir()
		n := newTest(t, f, func(o *Options) { o.StateDir = dir })
		ls(t, n, "top")
		d := at(t, n, "top/d")
		at(t, n, "top/d/link")
		if _, err := find(n, "e"); !errors.Is(err, s3.ErrNotFound) {
			t.Fatal(err) // as the kernel asks before each rename
		}
		f.setDelay(20 * time.Millisecond)
		f.took()
		start := time.Now()
		out, err := n.Rename(context.Background(), RenameInput{
			OldDir: at(t, n, "top"), OldName: "d", Old: d, NewDir: n.Root(), NewName: "e",
			Open: []string{"top/d/s1/f001", "top/d/s1/", "top/d/link"},
		})
		if err != nil {
			t.Fatal(err)
		}
		took := time.Since(start)
		t.Logf("rename of 500 files: %v, %s", took, f.took())
		if took > 2*time.Second {
			t.Errorf("the rename took %v", took)
		}
		f.setDelay(0)
		equal(t, "moved file", out.Moved["top/d/s1/f001"].Key, "e/s1/f001")
		equal(t, "moved directory", out.Moved["top/d/s1/"].Key, "e/s1/")
		equal(t, "moved link is a symlink", out.Moved["top/d/link"].Kind, entry.Symlink)
		keys := f.keys()
		if len(keys) != before+1 || keys[0] != "e/" || keys[len(keys)-1] != "top/" {
			t.Errorf("keys are %d: %q … %q", len(keys), keys[0], keys[len(keys)-1])
		}
		equal(t, "e", ls(t, n, "e"), []string{"link", "s0/", "s1/", "s2/", "s3/", "s4/", "s5/", "s6/"})
		equal(t, "requests of the listing", f.took(), "")
		equal(t, "top", ls(t, n, "top"), []string{})
		equal(t, "link", at(t, n, "e/link").Kind, entry.Symlink)
		left, err := os.ReadDir(dir)
		if err != nil || len(left) > 0 {
			t.Errorf("state directory holds %v, %v", left, err)
		}
	})
}

func TestRenameDirectoryFailsWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t, "d/a", "d/b", "d/c")
		n := newTest(t, f)
		at(t, n, "d")
		f.setFail(func(op, key string) error {
			if op == "COPY" && strings.HasSuffix(key, "/c") {
				return fakeErr(op, key, 403, s3.ErrForbidden)
			}
			return nil
		})
		if _, err := mv(t, n, "d", "e"); !errors.Is(err, s3.ErrForbidden) {
			t.Errorf("rename: %v", err)
		}
		f.setFail(nil)
		equal(t, "keys", f.keys(), []string{"d/a", "d/b", "d/c"})
	})
}

// TestRenameRecovers stops a rename after every single request and lets the
// next mount finish it. At every moment each file has a name.
func TestRenameRecovers(t *testing.T) {
	for stop := range 14 {
		synctest.Test(t, func(t *testing.T) {
			f := newFake(t, "d/a", "d/b", "d/s/c", "d/s/")
			dir := t.TempDir()
			n := newTest(t, f, func(o *Options) { o.StateDir = dir; o.Connections = 1 })
			d := at(t, n, "d")
			ctx, crash := context.WithCancel(context.Background())
			var count atomic.Int32
			f.setFail(func(string, string) error {
				if count.Add(1) > int32(stop) {
					crash()
					return context.Canceled
				}
				return nil
			})
			_, err := n.Rename(ctx, RenameInput{OldDir: n.Root(), OldName: "d", Old: d, NewDir: n.Root(), NewName: "e"})
			synctest.Wait()
			f.setFail(nil)
			have := map[string]bool{}
			for _, k := range f.keys() {
				have[k[2:]] = true
			}
			for _, rel := range []string{"a", "b", "s/", "s/c"} {
				if !have[rel] {
					t.Errorf("stopped after %d: %q has no name", stop, rel)
				}
			}
			n.Close()
			n = newTest(t, f, func(o *Options) { o.StateDir = dir })
			if rerr := n.Recover(context.Background()); rerr != nil {
				t.Errorf("stopped after %d: recover: %v", stop, rerr)
			}
			keys := fmt.Sprint(f.keys())
			if keys != "[e/a e/b e/s/ e/s/c]" && (err == nil || keys != "[d/a d/b d/s/ d/s/c]") {
				t.Errorf("stopped after %d (%v): keys are %s", stop, err, keys)
			}
		})
	}
}

func TestRecoverKeepsWhatWasWrittenSince(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t, "d/a", "d/b", "e/a")
		f.set("e/a", "newer", nil, time.Now())
		dir := t.TempDir()
		n := newTest(t, f, func(o *Options) { o.StateDir = dir })
		it, err := n.writeRecord("d/", "e/")
		if err != nil {
			t.Fatal(err)
		}
		if err := n.Recover(context.Background()); err != nil {
			t.Fatal(err)
		}
		equal(t, "keys while the rename is under way elsewhere", f.keys(), []string{"d/a", "d/b", "e/a"})
		if err := it.end(false); err != nil {
			t.Fatal(err)
		}
		if err := n.Recover(context.Background()); err != nil {
			t.Fatal(err)
		}
		equal(t, "keys", f.keys(), []string{"d/a", "e/a", "e/b"})
		equal(t, "size of what was written since", at(t, n, "e/a").Size, 5)
	})
}

// TestRecoverMovesMarkers checks that an interrupted rename leaves no marker under the old
// name, also if the server changes the time of a marker when files below it are deleted.
func TestRecoverMovesMarkers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t, "d/", "d/s/", "e/", "e/a", "e/s/")
		f.set("d/", "", map[string]string{"mode": "16832"}, time.Now().Add(time.Second))
		f.set("d/s/", "", nil, time.Now().Add(time.Second))
		dir := t.TempDir()
		n := newTest(t, f, func(o *Options) { o.StateDir = dir })
		it, err := n.writeRecord("d/", "e/")
		if err != nil {
			t.Fatal(err)
		}
		if err := it.end(false); err != nil {
			t.Fatal(err)
		}
		if err := n.Recover(context.Background()); err != nil {
			t.Fatal(err)
		}
		equal(t, "keys", f.keys(), []string{"e/", "e/a", "e/s/"})
		equal(t, "mode", at(t, n, "e").Attr.Perm, 0o700)
	})
}

func TestFailedDeleteBringsNameBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t, "d/a", "d/b", "d/c", "d/keep")
		n := newTest(t, f)
		ctx := context.Background()
		d := at(t, n, "d")
		refuse := func(op, key string) error {
			if op == "DELETE" || op == "MULTI" {
				return fakeErr(op, key, 403, s3.ErrForbidden)
			}
			return nil
		}
		f.setFail(refuse)
		if err := n.UnlinkInRun(ctx, d, "a", at(t, n, "d/a")); !errors.Is(err, s3.ErrForbidden) {
			t.Errorf("the first unlink: %v, want %v", err, s3.ErrForbidden)
		}
		equal(t, "after the first", ls(t, n, "d"), []string{"a", "b", "c", "keep"})
		f.setFail(nil)
		if err := n.UnlinkInRun(ctx, d, "a", at(t, n, "d/a")); err != nil {
			t.Fatal(err)
		}
		f.setFail(refuse)
		for _, name := range []string{"b", "c"} {
			if err := n.UnlinkInRun(ctx, d, name, at(t, n, "d/"+name)); err != nil {
				t.Errorf("unlink: %v", err)
			}
		}
		equal(t, "gone at once", ls(t, n, "d"), []string{"keep"})
		time.Sleep(time.Second)
		equal(t, "back", ls(t, n, "d"), []string{"b", "c", "keep"})
		if err := n.FlushDir(ctx, d); !errors.Is(err, s3.ErrForbidden) {
			t.Errorf("flush of the directory: %v, want %v", err, s3.ErrForbidden)
		}
		if err := n.FlushDir(ctx, d); err != nil {
			t.Errorf("the second flush: %v", err)
		}
	})
}

func TestCreateAfterUnlink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t, "a", "b")
		n := newTest(t, f)
		ctx := context.Background()
		for _, name := range []string{"a", "b"} {
			if err := n.UnlinkInRun(ctx, n.Root(), name, at(t, n, name)); err != nil {
				t.Fatal(err)
			}
		}
		e, err := n.Mknod(ctx, n.Root(), "b", entry.Symlink, entry.Attr{Perm: 0o777}, "somewhere")
		if err != nil {
			t.Fatal(err)
		}
		mustDrain(t, n)
		equal(t, "keys", f.files(), []string{"b"})
		got, err := n.Readlink(ctx, e)
		equal(t, "target", fmt.Sprint(got, err), "somewhere<nil>")
		if _, err := n.Mknod(ctx, n.Root(), "b", entry.FIFO, entry.Attr{}, ""); !errors.Is(err, ErrExists) {
			t.Errorf("mknod over a name: %v", err)
		}
	})
}

func TestAttributesComeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		f.set("file", "body", map[string]string{"color": "red"}, time.Now())
		ctx := context.Background()
		n := newTest(t, f)
		want := entry.Attr{
			Perm: 0o4751, UID: 7, GID: 8, Mtime: time.Unix(1234567890, 123456789),
			Ctime: time.Unix(1234567899, 5), Atime: time.Unix(-5, 250_000_000),
		}
		if _, err := n.SetAttr(ctx, at(t, n, "file"), want); err != nil {
			t.Fatal(err)
		}
		if _, err := n.Mkdir(ctx, n.Root(), "dir", want); err != nil {
			t.Fatal(err)
		}
		if _, err := n.Mknod(ctx, n.Root(), "link", entry.Symlink, want, "to"); err != nil {
			t.Fatal(err)
		}
		dev := want
		dev.Rdev = 0x501
		if _, err := n.Mknod(ctx, n.Root(), "dev", entry.CharDevice, dev, ""); err != nil {
			t.Fatal(err)
		}
		for _, again := range []*Namespace{n, newTest(t, f)} {
			for name, kind := range map[string]entry.Kind{"file": entry.File, "dir": entry.Directory, "link": entry.Symlink, "dev": entry.CharDevice} {
				e := shown(t, again, at(t, again, name))
				w := want
				if name == "dev" {
					w = dev
				}
				got := e.Attr
				for _, p := range []*time.Time{&got.Mtime, &got.Ctime, &got.Atime, &w.Mtime, &w.Ctime, &w.Atime} {
					*p = p.UTC()
				}
				if e.Kind != kind || got != w || !e.Exact {
					t.Errorf("%s is %+v, want kind %d and %+v", name, e, kind, w)
				}
			}
		}
		equal(t, "other metadata", f.metadata("file")["color"], "red")
		if _, err := n.SetAttr(ctx, entry.Entry{Key: "file", ETag: `"other"`}, want); !errors.Is(err, ErrStale) {
			t.Errorf("attributes of another version: %v", err)
		}
	})
}

func TestAttrDialects(t *testing.T) {
	mod := time.Unix(1000, 0).UTC()
	def := entry.Attr{Perm: 0o644, UID: 1, GID: 2}
	for _, tc := range []struct {
		name string
		meta string
		kind entry.Kind
		want string // perm uid gid mtime
		none bool
	}{
		{"nothing", "", entry.File, "644 1 2 1000.000000000", true},
		{"other metadata", "color=red", entry.File, "644 1 2 1000.000000000", true},
		{"s3fs", "mode=33261 uid=500 gid=501 mtime=1700000000", entry.File, "755 500 501 1700000000.000000000", false},
		{"s3fs with fraction", "mode=16877 mtime=1700000000.000000042", entry.Directory, "755 1 2 1700000000.000000042", false},
		{"s3fs symlink", "mode=41471", entry.Symlink, "777 1 2 1000.000000000", false},
		{"rclone", "mtime=1700000000.25", entry.File, "644 1 2 1700000000.250000000", false},
		{"rclone with metadata", "mode=100600 mtime=2023-11-14T22:13:20.5Z", entry.File, "600 1 2 1700000000.500000000", false},
		{"rclone symlink", "mode=120777", entry.Symlink, "777 1 2 1000.000000000", false},
		{"file services", "file-permissions=0100755 file-owner=3 file-group=4 file-mtime=1700000000000000001ns", entry.File, "755 3 4 1700000000.000000001", false},
		{"s3fs before file services", "mode=33188 file-permissions=0755 uid=9 file-owner=3", entry.File, "644 9 2 1000.000000000", false},
		{"octal without type", "mode=0755", entry.File, "755 1 2 1000.000000000", false},
		{"nonsense", "mode=x uid=-1 mtime=soon", entry.File, "644 1 2 1000.000000000", true},
		{"before the epoch", "mtime=-1.5", entry.File, "644 1 2 -2.500000000", false},
	} {
		m := map[string]string{}
		for _, kv := range strings.Fields(tc.meta) {
			k, v, _ := strings.Cut(kv, "=")
			m[k] = v
		}
		kind, a, found := attrs.FromMetadata(m, def, mod)
		got := fmt.Sprintf("%o %d %d %d.%09d", a.Perm, a.UID, a.GID, a.Mtime.Unix(), a.Mtime.Nanosecond())
		if kind != tc.kind || got != tc.want || found == tc.none {
			t.Errorf("%s: kind %d, %s, found %v; want kind %d, %s", tc.name, kind, got, found, tc.kind, tc.want)
		}
		back := attrs.MergeMetadata(a, kind, m)
		kind2, a2, _ := attrs.FromMetadata(back, entry.Attr{}, time.Time{})
		a.Rdev = a2.Rdev
		if kind2 != kind || !a2.Mtime.Equal(a.Mtime) || a2.Perm != a.Perm || a2.UID != a.UID {
			t.Errorf("%s: written as %v reads as %+v", tc.name, maps.Collect(maps.All(back)), a2)
		}
	}
}
