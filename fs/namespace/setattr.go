package namespace

import (
	"context"
	"errors"
	"fmt"

	"github.com/s3mount/s3mount/s3"
)

// SetAttr stores the attributes of an entry: for an object by a copy onto
// itself that keeps everything else, for a directory in its marker, which is
// written if there is none. The error is ErrStale if the object is no longer
// the version of e.
func (n *Namespace) SetAttr(ctx context.Context, e Entry, a Attr) (Entry, error) {
	_, stem := n.parts(e)
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
// those it has, and the mark of the entry's group of links.
func (n *Namespace) rewrite(ctx context.Context, e Entry, change func(Attr) Attr) (Entry, error) {
	info, err := n.store.Head(ctx, &s3.HeadInput{Bucket: n.o.Bucket, Key: e.Key})
	if err != nil {
		return Entry{}, fmt.Errorf("set attributes of %q: %w", e.Key, err)
	}
	if e.ETag != "" && info.ETag != e.ETag {
		return Entry{}, fmt.Errorf("set attributes of %q: %w", e.Key, ErrStale)
	}
	info.Key = e.Key
	had := n.FromInfo(info).Attr
	a := change(had)
	if !e.Exact {
		a.Xattr = had.Xattr // never read, so nothing of it was changed
	}
	meta := a.MergeMetadata(e.Kind, info.Metadata)
	SetLink(meta, e.Link)
	in := &s3.CopyInput{
		SrcBucket: n.o.Bucket, SrcKey: e.Key, SrcIfMatch: info.ETag, SrcSize: info.Size,
		Bucket: n.o.Bucket, Key: e.Key, ReplaceMetadata: true,
		ObjectOptions: s3.ObjectOptions{
			ContentType: info.ContentType, ContentEncoding: info.ContentEncoding,
			ContentDisposition: info.ContentDisposition, ContentLanguage: info.ContentLanguage,
			CacheControl: info.CacheControl, Expires: info.Expires, StorageClass: info.StorageClass,
			Metadata: meta,
		},
	}
	out, err := n.store.Copy(ctx, in)
	switch {
	case errors.Is(err, s3.ErrPreconditionFailed):
		return Entry{}, fmt.Errorf("set attributes of %q: %w", e.Key, ErrStale)
	case err != nil:
		return Entry{}, fmt.Errorf("set attributes of %q: %w", e.Key, err)
	}
	e.Size = info.Size
	e = n.copied(e, e.Key, out)
	e.Attr, e.Exact = a, true
	n.Committed(e)
	return e, nil
}

// copied is the entry of a copy.
func (n *Namespace) copied(e Entry, key string, out *s3.CopyOutput) Entry {
	e.Key, e.ETag, e.LastModified, e.VersionID = key, out.ETag, out.LastModified, out.VersionID
	if e.LastModified.IsZero() {
		e.LastModified = n.now()
	}
	if !e.Exact {
		e.Attr.Mtime = e.LastModified
	}
	return e
}

// setDirAttr writes the marker of a directory, with the user metadata that it has.
func (n *Namespace) setDirAttr(ctx context.Context, e Entry, a Attr) (Entry, error) {
	info, err := n.store.Head(ctx, &s3.HeadInput{Bucket: n.o.Bucket, Key: e.Key})
	if err != nil && !errors.Is(err, s3.ErrNotFound) {
		return Entry{}, fmt.Errorf("set attributes of %q: %w", e.Key, err)
	}
	var meta map[string]string
	if err == nil {
		if info.Size > 0 {
			e.Attr = a // data under the key of the directory: there is no place for attributes
			return e, nil
		}
		meta = info.Metadata
		if !e.Exact {
			a.Xattr = meta[metaXattr]
		}
	}
	got, err := n.putMarker(ctx, e.Key, a, meta, false)
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
