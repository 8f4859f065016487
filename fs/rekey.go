package fs

import (
	"strings"

	"github.com/s3mount/s3mount/fs/entry"
	"github.com/s3mount/s3mount/fs/namespace"
)

// rekey sets the new entries of the inodes that a rename has moved. A directory comes
// before its children: an inode that enters the table in the meantime is either found
// here or has a key that its directory refuses (holdsKey).
func (f *unlinker) rekey(root *inode, out namespace.RenameOutput) {
	from := root.snapshot().Key
	f.rekeyOne(root, out.Entry)
	if root.kind == entry.Directory {
		f.rekeyChildren(root, from, out)
	}
}

func (f *unlinker) rekeyChildren(dir *inode, from string, out namespace.RenameOutput) {
	for _, n := range f.inodes.childrenOf(dir) {
		e := n.snapshot()
		rest, below := strings.CutPrefix(e.Key, from)
		if !below {
			continue
		}
		to, told := out.Moved[e.ID()]
		if !told {
			to = e
			to.Key = out.Entry.Key + rest
		}
		f.rekeyOne(n, to)
		if n.kind == entry.Directory {
			f.rekeyChildren(n, from, out)
		}
	}
}

// rekeyOne sets the new entry of one inode. An inode without a name keeps its key (P7),
// so that it does not reappear.
func (f *unlinker) rekeyOne(n *inode, to entry.Entry) {
	n.lock()
	from, gone := n.Key(), !n.IsLinked()
	if !gone {
		f.moved(n, to)
	}
	n.unlock()
	if !gone && f.ns.DropPending(from, n) {
		f.showPending(n, to.Key)
	}
}

// showPending adds a file without an object to the namespace, unless it has lost its
// name or key in the meantime.
func (f *saver) showPending(n *inode, key string) {
	f.ns.AddPending(key, n)
	n.lock()
	void := !n.IsLinked() || n.Key() != key
	n.unlock()
	if void {
		f.ns.DropPending(key, n)
	}
}

// PendingEntry returns the entry of a file without an object.
func (n *inode) PendingEntry() entry.Entry { return n.snapshot() }
