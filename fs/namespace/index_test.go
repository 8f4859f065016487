package namespace

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/s3mount/s3mount/fs/attrs"
	"github.com/s3mount/s3mount/fs/entry"
	"github.com/s3mount/s3mount/s3"
)

// attrFor makes attributes that no listing shows.
func attrFor(i int) entry.Attr {
	at := time.Unix(1_500_000_000, int64(i)+1)
	return entry.Attr{Perm: 0o600 + uint32(i%64), UID: 1000, GID: uint32(i), Mtime: at, Ctime: at, Atime: at}
}

// commit writes a file as fs does.
func commit(t *testing.T, n *Namespace, f *fakeStore, dir, name, body string, a entry.Attr) entry.Entry {
	t.Helper()
	key, err := n.NewFileKey(at(t, n, dir), name)
	if err != nil {
		t.Fatal(err)
	}
	in := &s3.PutInput{Bucket: "b", Key: key, Body: strings.NewReader(body), Size: int64(len(body))}
	in.Metadata = attrs.Metadata(a, entry.File)
	out, err := f.Put(context.Background(), in)
	if err != nil {
		t.Fatal(err)
	}
	e := entry.Entry{Key: key, Size: int64(len(body)), ETag: out.ETag, LastModified: out.Date, Attr: a, Exact: true}
	n.Committed(e)
	return e
}

// dirents lists a directory with all that a listing tells.
func dirents(t *testing.T, n *Namespace, dir string) map[string]entry.Entry {
	t.Helper()
	l := n.OpenDir(at(t, n, dir))
	out := map[string]entry.Entry{}
	for {
		d, ok, err := l.Next(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			return out
		}
		out[d.Name] = d.Entry
	}
}

func TestIndexAnswersListing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		n := newTest(t, f)
		ctx := context.Background()
		if _, err := n.Mkdir(ctx, n.Root(), "d", attrFor(1)); err != nil {
			t.Fatal(err)
		}
		for i := range 100 {
			commit(t, n, f, "d", fmt.Sprintf("f%03d", i), "same", attrFor(i))
		}
		if _, err := n.Mknod(ctx, at(t, n, "d"), "link", entry.Symlink, attrFor(7), "to"); err != nil {
			t.Fatal(err)
		}
		mustDrain(t, n)
		f.took()
		n = newTest(t, f)
		got := dirents(t, n, "d")
		equal(t, "requests of a cold listing with all attributes", f.took(), "GET 1 HEAD 2 LIST 3")
		for i := range 100 {
			e := got[fmt.Sprintf("f%03d", i)]
			if want := attrFor(i); !e.Exact || !e.Attr.Mtime.Equal(want.Mtime) || e.Attr.Perm != want.Perm || e.Attr.GID != want.GID {
				t.Fatalf("f%03d is %+v, want %+v", i, e, want)
			}
		}
		if e := got["link"]; e.Kind != entry.Symlink || e.Target != "to" {
			t.Errorf("link is %+v", e)
		}
		equal(t, "a lookup", at(t, n, "d/f007").Attr.Perm, attrFor(7).Perm)
		equal(t, "requests of the lookup", f.took(), "")
	})
}

func TestIndexCannotLie(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		n := newTest(t, f)
		if _, err := n.Mkdir(context.Background(), n.Root(), "d", attrFor(1)); err != nil {
			t.Fatal(err)
		}
		for i := range 4 {
			commit(t, n, f, "d", fmt.Sprint("f", i), "same", attrFor(i))
		}
		mustDrain(t, n)
		time.Sleep(10 * time.Second)
		other := attrFor(40)
		f.set("d/f0", "changed", attrs.Metadata(other, entry.File), time.Now())
		f.set("d/f1", "same", attrs.Metadata(other, entry.File), time.Now()) // only the attributes
		f.set("d/new", "new", nil, time.Now())
		f.took()
		n = newTest(t, f)
		got := dirents(t, n, "d")
		for name, want := range map[string]entry.Attr{"f0": other, "f1": other, "f2": attrFor(2), "f3": attrFor(3)} {
			if e := shown(t, n, got[name]); !e.Exact || e.Attr.Perm != want.Perm || !e.Attr.Mtime.Equal(want.Mtime) {
				t.Errorf("%s is %+v, want %+v", name, e, want)
			}
		}
		equal(t, "requests", f.took(), "GET 1 HEAD 4 LIST 3") // new is listed, and nobody looks at it
		mustDrain(t, n)                                       // the rows are mended
		f.took()
		time.Sleep(time.Minute)
		n = newTest(t, f)
		equal(t, "mended", shown(t, n, dirents(t, n, "d")["f1"]).Attr.Perm, other.Perm)
		equal(t, "requests when mended", f.took(), "GET 1 HEAD 2 LIST 3")
	})
}

