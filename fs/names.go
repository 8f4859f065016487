package fs

import (
	"maps"
	"slices"

	"github.com/s3mount/s3mount/fs/namespace"
)

// dentry is a name in a directory.
type dentry struct {
	dir  *inode
	name string
}

// attach gives an inode a name. t.mu is held, as by all that follows but where
// it is said.
func (t *inodes) attach(n, dir *inode, name string) {
	if n.parent == nil {
		n.parent, n.name = dir, name
	} else if n.parent != dir || n.name != name {
		n.more = append(n.more, dentry{dir, name})
	}
	dir.children[name] = n
}

// detach takes all names of an inode away and returns the directories.
func (t *inodes) detach(n *inode) []*inode {
	var dirs []*inode
	for n.parent != nil {
		dirs = append(dirs, n.parent)
		t.drop(n, n.parent, n.name)
	}
	return dirs
}

// drop takes one name of an inode away.
func (t *inodes) drop(n, dir *inode, name string) {
	if dir.children[name] == n {
		delete(dir.children, name)
	}
	for i, d := range n.more {
		if d.dir == dir && d.name == name {
			n.more = append(n.more[:i:i], n.more[i+1:]...)
			return
		}
	}
	if n.parent != dir || n.name != name {
		return
	}
	n.parent, n.name = nil, ""
	if len(n.more) > 0 {
		n.parent, n.name = n.more[0].dir, n.more[0].name
		n.more = append([]dentry(nil), n.more[1:]...)
	}
	if len(n.more) == 0 {
		n.more = nil
	}
}

// unname is drop for callers that do not hold t.mu.
func (t *inodes) unname(n, dir *inode, name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.drop(n, dir, name)
	t.reap(n)
	t.reap(dir)
}

// names returns all names of an inode that the kernel knows. It takes t.mu.
func (t *inodes) names(n *inode) []dentry {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if n.parent == nil {
		return nil
	}
	return append([]dentry{{n.parent, n.name}}, n.more...)
}

// join gives an inode a name that was linked, and the kernel one more reference
// of it. It takes t.mu.
func (t *inodes) join(n *inode, id string, dir *inode, name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if old := dir.children[name]; old != nil && old != n {
		t.drop(old, dir, name)
		t.reap(old)
	}
	t.group(n, id)
	t.attach(n, dir, name)
	n.nlookup++
}

// group notes that an inode is that of a group.
func (t *inodes) group(n *inode, id string) {
	if t.byLink[id] == nil {
		n.link = id
		t.byLink[id] = n
	}
}

// single ends group. It takes t.mu.
func (t *inodes) single(n *inode, id string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ungroup(n)
}

func (t *inodes) ungroup(n *inode) {
	if n.link != "" && t.byLink[n.link] == n {
		delete(t.byLink, n.link)
	}
	n.link = ""
}

// known returns the inode that a name with the entry e is of, or nil. A name
// that turns out to be one of several joins their inode, and one that is no
// longer of that file loses it.
func (t *inodes) known(dir *inode, name string, e namespace.Entry) *inode {
	n := dir.children[name]
	if e.Link != nil {
		if g := t.byLink[e.Link.ID]; g != nil && namespace.SameFile(e, g.snapshot()) {
			if n != g {
				t.replaced(n, dir, name)
				t.attach(g, dir, name)
			}
			return g
		}
	}
	switch {
	case n == nil:
		return nil
	case n.kind == e.Kind && (n.link == "" || !e.Exact):
		if e.Link != nil && n.link == "" && n.adopts(e) {
			t.group(n, e.Link.ID)
		}
		return n
	case n.kind == e.Kind && len(n.more) == 0 && n.adopts(e):
		t.ungroup(n) // what S3 has under its only name is no name of the group, or of another
		if e.Link != nil {
			t.group(n, e.Link.ID)
		}
		return n
	}
	t.replaced(n, dir, name)
	return nil
}

// replaced takes a name off the inode that had it.
func (t *inodes) replaced(n, dir *inode, name string) {
	if n != nil {
		t.drop(n, dir, name)
	}
}

// adopts tells whether an inode takes over what S3 tells of its name: it has
// nothing that was built on something else.
func (n *inode) adopts(e namespace.Entry) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.file == nil && !n.unlinked && e.Kind == n.kind && (n.entry.Key == e.Key || n.link == "")
}

// grouped returns the live inodes that have several names. It takes t.mu.
func (t *inodes) grouped() []*inode {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return slices.Collect(maps.Values(t.byLink))
}
