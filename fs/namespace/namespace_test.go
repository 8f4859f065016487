package namespace

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/s3mount/s3mount/fs/entry"
)

func newTest(t *testing.T, f Store, change ...func(*Options)) *Namespace {
	t.Helper()
	o := DefaultOptions()
	o.Bucket = "b"
	for _, c := range change {
		c(&o)
	}
	n, err := New(f, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Close)
	return n
}

// at looks up a path and fails the test if it is not there.
func at(t *testing.T, n *Namespace, path string) entry.Entry {
	t.Helper()
	e, err := find(n, path)
	if err != nil {
		t.Fatalf("lookup %q: %v", path, err)
	}
	return e
}

// shown returns an entry as stat shows it.
func shown(t *testing.T, n *Namespace, e entry.Entry) entry.Entry {
	t.Helper()
	if !n.Hinted(e) {
		return e
	}
	got, err := n.Attributes(context.Background(), e)
	if err != nil {
		t.Fatalf("attributes of %q: %v", e.Key, err)
	}
	return got
}

func find(n *Namespace, path string) (entry.Entry, error) {
	e := n.Root()
	if path == "" {
		return e, nil
	}
	for _, part := range strings.Split(path, "/") {
		var err error
		if e, err = n.Lookup(context.Background(), e, part); err != nil {
			return entry.Entry{}, err
		}
	}
	return e, nil
}

// ls lists a directory by its path.
func ls(t *testing.T, n *Namespace, path string) []string {
	t.Helper()
	l := n.OpenDir(at(t, n, path))
	defer l.Close()
	return names(t, l)
}

func names(t *testing.T, l *Lister) []string {
	t.Helper()
	var out []string
	for {
		d, ok, err := l.Next(context.Background())
		if err != nil {
			t.Fatalf("list: %v", err)
		}
		if !ok {
			return out
		}
		name := d.Name
		if d.Entry.Kind == entry.Directory {
			name += "/"
		}
		out = append(out, name)
	}
}

func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s: got %q, want %q", what, fmt.Sprint(got), fmt.Sprint(want))
	}
}

func plainBig(f *fakeStore, keys ...string) {
	for _, k := range keys {
		f.set(k, strings.Repeat("x", 5000), nil, time.Now().Add(-24*time.Hour))
	}
}

func TestListSpecialKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		long := strings.Repeat("l", 300)
		f := newFake(t, "a", "a-b", "a.c", "a/x", "a0", "b//c", "b/", "c/./d", "c/../e", "d/", ".s3mount/x", "/lead", long, long+"2/in")
		f.set("d/", "data", nil, time.Now())
		n := newTest(t, f)
		equal(t, "root", ls(t, n, ""), []string{"%~d/", "a", "a-b", "a.c", "a%~d/", "a0", "b/", "c/", "d/", strings.Repeat("l", 252) + "%~+/"})
		equal(t, "a", ls(t, n, "a%~d"), []string{"x"})
		equal(t, "b", ls(t, n, "b"), []string{"%~d/"})
		equal(t, "b//", ls(t, n, "b/%~d"), []string{"c"})
		equal(t, "c", ls(t, n, "c"), []string{"..%~d/", ".%~d/"})
		equal(t, "c/.", ls(t, n, "c/.%~d"), []string{"d"})
		equal(t, "d", ls(t, n, "d"), []string{"%~f"})
		equal(t, "lead", ls(t, n, "%~d"), []string{"lead"})
		rest := strings.Repeat("l", 48)
		equal(t, "long", ls(t, n, strings.Repeat("l", 252)+"%~+"), []string{rest, rest + "2/"})
		equal(t, "long2", at(t, n, strings.Repeat("l", 252)+"%~+/"+rest+"2/in").Key, long+"2/in")
		if e := at(t, n, "d/%~f"); e.Kind != entry.File || e.Size != 4 || e.Key != "d/" {
			t.Errorf("data under d/ is %+v", e)
		}
		if e := at(t, n, "d"); e.Kind != entry.Directory || e.ID() == at(t, n, "d/%~f").ID() {
			t.Errorf("directory d is %+v", e)
		}
	})
}

// TestSpecialKeysCold looks every path up without a listing before.
func TestSpecialKeysCold(t *testing.T) {
	long := strings.Repeat("l", 300)
	keys := []string{"a", "a/x", "b//c", "c/./d", "c/../e", "/lead", long, long + "2/in", "p/%~d", "n\nl", "%41"}
	for _, path := range []struct{ path, key string }{
		{"a", "a"}, {"a%~d/x", "a/x"}, {"b/%~d/c", "b//c"}, {"c/.%~d/d", "c/./d"}, {"c/..%~d/e", "c/../e"},
		{"%~d/lead", "/lead"}, {strings.Repeat("l", 252) + "%~+/" + strings.Repeat("l", 48), long},
		{strings.Repeat("l", 252) + "%~+/" + strings.Repeat("l", 48) + "2/in", long + "2/in"},
		{"p/%~%d", "p/%~d"}, {"n\nl", "n\nl"}, {"%41", "%41"},
	} {
		synctest.Test(t, func(t *testing.T) {
			n := newTest(t, newFake(t, keys...))
			if e := at(t, n, path.path); e.Key != path.key || e.Kind != entry.File {
				t.Errorf("path %q is %+v", path.path, e)
			}
		})
	}
}

