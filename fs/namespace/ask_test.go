package namespace

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/s3mount/s3mount/fs/attrs"
	"github.com/s3mount/s3mount/fs/entry"
)

// askedDir makes a directory with an index that tells of one file, and count files that
// it does not tell of.
func askedDir(t *testing.T, f *fakeStore, count int) {
	t.Helper()
	n := newTest(t, f)
	commit(t, n, f, "", "own", "own", attrFor(1))
	mustDrain(t, n)
	n.Close()
	for i := range count {
		f.set(fmt.Sprintf("f%03d", i), "same", attrs.Metadata(attrFor(i), entry.File), time.Now())
	}
	time.Sleep(time.Hour)
	f.took()
}

// TestAttributesInParallel checks that a program that looks at the files of a directory
// in order gets their attributes in parallel, with one request per object.
func TestAttributesInParallel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		askedDir(t, f, 300)
		n := newTest(t, f)
		listed := dirents(t, n, "")
		equal(t, "requests of the listing", f.took(), "GET 1 LIST 2")
		f.setDelay(20 * time.Millisecond)
		start := time.Now()
		for i := range 300 {
			e := shown(t, n, listed[fmt.Sprintf("f%03d", i)])
			if i > 0 {
				e = shown(t, n, at(t, n, fmt.Sprintf("f%03d", i)))
			}
			if !e.Exact || e.Attr.GID != attrFor(i).GID {
				t.Fatalf("f%03d is %+v", i, e)
			}
		}
		if took := time.Since(start); took > 500*time.Millisecond {
			t.Errorf("300 files one after the other took %v", took)
		}
		equal(t, "requests", f.took(), "HEAD 300")
		mustDrain(t, n)
		f.took()
		n = newTest(t, f)
		for name, e := range dirents(t, n, "") {
			if !e.Exact {
				t.Errorf("the next mount does not know %s", name)
			}
		}
		equal(t, "requests of the next mount", f.took(), "GET 1 LIST 2")
	})
}

// TestAttributesOfAFew checks that a look at single files requests no other objects.
func TestAttributesOfAFew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		askedDir(t, f, 300)
		n := newTest(t, f)
		dirents(t, n, "")
		f.took()
		for _, i := range []int{7, 8, 20, 21, 250, 3, 100} {
			shown(t, n, at(t, n, fmt.Sprintf("f%03d", i)))
		}
		equal(t, "requests", f.took(), "HEAD 7")
	})
}

// TestSymlinkOfAnotherMount checks that a symlink of another mount never looks like a
// regular file, even if this mount has listed the indexes before. Regular files of the
// same age cost no request each.
func TestSymlinkOfAnotherMount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t, "d/a", "e/a")
		other := newTest(t, f)
		commit(t, other, f, "e", "own", "own", attrFor(1)) // the bucket has an index
		mustDrain(t, other)
		n := newTest(t, f)
		f.set("d/a", "young", nil, time.Now())
		dirents(t, n, "d")
		time.Sleep(2 * time.Second) // the listing is old, the catalogue is not
		for i := range 100 {
			f.set(fmt.Sprintf("d/f%02d", i), "young", nil, time.Now())
		}
		f.took()
		dirents(t, n, "d")
		if f.took(); f.total > 4 {
			t.Errorf("a listing of young files took %d requests", f.total)
		}
		if _, err := other.Mknod(context.Background(), at(t, other, "d"), "link", entry.Symlink, attrFor(7), "a"); err != nil {
			t.Fatal(err)
		}
		other.Close() // the row of the symlink is not written
		time.Sleep(2 * time.Second)
		equal(t, "kind in a lookup", at(t, n, "d/link").Kind, entry.Symlink)
		equal(t, "kind in a listing", dirents(t, n, "d")["link"].Kind, entry.Symlink)
	})
}
