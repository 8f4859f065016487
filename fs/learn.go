package fs

import (
	"strings"

	"github.com/s3mount/s3mount/fs/entry"
)

// moment orders the questions to S3 and the versions that this mount makes. An answer
// to a question from before the last own version says nothing of that version.
type moment uint64

// now returns the moment of a question that is about to be asked.
func (t *inodes) now() moment { return moment(t.clock.Load()) }

// next returns the moment of a version that this mount has just made.
func (t *inodes) next() moment { return moment(t.clock.Add(1)) }

// finder finds inodes by their names, and takes over what S3 says about them.
type finder struct {
	*services
	*teller
}

// enter returns the inode for a name that was found by a question of the moment asked,
// with one more reference of the kernel. It returns nil if the directory was renamed
// since then.
func (f *finder) enter(dir *inode, name string, e entry.Entry, asked moment) *inode {
	for {
		n := f.inodes.enter(dir, name, e)
		if n == nil || f.learn(n, e, asked) {
			return n
		}
		f.inodes.forget(n.id, 1)
	}
}

// learn takes over e, which S3 said of the name of n in answer to a question of the
// moment asked. All handles of an open inode show one version, that of its entry, so
// that the kernel's pages, the size and fstat(2) agree. If e is another version, learn
// leaves n behind with its handles and returns false: the name needs another inode.
//
// Attributes that wait for S3 keep the entry as it is until S3 has them.
func (f *finder) learn(n *inode, e entry.Entry, asked moment) bool {
	if n.is(e) {
		return true
	}
	n.lock()
	switch {
	case asked < n.madeAt, n.file != nil, n.unlinked, e.Kind != n.kind, e.Key != n.entry.Key:
	case !n.showsAnother(e):
		n.update(e)
	case !n.attrs:
		n.unlock()
		f.leaveBehind(n)
		return false
	}
	n.unlock()
	return true
}

// showsAnother reports whether open handles show another version than e. A file that
// is open for writing only, past the kernel's pages, shows none. The inode is locked.
func (n *inode) showsAnother(e entry.Entry) bool {
	if n.opens == 0 || n.kind != entry.File || n.direct && n.opens == n.writers {
		return false
	}
	return !sameVersion(n.entry, e)
}

// sameVersion reports whether two entries are of the same bytes of one object. Where
// one of them has no ETag, the size and the time decide.
func sameVersion(a, b entry.Entry) bool {
	if a.Size != b.Size {
		return false
	}
	if opaqueTag(a.ETag) == "" || opaqueTag(b.ETag) == "" {
		return a.LastModified.Unix() == b.LastModified.Unix()
	}
	return opaqueTag(a.ETag) == opaqueTag(b.ETag)
}

// opaqueTag returns an ETag without its quotes and without the mark of a weak one: some
// servers and proxies write the same ETag in a listing and in a header differently.
func opaqueTag(etag string) string { return strings.Trim(strings.TrimPrefix(etag, "W/"), `"`) }

// leaveBehind takes the name from an inode. The handles that are open keep the inode
// and its version; what they write from now on is kept aside at the last close, and
// close(2) reports ESTALE. It returns false if the inode had no name any more.
func (f *finder) leaveBehind(n *inode) bool {
	n.lock()
	taken := n.unlinked
	n.cut = !taken
	n.unlock()
	if taken {
		return false
	}
	f.gone(n)
	return true
}

// isCut reports whether the name of the inode has another inode now. The kernel may
// still believe in the name; on ESTALE it looks the name up again.
func (n *inode) isCut() bool {
	if !n.isUsed() {
		return false
	}
	n.lock()
	defer n.unlock()
	return n.cut
}
