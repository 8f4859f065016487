package fs

import (
	"testing"

	"github.com/s3mount/s3mount/fs/entry"
)

// check holds the table to its invariants.
func (t *inodes) check(tb testing.TB) {
	tb.Helper()
	for id, n := range t.byID {
		switch {
		case n.id != id:
			tb.Errorf("inode %d stands under %d", n.id, id)
		case n != t.root && n.nlookup == 0 && n.pinned == 0 && n.children.len() == 0:
			tb.Errorf("nothing refers to %q", n.Key())
		case n.parent != nil && n.parent.children.get(n.name) != n:
			tb.Errorf("%q is not the child that its parent knows", n.Key())
		}
		for c := range n.children.all() {
			if c.parent != n || t.byID[c.id] != c {
				tb.Errorf("child %q of %q is not linked back", c.name, n.Key())
			}
		}
	}
}

func fileEntry(key string) entry.Entry {
	return entry.Entry{Key: key, Kind: entry.File, ETag: `"1"`}
}

func dirEntry(key string) entry.Entry {
	return entry.Entry{Key: key, Kind: entry.Directory}
}

func TestInodesLiveWhileReferred(t *testing.T) {
	tab := newInodes(dirEntry(""))
	d := tab.enter(tab.root, "d", dirEntry("d/"))
	a := tab.enter(d, "a", fileEntry("d/a"))
	if again := tab.enter(d, "a", fileEntry("d/a")); again != a || a.nlookup != 2 {
		t.Fatalf("a second lookup gave %p with %d references, want %p with 2", again, again.nlookup, a)
	}
	tab.forget(d.id, 1)
	tab.check(t)
	if tab.get(d.id) == nil {
		t.Error("a directory with a live child was dropped")
	}
	tab.pin(a)
	tab.forget(a.id, 2)
	if tab.get(a.id) == nil {
		t.Error("a pinned inode was dropped")
	}
	tab.unpin(a)
	tab.check(t)
	if tab.get(a.id) != nil || tab.get(d.id) != nil {
		t.Error("inodes that nobody refers to are still there")
	}
}

func TestInodesNumbers(t *testing.T) {
	tab := newInodes(dirEntry(""))
	a := tab.enter(tab.root, "a", fileEntry("a"))
	first := a.id
	tab.forget(a.id, 1)
	a = tab.enter(tab.root, "a", fileEntry("a"))
	if a.id != first {
		t.Errorf("st_ino %d after the inode was forgotten, %d before", a.id, first)
	}
	tab.move(a, tab.root, "b")
	if a.id != first {
		t.Error("st_ino changed with a rename")
	}
	other := tab.enter(tab.root, "a", fileEntry("a"))
	if other == a || other.id == a.id {
		t.Error("a new file under an old name shares the inode of the one renamed away")
	}
	tab.check(t)
}

func TestInodesAnotherKindIsAnotherInode(t *testing.T) {
	tab := newInodes(dirEntry(""))
	f := tab.enter(tab.root, "x", fileEntry("x"))
	d := tab.enter(tab.root, "x", dirEntry("x/"))
	if f == d {
		t.Fatal("a directory got the inode of a file")
	}
	if dir, _ := tab.parentOf(f); dir != nil {
		t.Error("the old inode still has the name")
	}
	tab.check(t)
}

func TestInodesRemoveAndMove(t *testing.T) {
	tab := newInodes(dirEntry(""))
	a := tab.enter(tab.root, "a", fileEntry("a"))
	b := tab.enter(tab.root, "b", fileEntry("b"))
	tab.move(a, tab.root, "b")
	if tab.root.children.get("b") != a || tab.root.children.get("a") != nil || b.parent != nil {
		t.Error("the inode that moved is not the only one that has the name")
	}
	tab.remove(a)
	tab.check(t)
	if tab.root.children.len() != 0 {
		t.Error("names are left after remove")
	}
	tab.forget(a.id, 1)
	tab.forget(b.id, 1)
	tab.check(t)
	if len(tab.byID) != 1 {
		t.Errorf("%d inodes are left beside the root", len(tab.byID)-1)
	}
}
