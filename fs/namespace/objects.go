package namespace

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/s3mount/s3mount/fs/attrs"
	"github.com/s3mount/s3mount/fs/entry"
	"github.com/s3mount/s3mount/fs/listing"
	"github.com/s3mount/s3mount/s3"
)

// objects is the part of a Namespace that sends requests for single objects and
// batches, and updates the view with the answers.
type objects struct {
	*bucket
	view    *view
	fetcher *listing.Fetcher
}

// head requests one object and records the answer. If isDir is set, the key is a
// marker, and a 404 says nothing about the directory.
func (ob *objects) head(ctx context.Context, key string, isDir bool) (entry.Entry, error) {
	answer := ob.view.known.Begin(key)
	info, err := ob.store.Head(ctx, &s3.HeadInput{Bucket: ob.o.Bucket, Key: key})
	if err != nil {
		if isAbsent(err) && !isDir {
			ob.view.learn(answer, entry.Change{Entry: entry.Entry{Key: key}, Gone: true})
		} else {
			answer.Drop()
		}
		return entry.Entry{}, err
	}
	info.Key = key
	e := ob.FromInfo(info)
	if isDir && e.Kind != entry.Directory {
		answer.Drop() // data under the key of a directory is no marker
		return entry.Entry{}, s3.ErrNotFound
	}
	if ob.view.learn(answer, entry.Change{Entry: e, Seen: true}) {
		ob.view.Remember(e, info.Options())
	}
	return e, nil
}

// probeDir finds a directory by one LIST of one key, and reads its attributes
// if it has a marker.
func (ob *objects) probeDir(ctx context.Context, key string) (entry.Entry, error) {
	answer := ob.view.known.Begin(key)
	got, err := ob.fetcher.Ls(ctx, listing.Stretch{Dir: key, Max: 1})
	if err != nil {
		answer.Drop()
		return entry.Entry{}, err
	}
	if len(got.Objects) == 0 {
		ob.view.learn(answer, entry.Change{Entry: entry.Entry{Key: key, Kind: entry.Directory}, Gone: true})
		return entry.Entry{}, s3.ErrNotFound
	}
	e := entry.Entry{Key: key, Kind: entry.Directory, Implicit: true}
	if o := got.Objects[0]; o.Key == key && o.Size == 0 {
		e.Implicit, e.ETag, e.LastModified = false, o.ETag, o.LastModified
	}
	e.Attr = ob.defaults.Attr(entry.Directory, e.LastModified)
	ob.view.learn(answer, entry.Change{Entry: e})
	if e.Implicit || ob.o.Posix == PosixOff {
		return e, nil
	}
	return ob.headDir(ctx, e)
}

// headDir reads the attributes of a directory from its marker.
func (ob *objects) headDir(ctx context.Context, e entry.Entry) (entry.Entry, error) {
	got, err := ob.head(ctx, e.Key, true)
	if errors.Is(err, s3.ErrNotFound) {
		return e, nil // the marker was deleted in the meantime; the objects below keep the directory
	}
	return got, err
}

// stat asks S3 for the present state of a file, or of a directory that has a key.
func (ob *objects) stat(ctx context.Context, e entry.Entry) (entry.Entry, error) {
	if e.Kind != entry.Directory {
		return ob.head(ctx, e.Key, false)
	}
	if ob.o.Posix != PosixOff && !e.Implicit {
		got, err := ob.head(ctx, e.Key, true)
		if err == nil || !errors.Is(err, s3.ErrNotFound) {
			return got, err
		}
	}
	return ob.probeDir(ctx, e.Key)
}

// putMarker writes the marker of a directory with its attributes and the properties o that
// it has. If fresh is set, it fails if there is a marker.
func (ob *objects) putMarker(ctx context.Context, key string, a entry.Attr, o s3.ObjectOptions, fresh bool) (entry.Entry, error) {
	in := &s3.PutInput{Bucket: ob.o.Bucket, Key: key, Body: strings.NewReader(""), ObjectOptions: o}
	in.ContentType = markerType
	if ob.o.Posix != PosixOff {
		in.Metadata = attrs.MergeMetadata(a, entry.Directory, o.Metadata)
	}
	out, err := ob.putNew(ctx, in, fresh)
	if err != nil {
		return entry.Entry{}, err
	}
	e := entry.Entry{
		Key: key, Kind: entry.Directory, ETag: out.ETag, VersionID: out.VersionID,
		LastModified: entry.WriteTime(out.Date), Attr: a, Exact: true,
	}
	ob.view.note(entry.Change{Entry: e, Own: true})
	ob.view.Remember(e, in.ObjectOptions)
	return e, nil
}

