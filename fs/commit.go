package fs

import (
	"context"
	"errors"
	"mime"
	"path"
	"time"

	"github.com/s3mount/s3mount/fs/attrs"
	"github.com/s3mount/s3mount/fs/entry"
	ino "github.com/s3mount/s3mount/fs/inode"
	"github.com/s3mount/s3mount/fs/namespace"
	"github.com/s3mount/s3mount/fs/writeback"
	"github.com/s3mount/s3mount/s3"
)

// saver brings to S3 what an inode has unsaved: the bytes, and then the attributes that no
// bytes have carried.
type saver struct {
	*services
	*teller
	*noter
	attrs *attrQueue
}

// the cached entry is wrong

// commit returns when S3 has the data that were written to n so far, and the attributes
// that they carry.
func (f *saver) commit(ctx context.Context, n *inode) error {
	n.lock()
	idle := !n.IsLinked() || n.file == nil || n.isCurrent() && n.file.Err() == nil
	n.unlock()
	if idle {
		return nil
	}
	return n.inTurn(ctx, func() error { return f.commitNow(ctx, n) })
}

// commitNow is commit for callers that have the turn of the inode.
func (f *saver) commitNow(ctx context.Context, n *inode) error {
	n.lock()
	file, unlinked, key, object := n.file, !n.IsLinked(), n.Key(), f.objectOptions(n)
	n.unlock()
	if unlinked || file == nil {
		return nil
	}
	file.SetObject(object)
	sends := file.Dirty()
	v, err := file.Commit(ctx)
	switch {
	case errors.Is(err, writeback.ErrConflict), errors.Is(err, writeback.ErrKept):
		n.lock()
		n.conflict = true
		n.unlock()
		f.ns.Invalidate(key)
		return err
	case err != nil:
		return err
	case sends || !n.holds(v): // the same bytes once more are a version with other times
		f.committed(n, v)
	}
	return nil
}

// holds reports whether the inode shows a version as what S3 has.
func (n *inode) holds(v writeback.Version) bool {
	n.lock()
	defer n.unlock()
	return n.IsStored() && v.ETag == n.Entry().ETag && v.Size == n.Entry().Size
}

// takeSaved updates the inode with a version that writeback has committed because the
// spool was full.
func (f *saver) takeSaved(n *inode) {
	n.lock()
	var v *writeback.Version
	if n.file != nil && !n.isCurrent() {
		v = n.file.Saved()
	}
	n.unlock()
	if v != nil {
		f.committed(n, *v)
	}
}

// persist returns when the data that were written to n so far are in the journal. They
// are uploaded later. The release of the last handle waits for the upload, and the
// inode shows the data until then.
func (f *saver) persist(ctx context.Context, n *inode) error {
	n.lock()
	file := n.file
	if file == nil || !n.IsLinked() {
		n.unlock()
		return nil
	}
	object, shared, noted := f.objectOptions(n), n.writers > 1, n.noted
	n.unlock()
	file.SetObject(object)
	file.Contain(noted)
	err := file.Persist(ctx)
	if shared {
		file.Hurry() // the other writers may stay open for long
	}
	return err
}

// persistInTurn is persist for callers that do not have the turn of the inode. The
// upload that persist starts writes the object, like a copy with other attributes and a
// rename. The turn keeps them in order.
func (f *saver) persistInTurn(ctx context.Context, n *inode) error {
	return n.inTurn(ctx, func() error { return f.persist(ctx, n) })
}

// isCurrent reports whether S3 has the content and the entry describes it. Both are
// necessary, because writeback commits by itself under memory pressure. The inode is
// locked.
func (n *inode) isCurrent() bool {
	v := n.file.Version()
	return !n.file.Dirty() && v != nil && n.IsStored() && v.ETag == n.Entry().ETag
}

// committed updates the inode with a version that this mount has just written.
func (f *saver) committed(n *inode, v writeback.Version) {
	n.lock()
	e := n.Entry()
	e.ETag, e.Size, e.VersionID = v.ETag, v.Size, v.VersionID
	e.LastModified = firstTime(v.Date, time.Now())
	if n.Learn(ino.Committed, e, ino.Situation{At: f.inodes.next()}) != ino.Taken {
		n.unlock()
		return
	}
	if f.o.OpenTTL > 0 {
		n.checked = time.Now()
	}
	n.carriedBy(v)
	e = n.Entry()
	owes := n.Owes()
	var noted *writeback.JournaledChange
	if !owes {
		noted = n.takeNoted()
	}
	n.unlock()
	noted.Done()
	// The inode must not be locked, because the namespace asks pending files for their
	// state.
	f.permits.wrote(e.Key)
	f.ns.Committed(e)
	f.ns.Remember(e, v.Object)
	f.ns.DropPending(e.Key, n)
	if owes {
		f.attrs.add(n)
	}
}

// carriedBy records the attributes that the version v carries. An upload that ran
// during writes carries the attributes of its start. The inode is locked.
func (n *inode) carriedBy(v writeback.Version) {
	_, carried, ok := attrs.FromMetadata(v.Object.Metadata, n.Entry().Attr, v.Date)
	if !ok {
		n.Settle() // this mount does not store attributes
		return
	}
	n.Carried(carried, n.file == nil || n.file.Dirty())
}

// objectOptions returns the properties that a PUT of the inode carries. The inode is
// locked.
func (f *saver) objectOptions(n *inode) s3.ObjectOptions {
	o := n.carried()
	if o.ContentType == "" {
		o.ContentType = contentType(n.Key())
	}
	if f.o.Posix != string(namespace.PosixOff) {
		o.Metadata = attrs.MergeMetadata(n.Entry().Attr, n.kind, o.Metadata)
	}
	return o
}

// carried returns the known properties that other tools gave the object. The inode is
// locked.
func (n *inode) carried() s3.ObjectOptions {
	if n.foreign == nil {
		return s3.ObjectOptions{}
	}
	return *n.foreign
}

// foreignOptions returns the properties that other tools gave an object. A rewrite of a
// part of the object keeps them.
func foreignOptions(info *s3.ObjectInfo) *s3.ObjectOptions {
	o := info.Options()
	return &o
}

// contentType returns the media type for the extension of a key, as web servers do, so
// that browsers can show objects directly from the bucket.
func contentType(key string) string {
	if t := mime.TypeByExtension(path.Ext(key)); t != "" {
		return t
	}
	return "application/octet-stream"
}

// moved updates the inode with a version that has the same bytes: a copy under another
// key, or with other attributes. The inode is locked.
func (f *saver) moved(n *inode, to entry.Entry) {
	from := versionOf(n.Entry())
	if n.Learn(ino.Copied, to, ino.Situation{At: f.inodes.next()}) != ino.Taken || n.kind != entry.File {
		return
	}
	dest := versionOf(to)
	f.reads.Move(from, dest)
	if n.file != nil {
		n.file.Rebase(writeback.Version{Key: to.Key, ETag: to.ETag, Size: to.Size, VersionID: to.VersionID, Date: to.LastModified},
			f.reads.OpenVersion(dest))
	}
}
