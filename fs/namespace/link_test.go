package namespace

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// linked makes a group of the names of a file "a" with the given further names.
func linked(t *testing.T, n *Namespace, names ...string) Entry {
	t.Helper()
	ctx := context.Background()
	e, err := n.Lookup(ctx, n.Root(), "a")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		out, err := n.Link(ctx, e, n.Root(), name)
		if err != nil {
			t.Fatal(err)
		}
		e = out.Old
	}
	return e
}

func TestIndexRowOfLink(t *testing.T) {
	plain := attrRow{kind: File, etag: `"x"`, size: 3, mod: 5}
	bare := len(encodeIndex("", map[string]attrRow{"f": plain}))
	for _, l := range []*Link{{ID: "A", Gen: 1, Count: 2}, {ID: "ABCDEFGHIJKLMNOPQRSTUVWXYZ", Gen: 1 << 63, Count: MaxLinks}} {
		for _, xattr := range []string{"", "%7B%7D"} {
			row := plain
			row.link, row.xattr = l, xattr
			_, rows, err := decodeIndex(encodeIndex("", map[string]attrRow{"f": row, "g": plain}))
			if err != nil {
				t.Fatal(err)
			}
			got := rows["f"]
			if got.link == nil || *got.link != *l || got.xattr != xattr {
				t.Errorf("%+v came back as %+v", row, got)
			}
			if rows["g"].link != nil {
				t.Error("the row after it has a link, too")
			}
		}
	}
	if again := len(encodeIndex("", map[string]attrRow{"f": plain})); again != bare || bare != 46 {
		t.Errorf("the row of a file with one name makes an index of %d bytes, 46 before there were links", bare)
	}
}

func TestLinkTokens(t *testing.T) {
	for _, token := range []string{"", "/", "A", "A/", "/1", "A/x", "a b/1", "../1", "A/-1", "A/1/2"} {
		if l := parseLink(token); l != nil {
			t.Errorf("%q is read as %+v", token, l)
		}
	}
	l := &Link{ID: "ABC", Gen: 7}
	if got := parseLink(l.token()); got == nil || *got != *l {
		t.Errorf("%+v is read back as %+v", l, got)
	}
}

// What a listing after a remount tells costs no request per linked file.
func TestLinksAreListed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t, "a")
		n := newTest(t, f)
		linked(t, n, "x", "y")
		mustDrain(t, n)
		n.Close()

		n = newTest(t, f)
		f.took()
		l := n.OpenDir(n.Root())
		counts := map[string]int{}
		for {
			d, ok, err := l.Next(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				break
			}
			if d.Partial {
				t.Errorf("%s is listed without its attributes", d.Name)
			}
			if d.Entry.Link != nil {
				counts[d.Name] = d.Entry.Link.Count
			}
		}
		if got := fmt.Sprint(counts); got != "map[a:3 x:3 y:3]" {
			t.Errorf("numbers of links: %s", got)
		}
		equal(t, "requests of a listing", f.took(), "GET 1 LIST 2")
	})
}

func TestTooManyLinks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t, "a")
		n := newTest(t, f)
		e := linked(t, n, "b")
		_, err := n.editLinks(context.Background(), e.Link.ID, false, func(keys []string) ([]string, error) {
			for i := len(keys); i < MaxLinks; i++ {
				keys = append(keys, fmt.Sprint("other", i))
			}
			return keys, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := n.Link(context.Background(), e, n.Root(), "c"); !errors.Is(err, ErrTooManyLinks) {
			t.Errorf("link past the limit: %v", err)
		}
		if keys := n.KnownLinks(e.Link.ID); len(keys) != MaxLinks {
			t.Errorf("%d names after a link that was refused", len(keys))
		}
	})
}

// Two mounts add names to one group: neither loses the other's.
func TestLinksOfTwoMounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t, "a")
		one, two := newTest(t, f), newTest(t, f)
		e := linked(t, one, "b")
		ctx := context.Background()
		seen, err := two.Lookup(ctx, two.Root(), "b")
		if err != nil || seen.Link == nil || seen.Link.Count != 2 {
			t.Fatalf("the other mount sees %+v, %v", seen.Link, err)
		}
		if _, err := one.Link(ctx, e, one.Root(), "c"); err != nil {
			t.Fatal(err)
		}
		if _, err := two.Link(ctx, seen, two.Root(), "d"); err != nil {
			t.Fatal(err)
		}
		g, err := one.readLinks(ctx, e.Link.ID)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "names", fmt.Sprint(g.Keys), "[a b c d]")
	})
}

// The number of names is right in the index of another directory, too.
func TestLinkCountsInOtherIndexes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t, "a", "d/", "e/")
		n := newTest(t, f)
		ctx := context.Background()
		d, err := n.Lookup(ctx, n.Root(), "d")
		if err != nil {
			t.Fatal(err)
		}
		e := linked(t, n, "b")
		out, err := n.Link(ctx, e, d, "c")
		if err != nil {
			t.Fatal(err)
		}
		mustDrain(t, n)
		time.Sleep(2 * indexIdle)
		if err := n.Unlink(ctx, n.Root(), "b", Entry{Key: "b", Link: out.Old.Link}); err != nil {
			t.Fatal(err)
		}
		mustDrain(t, n)
		n.Close()
		n = newTest(t, f)
		x, err := n.readIndex(ctx, "d/")
		if err != nil {
			t.Fatal(err)
		}
		if l := x.rows["c"].link; l == nil || l.Count != 2 {
			t.Errorf("the index of another directory tells %+v", l)
		}
	})
}
