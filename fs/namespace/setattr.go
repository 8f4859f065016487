package namespace

import (
	"context"
	"errors"
	"fmt"

	"github.com/s3mount/s3mount/fs/attrs"
	"github.com/s3mount/s3mount/fs/entry"
	"github.com/s3mount/s3mount/s3"
)

// attrWriter is the part of a Namespace that stores attributes which users change.
type attrWriter struct {
	*bucket
	view    *view
	objects *objects
}

// SetAttr stores the attributes of an entry: for an object by a copy onto
// itself that keeps everything else, for a directory in its marker, which is
// written if there is none. The error is ErrStale if the object is no longer
// the version of e.
func (w *attrWriter) SetAttr(ctx context.Context, e entry.Entry, a entry.Attr) (entry.Entry, error) {
	_, stem := w.keys.Stem(e)
	switch {
	case e.Kind == entry.Directory && e.Key == "":
		e.Attr, e.Exact = a, true // the root of a bucket has no key: kept for the life of the mount
		w.view.setRoot(e)
		return e, nil
	case w.o.Posix == PosixOff, stem != "" && e.Kind == entry.Directory:
		e.Attr = a
		return e, nil
	case e.Kind == entry.Directory:
		return w.setDirAttr(ctx, e, a)
	}
	return w.rewrite(ctx, e, func(entry.Attr) entry.Attr { return a })
}

// rewrite gives the object of an entry the attributes that change makes of
// those it has.
func (w *attrWriter) rewrite(ctx context.Context, e entry.Entry, change func(entry.Attr) entry.Attr) (entry.Entry, error) {
	r, ok := w.view.recall(e)
	if !ok {
		info, err := w.store.Head(ctx, &s3.HeadInput{Bucket: w.o.Bucket, Key: e.Key})
		if err != nil {
			return entry.Entry{}, fmt.Errorf("set attributes of %q: %w", e.Key, err)
		}
		if e.ETag != "" && info.ETag != e.ETag {
			return entry.Entry{}, fmt.Errorf("set attributes of %q: %w", e.Key, ErrStale)
		}
		r = remembered{etag: info.ETag, size: info.Size, o: info.Options()}
	}
	had := w.FromInfo(&s3.ObjectInfo{Key: e.Key, Size: r.size, LastModified: e.LastModified, Metadata: r.o.Metadata}).Attr
	a := change(had)
	if !e.Exact {
		a.Xattr = had.Xattr // never read, so nothing of it was changed
	}
	r.o.Metadata = attrs.MergeMetadata(a, e.Kind, r.o.Metadata)
	in := &s3.CopyInput{
		SrcBucket: w.o.Bucket, SrcKey: e.Key, SrcIf: s3.Conditions{IfMatch: r.etag}, SrcSize: r.size,
		Bucket: w.o.Bucket, Key: e.Key, ReplaceMetadata: true, ObjectOptions: r.o,
	}
	out, err := w.store.Copy(ctx, in)
	switch {
	case errors.Is(err, s3.ErrPreconditionFailed):
		return entry.Entry{}, fmt.Errorf("set attributes of %q: %w", e.Key, ErrStale)
	case err != nil:
		return entry.Entry{}, fmt.Errorf("set attributes of %q: %w", e.Key, err)
	}
	e.Size = r.size
	e = w.objects.copied(e, e.Key, out)
	e.Attr, e.Exact = a, true
	w.view.Committed(e)
	w.view.Remember(e, r.o)
	return e, nil
}

// setDirAttr writes the marker of a directory, with the properties that it has.
func (w *attrWriter) setDirAttr(ctx context.Context, e entry.Entry, a entry.Attr) (entry.Entry, error) {
	r, found := w.view.recall(e)
	if !found {
		info, err := w.store.Head(ctx, &s3.HeadInput{Bucket: w.o.Bucket, Key: e.Key})
		if err != nil && !errors.Is(err, s3.ErrNotFound) {
			return entry.Entry{}, fmt.Errorf("set attributes of %q: %w", e.Key, err)
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
	got, err := w.objects.putMarker(ctx, e.Key, a, r.o, false)
	if err != nil {
		return entry.Entry{}, fmt.Errorf("set attributes of %q: %w", e.Key, err)
	}
	if e.Key == w.o.Prefix {
		w.view.setRoot(got)
	}
	return got, nil
}
