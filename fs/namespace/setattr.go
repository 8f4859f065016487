package namespace

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/s3mount/s3mount/fs/attrs"
	"github.com/s3mount/s3mount/s3"
)

// SetAttr stores the attributes of an entry: for an object by a copy onto
// itself that keeps everything else, for a directory in its marker, which is
// written if there is none. The error is ErrStale if the object is no longer
// the version of e.
func (n *Namespace) SetAttr(ctx context.Context, e Entry, a Attr) (Entry, error) {
	_, stem := n.keys.Stem(e)
	switch {
	case e.Kind == Directory && e.Key == "":
		e.Attr, e.Exact = a, true // the root of a bucket has no key: kept for the life of the mount
		n.mu.Lock()
		n.root = e
		n.mu.Unlock()
		return e, nil
	case n.o.Posix == PosixOff, stem != "" && e.Kind == Directory:
		e.Attr = a
		return e, nil
	case e.Kind == Directory:
		return n.setDirAttr(ctx, e, a)
	}
	return n.rewrite(ctx, e, func(Attr) Attr { return a })
}

// rewrite gives the object of an entry the attributes that change makes of
// those it has.
func (n *Namespace) rewrite(ctx context.Context, e Entry, change func(Attr) Attr) (Entry, error) {
	r, ok := n.recall(e)
	if !ok {
		info, err := n.store.Head(ctx, &s3.HeadInput{Bucket: n.o.Bucket, Key: e.Key})
		if err != nil {
			return Entry{}, fmt.Errorf("set attributes of %q: %w", e.Key, err)
		}
		if e.ETag != "" && info.ETag != e.ETag {
			return Entry{}, fmt.Errorf("set attributes of %q: %w", e.Key, ErrStale)
		}
		r = remembered{etag: info.ETag, size: info.Size, o: info.Options()}
	}
	had := n.FromInfo(&s3.ObjectInfo{Key: e.Key, Size: r.size, LastModified: e.LastModified, Metadata: r.o.Metadata}).Attr
	a := change(had)
	if !e.Exact {
		a.Xattr = had.Xattr // never read, so nothing of it was changed
	}
	r.o.Metadata = attrs.MergeMetadata(a, e.Kind, r.o.Metadata)
	in := &s3.CopyInput{
		SrcBucket: n.o.Bucket, SrcKey: e.Key, SrcIf: s3.Conditions{IfMatch: r.etag}, SrcSize: r.size,
		Bucket: n.o.Bucket, Key: e.Key, ReplaceMetadata: true, ObjectOptions: r.o,
	}
	out, err := n.store.Copy(ctx, in)
	switch {
	case errors.Is(err, s3.ErrPreconditionFailed):
		return Entry{}, fmt.Errorf("set attributes of %q: %w", e.Key, ErrStale)
	case err != nil:
		return Entry{}, fmt.Errorf("set attributes of %q: %w", e.Key, err)
	}
	e.Size = r.size
	e = n.copied(e, e.Key, out)
	e.Attr, e.Exact = a, true
	n.Committed(e)
	n.Remember(e, r.o)
	return e, nil
}

// copied is the entry of a copy.
func (n *Namespace) copied(e Entry, key string, out *s3.CopyOutput) Entry {
	e.Key, e.ETag, e.LastModified, e.VersionID = key, out.ETag, out.LastModified, out.VersionID
	if e.LastModified.IsZero() {
		e.LastModified = time.Now()
	}
	if !e.Exact {
		e.Attr.Mtime = e.LastModified
	}
	return e
}

// setDirAttr writes the marker of a directory, with the properties that it has.
func (n *Namespace) setDirAttr(ctx context.Context, e Entry, a Attr) (Entry, error) {
	r, found := n.recall(e)
	if !found {
		info, err := n.store.Head(ctx, &s3.HeadInput{Bucket: n.o.Bucket, Key: e.Key})
		if err != nil && !errors.Is(err, s3.ErrNotFound) {
			return Entry{}, fmt.Errorf("set attributes of %q: %w", e.Key, err)
		}
		if found = err == nil; found {
			r.size, r.o = info.Size, info.Options()
		}
	}
	if found && r.size > 0 {
		e.Attr = a // data under the key of the directory: there is no place for attributes
		return e, nil
	}
	if found && !e.Exact {
		a.Xattr = r.o.Metadata[attrs.MetaXattr]
	}
	got, err := n.putMarker(ctx, e.Key, a, r.o, false)
	if err != nil {
		return Entry{}, fmt.Errorf("set attributes of %q: %w", e.Key, err)
	}
	if e.Key == n.o.Prefix {
		n.mu.Lock()
		n.root = got
		n.mu.Unlock()
	}
	return got, nil
}
