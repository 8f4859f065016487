package fs

import (
	"context"
	"errors"
	"mime"
	"path"
	"time"

	"github.com/s3mount/s3mount/fs/attrs"
	"github.com/s3mount/s3mount/fs/entry"
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

// A commit is one sequence. No step calls one before it:
//
//	commit      takes the turn of the inode
//	commitNow   sends the bytes, with the attributes that ride on them
//	  │ a conflict ends the sequence: what was known of the key is forgotten
//	committed   gives the new version to the inode, the caches and the names
//	  │ if attributes changed after the upload began
//	attrs.add   has flushAttrs write them soon, by a copy of the object
//
// flushAttrs takes the turn, too, and sends no bytes: the attributes of a file with unsaved
// bytes ride on the next commit.

// commit returns when S3 holds the bytes that were written to n so far, with
// the attributes that ride on them.
func (f *saver) commit(ctx context.Context, n *inode) error {
	n.lock()
	idle := n.unlinked || n.file == nil || n.isCurrent() && n.file.Err() == nil
	n.unlock()
	if idle {
		return nil
	}
	return n.inTurn(ctx, func() error { return f.commitNow(ctx, n) })
}

// commitNow is commit for callers that have the inode's turn.
func (f *saver) commitNow(ctx context.Context, n *inode) error {
	n.lock()
	file, unlinked, key, object := n.file, n.unlinked, n.entry.Key, f.objectOptions(n)
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
	return n.saved && v.ETag == n.entry.ETag && v.Size == n.entry.Size
}

// takeSaved takes over the version of a file that writeback has saved by itself, because the
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

// persist returns when the bytes that were written to n so far are on the
// local disk, from where they go to S3. The release of the last handle waits
// for that, and until then the inode shows them.
func (f *saver) persist(ctx context.Context, n *inode) error {
	n.lock()
	file := n.file
	if file == nil || n.unlinked {
		n.unlock()
		return nil
	}
	object, shared := f.objectOptions(n), n.writers > 1
	n.unlock()
	file.SetObject(object)
	err := file.Persist(ctx)
	if shared {
		file.Hurry() // who knows when the other writers come to an end
	}
	return err
}

// persistInTurn is persist for callers that do not have the inode's turn: what
// persist sets going writes the object, as do a copy of it with other attributes
// and a rename. In which order S3 carries out two of them nobody could tell.
func (f *saver) persistInTurn(ctx context.Context, n *inode) error {
	return n.inTurn(ctx, func() error { return f.persist(ctx, n) })
}

// isCurrent: S3 holds the content, and the entry tells so. Under pressure
// writeback commits by itself, so the one does not follow from the other.
// The inode is locked.
func (n *inode) isCurrent() bool {
	v := n.file.Version()
	return !n.file.Dirty() && v != nil && n.saved && v.ETag == n.entry.ETag
}

// committed takes over a version that this mount has just written.
func (f *saver) committed(n *inode, v writeback.Version) {
	n.lock()
	if n.unlinked {
		n.unlock()
		return
	}
	if n.pages == n.entry.ETag || !n.saved {
		n.pages = v.ETag // the kernel's pages have seen every write
	}
	n.entry.ETag, n.entry.Size, n.entry.VersionID = v.ETag, v.Size, v.VersionID
	n.entry.LastModified = firstTime(v.Date, time.Now())
	n.entry.Exact, n.saved = true, true
	n.epoch++
	n.madeAt = f.inodes.next()
	if f.o.OpenTTL > 0 {
		n.checked = time.Now()
	}
	n.attrs = n.owesAttrs(v)
	e, owes := n.entry, n.attrs
	var noted *writeback.JournaledChange
	if !owes {
		noted = n.takeNoted()
	}
	n.unlock()
	noted.Done()
	// Never under n.mu: the namespace asks pending files for their state.
	f.permits.wrote(e.Key)
	f.ns.Committed(e)
	f.ns.Remember(e, v.Object)
	f.ns.DropPending(e.Key, n)
	if owes {
		f.attrs.add(n)
	}
}

// owesAttrs tells whether the inode has attributes that the version v does not
// carry. An upload that ran while the file was written carries those of its
// start. The times that writing itself set are then moved back to what it
// carries: to write them would cost a copy of a large object. The inode is locked.
func (n *inode) owesAttrs(v writeback.Version) bool {
	_, carried, ok := attrs.FromMetadata(v.Object.Metadata, n.entry.Attr, v.Date)
	if !ok {
		return false // attributes are not kept in this mount
	}
	if !n.timesSet && n.file != nil && !n.file.Dirty() {
		n.entry.Attr.Mtime, n.entry.Attr.Ctime = carried.Mtime, carried.Ctime
	}
	a := n.entry.Attr
	return a.Perm != carried.Perm || a.UID != carried.UID || a.GID != carried.GID || !a.Mtime.Equal(carried.Mtime) ||
		a.Xattr != carried.Xattr
}

// objectOptions are what a PUT of the inode carries beside the bytes; the inode is
// held.
func (f *saver) objectOptions(n *inode) s3.ObjectOptions {
	o := n.carried()
	if o.ContentType == "" {
		o.ContentType = contentType(n.entry.Key)
	}
	if f.o.Posix != string(namespace.PosixOff) {
		o.Metadata = attrs.MergeMetadata(n.entry.Attr, n.kind, o.Metadata)
	}
	return o
}

// carried returns what other tools gave the object beside its bytes, as far as it is
// known. The inode is locked.
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

// contentType guesses by the name's ending, as web servers do; browsers then
// show what is served straight from the bucket.
func contentType(key string) string {
	if t := mime.TypeByExtension(path.Ext(key)); t != "" {
		return t
	}
	return "application/octet-stream"
}

// moved takes over a version that holds the same bytes as the one before: a
// copy by this mount under another key, or with other attributes. The inode is locked.
func (f *saver) moved(n *inode, to entry.Entry) {
	from := versionOf(n.entry)
	if n.kind == entry.File {
		dest := versionOf(to)
		f.reads.Move(from, dest)
		if n.file != nil {
			n.file.Rebase(writeback.Version{Key: to.Key, ETag: to.ETag, Size: to.Size, VersionID: to.VersionID, Date: to.LastModified},
				f.reads.OpenVersion(dest))
		}
		if n.pages == from.ETag {
			n.pages = to.ETag
		}
	}
	attr, target, unsaved := n.entry.Attr, n.entry.Target, n.attrs
	n.entry, n.saved, n.madeAt = to, true, f.inodes.next()
	if unsaved {
		n.entry.Attr = attr
	}
	if to.Target == "" {
		n.entry.Target = target
	}
}
