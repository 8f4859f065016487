package fs

import (
	"context"

	"github.com/s3mount/s3mount/fs/entry"
	"github.com/s3mount/s3mount/fs/writeback"
)

// A change of attributes that does not wait for S3 is recorded in the journal before the
// program gets its answer, in each durability, so that the next mount carries it out if
// this one is killed. The record ends when S3 has the attributes, when the name is gone,
// or with a record of the content that contains them.

// noteAttrs records the attributes of n. It reports whether the journal has them.
func (f *noter) noteAttrs(n *inode) (recorded bool) {
	n.lock()
	e, sent := n.Entry(), n.sent
	etag := n.committedETag()
	n.unlock()
	noted := f.record(writeback.Change{Kind: writeback.ChangeAttr, Key: e.Key, ETag: etag},
		changeData{Kind: e.Kind, Attr: &e.Attr, Sent: sent})
	if noted == nil {
		return false
	}
	n.lock()
	before := n.takeNoted()
	if n.Owes() && n.IsLinked() {
		n.noted, noted = noted, nil
	}
	n.unlock()
	before.Done() // the new record replaces it
	noted.Done()  // S3 has them already, or the name is gone
	return true
}

// survives reports whether a content of the file survives a kill, so that a change of its
// attributes must survive, too. The inode is locked.
func (n *inode) survives() bool {
	return n.IsStored() || n.file != nil && (n.file.Recorded() || n.file.Version() != nil)
}

// committedETag returns the ETag of a file whose content is in S3. It returns "" for a
// directory, and for a file with content that waits for a commit. The inode is locked.
func (n *inode) committedETag() string {
	if n.kind != entry.File || !n.IsStored() || n.file != nil && !n.isCurrent() {
		return ""
	}
	return n.Entry().ETag
}

// takeNoted takes the record of the attributes, which S3 has, or nobody will
// want any more. The inode is locked.
func (n *inode) takeNoted() *writeback.JournaledChange {
	noted := n.noted
	n.noted = nil
	return noted
}

// attrsNoted returns the record of the attributes, or nil.
func (n *inode) attrsNoted() *writeback.JournaledChange {
	if !n.isUsed() {
		return nil
	}
	n.lock()
	defer n.unlock()
	return n.noted
}

// finishAttrs sets the recorded attributes of an object, unless it is gone or has
// another version. Another version has its own attributes, since it comes from a later
// commit or rename.
func (f *noter) finishAttrs(ctx context.Context, e entry.Entry, d changeData) error {
	noted := e.ETag
	e.ETag = ""
	now, err := f.ns.Stat(ctx, e)
	if err == nil && noted != "" && now.ETag != noted && (d.Sent == nil || !sameOnObject(now.Attr, *d.Sent)) {
		return nil
	}
	if err == nil {
		_, err = f.ns.SetAttr(ctx, now, *d.Attr)
	}
	if absent(err) {
		return nil
	}
	return err
}

// sameOnObject reports whether two sets of attributes are stored in the same way.
func sameOnObject(a, b entry.Attr) bool {
	return a.Perm == b.Perm && a.UID == b.UID && a.GID == b.GID && a.Mtime.Equal(b.Mtime) && a.Xattr == b.Xattr
}
