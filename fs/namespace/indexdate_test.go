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

// Servers that make the Date of their answers once a second tell one that may
// lie a second before the Last-Modified of what was written.
func TestIndexBesideLateDate(t *testing.T) {
	for _, lag := range []time.Duration{0, 100 * time.Millisecond, 900 * time.Millisecond, time.Second} {
		t.Run(lag.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake(t)
				f.lag = lag
				n := newTest(t, f)
				if _, err := n.Mkdir(context.Background(), n.Root(), "d", attrFor(1)); err != nil {
					t.Fatal(err)
				}
				for i := range 50 {
					commit(t, n, f, "d", fmt.Sprintf("f%03d", i), "same", attrFor(i))
					time.Sleep(77 * time.Millisecond)
				}
				mustDrain(t, n)
				f.took()
				n = newTest(t, f)
				for name, e := range dirents(t, n, "d") {
					if !e.Exact || e.Attr.UID != 1000 {
						t.Errorf("%s is %+v", name, e)
					}
				}
				equal(t, "requests of a cold listing", f.took(), "GET 1 HEAD 2 LIST 3")
			})
		})
	}
}

// A row is not believed where another writer, or this one before it died, may
// have changed the attributes after the index was written.
func TestIndexOlderThanChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		n := newTest(t, f)
		if _, err := n.Mkdir(context.Background(), n.Root(), "d", attrFor(1)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
		commit(t, n, f, "d", "f", "same", attrFor(3))
		mustDrain(t, n)
		other := attrFor(40)
		f.set("d/f", "same", attrs.Metadata(other, entry.File), time.Now()) // a second after the first, and as soon as the index
		time.Sleep(time.Second)
		commit(t, n, f, "d", "g", "more", attrFor(4)) // the row of f is written once more
		mustDrain(t, n)
		n.Close()
		n = newTest(t, f)
		equal(t, "f", shown(t, n, dirents(t, n, "d")["f"]).Attr.Perm, other.Perm)
		mustDrain(t, n) // the row is mended
		f.took()
		n = newTest(t, f)
		equal(t, "f after mending", shown(t, n, dirents(t, n, "d")["f"]).Attr.Perm, other.Perm)
		equal(t, "requests after mending", f.took(), "GET 1 HEAD 2 LIST 3")
	})
}

// The row of a mount whose write is older than that of another does not go
// over the other's.
func TestIndexKeepsNewerRow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t, "d/x")
		one, two := newTest(t, f), newTest(t, f)
		commit(t, one, f, "d", "f", "same", attrFor(1))
		time.Sleep(500 * time.Millisecond) // within the second that no Last-Modified tells apart
		commit(t, one, f, "d", "g", "same", attrFor(1))
		time.Sleep(7 * time.Second) // the index is written
		two.Invalidate("d/f")
		commit(t, two, f, "d", "f", "same", attrFor(2))
		older := entry.Entry{Key: "d/f", Size: 4, ETag: at(t, two, "d/f").ETag, LastModified: time.Now().Add(-5 * time.Second), Attr: attrFor(1), Exact: true}
		one.index.Note(entry.Change{Entry: older, Own: true})
		mustDrain(t, two)
		mustDrain(t, one)
		n := newTest(t, f)
		equal(t, "f", dirents(t, n, "d")["f"].Attr.GID, attrFor(2).GID)
	})
}
