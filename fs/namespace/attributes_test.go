package namespace

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/s3mount/s3mount/fs/entry"
)

func full(dir string) func(*Options) {
	return func(o *Options) { o.Posix, o.AttrDir = PosixFull, dir }
}

// TestFullRemembers checks that the attributes of objects of another tool cost one HEAD
// each, and none after a remount unless the object has changed.
func TestFullRemembers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		for i := range 50 {
			meta := map[string]string{"mode": fmt.Sprint(0o100600 + i%8), "uid": fmt.Sprint(i)}
			f.set(fmt.Sprintf("d/f%02d", i), "x", meta, time.Now().Add(-time.Hour))
		}
		f.set("d/new", "x", map[string]string{"uid": "7"}, time.Now().Add(-time.Minute))
		dir := t.TempDir()
		n := newTest(t, f, full(dir))
		dirents(t, n, "d")
		equal(t, "requests of the first listing", f.took(), "HEAD 52 LIST 3")
		n.Close()

		f.set("d/f09", "y", map[string]string{"uid": "99"}, time.Now().Add(-time.Hour))
		n = newTest(t, f, full(dir))
		got := dirents(t, n, "d")
		equal(t, "requests after a remount: the object that changed, and the young one", f.took(), "HEAD 3 LIST 3")
		for i := range 50 {
			e := got[fmt.Sprintf("f%02d", i)]
			want := uint32(i)
			if i == 9 {
				want = 99
			}
			if !e.Exact || e.Attr.UID != want {
				t.Errorf("f%02d is %+v", i, e.Attr)
			}
		}
		n.Close()

		n = newTest(t, f, full(dir))
		defer n.Close()
		d := at(t, n, "d")
		f.took()
		e, err := n.completeEntry(context.Background(), entry.Entry{
			Key: d.Key + "f01", Size: 1, ETag: got["f01"].ETag, LastModified: got["f01"].LastModified,
		})
		if err != nil || e.Attr.UID != 1 {
			t.Errorf("by name: %+v, %v", e, err)
		}
		equal(t, "requests for one that a listing told of: which directories have an index", f.took(), "LIST 1")
	})
}

// TestLocalAttrsMayVanish checks that a damaged or missing file costs only requests.
func TestLocalAttrsMayVanish(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		f.set("d/f", "x", map[string]string{"uid": "5"}, time.Now().Add(-time.Hour))
		dir := t.TempDir()
		n := newTest(t, f, full(dir))
		dirents(t, n, "d")
		n.Close()
		for _, spoil := range []func(string) error{
			os.Remove, func(p string) error { return os.WriteFile(p, []byte("nothing of ours"), 0o600) },
		} {
			files, err := filepath.Glob(filepath.Join(dir, "*"+".attrs"))
			if err != nil || len(files) != 1 {
				t.Fatalf("files %q, %v", files, err)
			}
			if err := spoil(files[0]); err != nil {
				t.Fatal(err)
			}
			n := newTest(t, f, full(dir))
			if e := dirents(t, n, "d")["f"]; e.Attr.UID != 5 {
				t.Errorf("the file is %+v", e)
			}
			n.Close()
		}
	})
}
