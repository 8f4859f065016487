package fs

import "github.com/s3mount/s3mount/fs/namespace"

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