// putNew writes an object, with fresh only where there is none.
func (ob *objects) putNew(ctx context.Context, in *s3.PutInput, fresh bool) (*s3.PutOutput, error) {
	if fresh {
		in.IfNoneMatch = "*"
	}
	return ob.store.Put(ctx, in)
}

// notMade forgets that a name was absent if it could not be made because another
// has made it, which is ErrExists, or perhaps was made but for the answer.
func (ob *objects) notMade(e entry.Entry, err error) error {
	exists := errors.Is(err, s3.ErrPreconditionFailed)
	if exists || !refused(err) {
		ob.view.forget(e)
	}
	if exists {
		return ErrExists
	}
	return err
}

// refused reports whether S3 has answered that it did not execute the request.
func refused(err error) bool {
	var e *s3.Error
	return errors.As(err, &e) && e.Status >= 400 && e.Status < 500
}

// copyTo copies the version of an entry to another key.
func (ob *objects) copyTo(ctx context.Context, e entry.Entry, key string, fresh bool) (entry.Entry, error) {
	in := &s3.CopyInput{
		SrcBucket: ob.o.Bucket, SrcKey: e.Key, SrcIf: s3.Conditions{IfMatch: e.ETag}, SrcSize: e.Size,
		Bucket: ob.o.Bucket, Key: key,
	}
	if fresh {
		in.IfNoneMatch = "*"
	}
	out, err := ob.store.Copy(ctx, in)
	switch {
	case err == nil:
		return ob.copied(e, key, out), nil
	case !refused(err): // it may have been done, but for the answer
		ob.view.forget(entry.Entry{Key: key, Kind: e.Kind})
		return entry.Entry{}, err
	case !errors.Is(err, s3.ErrPreconditionFailed):
		return entry.Entry{}, err
	case fresh:
		if _, herr := ob.head(ctx, key, false); herr == nil {
			return entry.Entry{}, ErrExists
		}
	}
	ob.view.forget(e)
	return entry.Entry{}, ErrStale
}

// copied is the entry of a copy.
func (ob *objects) copied(e entry.Entry, key string, out *s3.CopyOutput) entry.Entry {
	e.Key, e.ETag, e.LastModified, e.VersionID = key, out.ETag, out.LastModified, out.VersionID
	if e.LastModified.IsZero() {
		e.LastModified = time.Now()
	}
	if !e.Exact {
		e.Attr.Mtime = e.LastModified
	}
	return e
}

// delete deletes objects and returns the errors by key.
func (ob *objects) delete(ctx context.Context, objects []s3.ObjectID) map[string]error {
	errs := map[string]error{}
	switch len(objects) {
	case 0:
	case 1:
		o := objects[0]
		_, err := ob.store.Delete(ctx, &s3.DeleteInput{Bucket: ob.o.Bucket, Key: o.Key, IfMatch: o.ETag})
		if err != nil && !errors.Is(err, s3.ErrNotFound) {
			errs[o.Key] = err
		}
	default:
		results, err := ob.store.DeleteMulti(ctx, &s3.DeleteMultiInput{Bucket: ob.o.Bucket, Objects: objects})
		told := make(map[string]bool, len(results))
		for _, r := range results {
			told[r.Key] = true
			if r.Err != nil && !errors.Is(r.Err, s3.ErrNotFound) {
				errs[r.Key] = r.Err
			}
		}
		for _, o := range objects {
			if err != nil && !told[o.Key] {
				errs[o.Key] = err
			}
		}
	}
	return errs
}

// Readlink returns the target of a symlink.
func (ob *objects) Readlink(ctx context.Context, e entry.Entry) (string, error) {
	if e.Target != "" {
		return e.Target, nil
	}
	const pathMax = 4096
	out, err := ob.store.Get(ctx, &s3.GetInput{Bucket: ob.o.Bucket, Key: e.Key})
	if err != nil {
		return "", fmt.Errorf("read symlink %q: %w", e.Key, err)
	}
	defer out.Body.Close()
	b, err := io.ReadAll(io.LimitReader(out.Body, pathMax))
	if err != nil {
		return "", fmt.Errorf("read symlink %q: %w", e.Key, err)
	}
	info := out.ObjectInfo
	info.Key = e.Key
	got := ob.FromInfo(&info)
	got.Target = string(b)
	ob.view.Observe(got)
	return got.Target, nil
}

// isAbsent reports whether err means that an object does not exist.
func isAbsent(err error) bool {
	return errors.Is(err, s3.ErrNotFound) && !errors.Is(err, s3.ErrNoSuchBucket)
}