func TestPlainBucketGrowsNoIndex(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t, "d/a", "d/b")
		n := newTest(t, f)
		dirents(t, n, "d")
		for range 2 {
			e, err := n.Stat(context.Background(), at(t, n, "d/a"))
			if err != nil {
				t.Fatal(err)
			}
			n.Observe(e)
		}
		if err := n.UnlinkInRun(context.Background(), at(t, n, "d"), "a", at(t, n, "d/a")); err != nil {
			t.Fatal(err)
		}
		mustDrain(t, n)
		equal(t, "keys", f.keys(), []string{"d/b"})
	})
}

func TestSymlinkSurvivesCrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t, "d/a")
		n := newTest(t, f)
		if _, err := n.Mknod(context.Background(), at(t, n, "d"), "link", entry.Symlink, attrFor(1), "a"); err != nil {
			t.Fatal(err)
		}
		n.Close() // nothing is drained
		n = newTest(t, f)
		equal(t, "link after a crash", dirents(t, n, "d")["link"].Kind, entry.Symlink)
		equal(t, "lookup", at(t, n, "d/link").Kind, entry.Symlink)
	})
}

func TestIndexOfTwoMounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t, "d/x")
		one, two := newTest(t, f), newTest(t, f)
		dirents(t, one, "d")
		dirents(t, two, "d")
		commit(t, one, f, "d", "one", "1", attrFor(1))
		commit(t, two, f, "d", "two", "2", attrFor(2))
		mustDrain(t, one)
		mustDrain(t, two)
		time.Sleep(2 * time.Minute)
		n := newTest(t, f)
		f.took()
		got := dirents(t, n, "d")
		for name, i := range map[string]int{"one": 1, "two": 2} {
			if e := got[name]; !e.Exact || e.Attr.GID != uint32(i) {
				t.Errorf("%s is %+v", name, e)
			}
		}
		t.Log(f.took())
	})
}

func TestIndexFollowsDirectory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		ctx := context.Background()
		n := newTest(t, f)
		if _, err := n.Mkdir(ctx, n.Root(), "d", attrFor(1)); err != nil {
			t.Fatal(err)
		}
		if _, err := n.Mkdir(ctx, at(t, n, "d"), "s", attrFor(2)); err != nil {
			t.Fatal(err)
		}
		commit(t, n, f, "d", "f", "same", attrFor(3))
		commit(t, n, f, "d/s", "g", "same", attrFor(4))
		mustDrain(t, n)
		time.Sleep(2 * time.Minute)
		n = newTest(t, f)
		if _, err := mv(t, n, "d", "e"); err != nil {
			t.Fatal(err)
		}
		mustDrain(t, n)
		n = newTest(t, f)
		for path, i := range map[string]int{"e": 1, "e/s": 2, "e/f": 3, "e/s/g": 4} {
			dir, name := splitPath(path)
			if e := dirents(t, n, dir)[name]; e.Attr.GID != uint32(i) {
				t.Errorf("%s is listed as %+v", path, e)
			}
			if e := shown(t, n, at(t, n, path)); !e.Exact || e.Attr.GID != uint32(i) {
				t.Errorf("%s is %+v", path, e)
			}
		}
		for _, step := range []struct{ dir, name string }{{"e/s", "g"}, {"e", "s"}, {"e", "f"}, {"", "e"}} {
			d, e := at(t, n, step.dir), at(t, n, joinPath(step.dir, step.name))
			err := n.UnlinkInRun(ctx, d, step.name, e)
			if errors.Is(err, ErrIsDir) {
				err = n.RmdirInRun(ctx, d, step.name, e)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		mustDrain(t, n)
		equal(t, "left is the index of the root", len(f.keys()), 1)
	})
}

func TestWalkWithAttributes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		n := newTest(t, f)
		ctx := context.Background()
		for i := range 20 {
			d, err := n.Mkdir(ctx, n.Root(), fmt.Sprintf("d%02d", i), attrFor(i))
			if err != nil {
				t.Fatal(err)
			}
			for j := range 10 {
				s, err := n.Mkdir(ctx, d, fmt.Sprintf("s%d", j), attrFor(j))
				if err != nil {
					t.Fatal(err)
				}
				for k := range 9 {
					commit(t, n, f, fmt.Sprintf("d%02d/s%d", i, j), fmt.Sprintf("f%d", k), "same", attrFor(k))
				}
				_ = s
			}
		}
		mustDrain(t, n)
		time.Sleep(time.Hour)
		f.setDelay(20 * time.Millisecond)
		f.took()
		n = newTest(t, f)
		start := time.Now()
		seen := 0
		var visit func(path string)
		visit = func(path string) {
			got := dirents(t, n, path)
			for _, name := range slices.Sorted(maps.Keys(got)) {
				e := got[name]
				seen++
				if e.Attr.UID != 1000 || e.Kind == entry.File && !e.Exact {
					t.Errorf("%s/%s is %+v", path, name, e)
				}
				if e.Kind == entry.Directory {
					visit(joinPath(path, name))
				}
			}
		}
		visit("")
		requests := f.server.Total()
		t.Logf("walk of %d names with attributes: %v, %s", seen, time.Since(start), f.took())
		if seen != 2020 || requests > 221+10 {
			t.Errorf("walk of %d names in 221 directories took %d requests", seen, requests)
		}
	})
}
