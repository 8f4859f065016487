package fs

import (
	"time"

	"github.com/s3mount/s3mount/fs/entry"
	ino "github.com/s3mount/s3mount/fs/inode"
)

// now returns the moment of a request that is about to be sent.
func (t *inodes) now() ino.Moment { return ino.Moment(t.clock.Load()) }

// next returns the moment of a version that this mount has just made.
func (t *inodes) next() ino.Moment { return ino.Moment(t.clock.Add(1)) }

// finder finds inodes by their names, and updates them from S3.
type finder struct {
	*services
	*teller
}

// enter returns the inode of a name that a request of the moment asked has found, and
// adds a reference of the kernel. It returns nil if the directory was renamed since.
func (f *finder) enter(dir *inode, name string, e entry.Entry, asked ino.Moment) *inode {
	for {
		n := f.inodes.enter(dir, name, e)
		if n == nil || f.learn(n, e, asked) {
			return n
		}
		f.inodes.forget(n.id, 1)
	}
}

// learn updates n with e, the answer for its name to a request of the moment asked. All
// handles of an open inode show one version, the version of its entry, so that the page
// cache, the size and fstat(2) agree. If e is another version, learn leaves n behind
// with its handles and returns false: the name needs another inode.
//
// While attributes wait for S3, learn does not change the entry.
func (f *finder) learn(n *inode, e entry.Entry, asked ino.Moment) bool {
	if n.is(e) {
		return true
	}
	n.lock()
	was := n.Entry()
	verdict := n.Learn(ino.Seen, e, ino.Situation{
		At: asked, Unsaved: n.file != nil, Shows: n.showsVersion(), Believed: n.told.keep,
	})
	if !ino.SameVersion(was, n.Entry()) {
		n.checked = time.Time{}
	}
	n.unlock()
	if verdict == ino.Another {
		f.leaveBehind(n)
		return false
	}
	return true
}

// showsVersion reports whether open handles show the version of the entry. A file that
// is open for writing only, past the kernel's pages, shows none. The inode is locked.
func (n *inode) showsVersion() bool {
	return n.opens > 0 && n.kind == entry.File && !(n.direct && n.opens == n.writers)
}

// leaveBehind removes the name from an inode. Open handles keep the inode and its
// version. Data that are written from now on are saved locally at the last close, and
// close(2) returns ESTALE. leaveBehind returns false if the inode had no name.
func (f *finder) leaveBehind(n *inode) bool {
	n.lock()
	had := n.Cut()
	n.unlock()
	if had {
		f.gone(n)
	}
	return had
}

// isCut reports whether the name of the inode belongs to another inode now. The kernel
// may still have the name. After ESTALE it looks the name up again.
func (n *inode) isCut() bool {
	if !n.isUsed() {
		return false
	}
	n.lock()
	defer n.unlock()
	return n.IsCut()
}