func TestBigDirectory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		var want []string
		for i := range 2500 {
			plainBig(f, fmt.Sprintf("d/f%05d", i))
			want = append(want, fmt.Sprintf("f%05d", i))
		}
		n := newTest(t, f)
		d := at(t, n, "d")
		f.took()
		l := n.OpenDir(d)
		first, _, err := l.Next(context.Background())
		if err != nil || first.Name != "f00000" {
			t.Fatalf("first is %q, %v", first.Name, err)
		}
		equal(t, "requests for the first name and the catalogue of indexes", f.took(), "LIST 2")
		got := append([]string{first.Name}, names(t, l)...)
		equal(t, "names", got, want)
		equal(t, "requests for the rest", f.took(), "LIST 2")
		equal(t, "again", names(t, n.OpenDir(d)), want)
		equal(t, "requests for the second listing", f.took(), "")
		for _, pos := range []uint64{2400, 2100, 1500, 700, 3, 0, 2499} {
			if err := l.Seek(context.Background(), pos); err != nil {
				t.Fatal(err)
			}
			if d, _, _ := l.Next(context.Background()); d.Name != want[pos] {
				t.Errorf("at %d is %q, want %q", pos, d.Name, want[pos])
			}
		}
		equal(t, "requests for seeks", f.took(), "")
	})
}

func TestWalk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		count := 1
		for i := range 20 {
			for j := range 10 {
				for k := range 10 {
					plainBig(f, fmt.Sprintf("d%02d/s%d/f%d", i, j, k))
					count++
				}
				count++
			}
			count++
		}
		n := newTest(t, f)
		seen := 0
		var visit func(e entry.Entry)
		visit = func(e entry.Entry) {
			seen++
			if e.Kind != entry.Directory {
				return
			}
			l := n.OpenDir(e)
			var subs []entry.Entry
			for {
				d, ok, err := l.Next(context.Background())
				if err != nil {
					t.Fatal(err)
				}
				if !ok {
					break
				}
				subs = append(subs, d.Entry)
			}
			for _, s := range subs {
				visit(s)
			}
		}
		visit(n.Root())
		if seen != count {
			t.Errorf("the walk saw %d names, want %d", seen, count)
		}
		equal(t, "requests of a walk of 2000 files in 221 directories", f.took(), "LIST 3")
	})
}

func TestDeepLookups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		for i := range 20 {
			for j := range 10 {
				for k := range 10 {
					plainBig(f, fmt.Sprintf("d%02d/s%d/f%d", i, j, k))
				}
			}
		}
		n := newTest(t, f)
		for i := range 200 {
			at(t, n, fmt.Sprintf("d%02d/s%d/f%d", i%20, i*7%10, i*3%10))
		}
		f.took()
		// One for the first name, then listings, and the catalogue of indexes.
		if got := f.total; got > 8 {
			t.Errorf("200 deep lookups took %d requests", got)
		}
	})
}

func TestUnlinkAndRmdir(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		for i := range 20 {
			for j := range 20 {
				plainBig(f, fmt.Sprintf("top/d%02d/f%02d", i, j))
			}
		}
		n := newTest(t, f)
		ctx := context.Background()
		var rm func(dir entry.Entry, name string, e entry.Entry)
		rm = func(dir entry.Entry, name string, e entry.Entry) {
			if e.Kind != entry.Directory {
				if err := n.UnlinkInRun(ctx, dir, name, e); err != nil {
					t.Fatal(err)
				}
				return
			}
			l := n.OpenDir(e)
			for {
				d, ok, err := l.Next(ctx)
				if err != nil {
					t.Fatal(err)
				}
				if !ok {
					break
				}
				rm(e, d.Name, d.Entry)
			}
			if err := n.RmdirInRun(ctx, dir, name, e); err != nil {
				t.Fatal(err)
			}
		}
		top := at(t, n, "top")
		f.took()
		f.setDelay(20 * time.Millisecond)
		start := time.Now()
		rm(n.Root(), "top", top)
		mustDrain(t, n)
		took, requests := time.Since(start), f.took()
		t.Logf("rm -r of 400 files in 20 directories: %v, %s", took, requests)
		if f.total > 12 || took > 1500*time.Millisecond {
			t.Errorf("rm -r took %v, %s", took, requests)
		}
		equal(t, "left", f.keys(), []string{})
	})
}

func TestImplicitDirectoryStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t, "d/only", "e/one", "e/two")
		n := newTest(t, f)
		ctx := context.Background()
		d := at(t, n, "d")
		if err := n.UnlinkInRun(ctx, d, "only", at(t, n, "d/only")); err != nil {
			t.Fatal(err)
		}
		e := at(t, n, "e")
		if err := n.UnlinkInRun(ctx, e, "one", at(t, n, "e/one")); err != nil {
			t.Fatal(err)
		}
		if err := n.Drain(ctx); err != nil {
			t.Fatal(err)
		}
		equal(t, "keys", f.keys(), []string{"d/", "e/two"})
		equal(t, "names", ls(t, n, ""), []string{"d/", "e/"})
		if err := n.RmdirInRun(ctx, n.Root(), "e", e); !errors.Is(err, ErrNotEmpty) {
			t.Errorf("rmdir of a directory with a child: %v", err)
		}
		if err := n.RmdirInRun(ctx, n.Root(), "d", at(t, n, "d")); err != nil {
			t.Errorf("rmdir: %v", err)
		}
		if err := n.Drain(ctx); err != nil {
			t.Fatal(err)
		}
		equal(t, "keys", f.keys(), []string{"e/two"})
	})
}

// TestModeZero checks that 0 is a mode of its own: objects without a stored mode
// then have no permission bits at all.
func TestModeZero(t *testing.T) {
	n := newTest(t, newFake(t, "d/f"), func(o *Options) { o.FilePerm, o.DirPerm = 0, 0 })
	for _, path := range []string{"", "d", "d/f"} {
		if perm := at(t, n, path).Attr.Perm; perm != 0 {
			t.Errorf("%q has the mode %04o, want 0", path, perm)
		}
	}
}
