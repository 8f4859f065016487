package fs

import (
	"strings"

	"github.com/s3mount/s3mount/fs/namespace"
)

// attach gives an inode without a name its name. t.mu is held, as by the
// functions that follow.
func (t *inodes) attach(n, dir *inode, name string) {
	n.parent, n.name = dir, name
	dir.children[name] = n
}

// detach takes the name of an inode away and returns the directory that it was
// in, or nil.
func (t *inodes) detach(n *inode) *inode {
	dir := n.parent
	if dir != nil && dir.children[n.name] == n {
		delete(dir.children, n.name)
	}
	n.parent, n.name = nil, ""
	return dir
}

// vacate takes a name off the inode that has it, unless that is n.
func (t *inodes) vacate(dir *inode, name string, n *inode) {
	if old := dir.children[name]; old != nil && old != n {
		t.detach(old)
		t.reap(old)
	}
}

// known returns the inode under a name if it is of the kind of e. An inode of
// another kind loses the name.
func (t *inodes) known(dir *inode, name string, e namespace.Entry) *inode {
	n := dir.children[name]
	if n == nil || n.kind == e.Kind {
		return n
	}
	t.detach(n)
	return nil
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
