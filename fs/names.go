package fs

import (
	"strings"

	"github.com/s3mount/s3mount/fs/entry"
)

// Callers of the functions in this file hold t.mu, except where they say otherwise.

// attach gives an inode without a name its name.
func (t *inodes) attach(n, dir *inode, name string) {
	n.parent, n.name = dir, name
	if dir.children == nil {
		dir.children = &children{}
	}
	dir.children.put(n)
}

// detach takes the name of an inode away and returns the directory that it was
// in, or nil.
func (t *inodes) detach(n *inode) *inode {
	dir := n.parent
	if dir != nil && dir.children.get(n.name) == n {
		dir.children.remove(n.name)
	}
	n.parent, n.name = nil, ""
	return dir
}

// vacate takes a name off the inode that has it, unless that is n.
func (t *inodes) vacate(dir *inode, name string, n *inode) {
	if old := dir.children.get(name); old != nil && old != n {
		t.detach(old)
		t.reap(old)
	}
}

// known returns the inode under a name if it is of the kind of e. An inode of
// another kind loses the name.
func (t *inodes) known(dir *inode, name string, e entry.Entry) *inode {
	n := dir.children.get(name)
	if n == nil || n.kind == e.Kind {
		return n
	}
	t.detach(n)
	return nil
}

// holdsKey reports whether a key may be in a directory. It may not if the
// directory was renamed after the key was looked up.
func (n *inode) holdsKey(key string) bool { return strings.HasPrefix(key, n.keyNow()) }

// isBelow reports whether n is dir or has a name below it.
func isBelow(n, dir *inode) bool {
	for ; n != nil; n = n.parent {
		if n == dir {
			return true
		}
	}
	return false
}

// isBelow is the function of the same name for callers that do not hold t.mu.
func (t *inodes) isBelow(n, dir *inode) bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return isBelow(n, dir)
}

// subtree returns an inode and all that have a name below it.
func (t *inodes) subtree(root *inode) []*inode {
	found := []*inode{root}
	for i := 0; i < len(found); i++ {
		for n := range found[i].children.all() {
			found = append(found, n)
		}
	}
	return found
}

// below is subtree for callers that do not hold t.mu.
func (t *inodes) below(dir *inode) []*inode {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.subtree(dir)
}

// all returns the live inodes. It takes t.mu.
func (t *inodes) all() []*inode {
	t.mu.RLock()
	defer t.mu.RUnlock()
	all := make([]*inode, 0, len(t.byID))
	for _, n := range t.byID {
		all = append(all, n)
	}
	return all
}

// pathOf returns the path of an inode below the mountpoint. For an inode without
// a name it returns "(deleted)" and the key that the inode had.
func (f *filesystem) pathOf(nodeid uint64) string {
	n := f.inodes.get(nodeid)
	if n == nil {
		return ""
	}
	var names []string
	for at := n; at != f.inodes.root; {
		dir, name := f.inodes.parentOf(at)
		if dir == nil {
			return "(deleted) " + n.snapshot().Key
		}
		names = append([]string{name}, names...)
		at = dir
	}
	return "/" + strings.Join(names, "/")
}
