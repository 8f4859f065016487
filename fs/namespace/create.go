package namespace

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/s3mount/s3mount/fs/attrs"
	"github.com/s3mount/s3mount/fs/entry"
	"github.com/s3mount/s3mount/fs/listing"
	"github.com/s3mount/s3mount/s3"
)

// markerType is the Content-Type of a directory's marker, as s3fs writes it.
const markerType = "application/x-directory"

// NewFileKey returns the key of a file that is to be created. The error is
// ErrNameTooLong, ErrReserved, or ErrInvalidName for a name that stands for
// something else in the name scheme.
func (n *Namespace) NewFileKey(dir Entry, text string) (string, error) {
	nm, err := n.newName(dir, text)
	if err != nil {
		return "", err
	}
	if !nm.file() {
		return "", fmt.Errorf("file name %q: %w", text, ErrInvalidName)
	}
	n.kickDeleted(entry.RowID(nm.dir, nm.rel))
	return nm.key(), nil
}

// newName resolves a name that is to be created.
func (n *Namespace) newName(dir Entry, text string) (name, error) {
	if len(text) > maxName {
		return name{}, fmt.Errorf("name of %d bytes: %w", len(text), ErrNameTooLong)
	}
	nm := n.resolve(dir, text)
	switch {
	case nm.form == formNone, nm.form == formCont:
		return name{}, fmt.Errorf("name %q: %w", text, ErrInvalidName)
	case n.keys.IsReserved(nm.dir, nm.rel+"/"):
		return name{}, fmt.Errorf("name %q: %w", text, ErrReserved)
	case len(nm.key())+1 > s3.MaxKeyLength && (nm.directory() && !nm.file() || len(nm.key()) > s3.MaxKeyLength):
		return name{}, fmt.Errorf("key of %d bytes: %w", len(nm.key()), ErrNameTooLong)
	}
	return nm, nil
}

// mustBeFree returns ErrExists if a name is known or found to be taken.
func (n *Namespace) mustBeFree(ctx context.Context, dir Entry, text string, nm name) error {
	e, k := n.lookupKnown(nm)
	if k == listing.Unknown {
		var err error
		if e, err = n.Lookup(ctx, dir, text); err == nil {
			k = listing.Present
		} else if !errors.Is(err, s3.ErrNotFound) {
			return err
		}
	}
	if k == listing.Present {
		return fmt.Errorf("%q: %w", e.Key, ErrExists)
	}
	return nil
}

// Mkdir makes a directory by writing its marker. The error is ErrExists if the
// name is taken.
func (n *Namespace) Mkdir(ctx context.Context, dir Entry, text string, a Attr) (Entry, error) {
	nm, err := n.newName(dir, text)
	if err != nil {
		return Entry{}, fmt.Errorf("mkdir: %w", err)
	}
	key := nm.key() + "/"
	switch {
	case !nm.directory() || nm.form == formDir && !isDots(baseName(nm.rel)) && !n.shadowed(ctx, nm):
		return Entry{}, fmt.Errorf("mkdir %q: %w", text, ErrInvalidName)
	case len(key) > s3.MaxKeyLength:
		return Entry{}, fmt.Errorf("mkdir: key of %d bytes: %w", len(key), ErrNameTooLong)
	}
	if err := n.mustBeFree(ctx, dir, text, nm); err != nil {
		return Entry{}, fmt.Errorf("mkdir: %w", err)
	}
	if err := n.WaitDeleted(ctx, nm.key()); err != nil {
		return Entry{}, fmt.Errorf("mkdir: %w", err)
	}
	e, err := n.putMarker(ctx, key, a, s3.ObjectOptions{}, true)
	if err != nil {
		return Entry{}, fmt.Errorf("mkdir %q: %w", key, n.notMade(Entry{Key: key, Kind: Directory}, err))
	}
	n.known.AddEmpty(&e)
	return e, nil
}

// notMade forgets that a name was absent if it could not be made because another
// has made it, which is ErrExists, or perhaps was made but for the answer.
func (n *Namespace) notMade(e Entry, err error) error {
	exists := errors.Is(err, s3.ErrPreconditionFailed)
	if exists || !refused(err) {
		n.mu.Lock()
		n.forget(e)
		n.mu.Unlock()
	}
	if exists {
		return ErrExists
	}
	return err
}

// refused reports whether S3 has told that it did not do what it was asked for.
func refused(err error) bool {
	var e *s3.Error
	return errors.As(err, &e) && e.Status >= 400 && e.Status < 500
}

// shadowed reports whether an object holds the plain name of a directory.
func (n *Namespace) shadowed(ctx context.Context, nm name) bool {
	n.mu.Lock()
	_, k := n.find(nm.dir, nm.rel)
	n.mu.Unlock()
	if k == listing.Unknown {
		_, err := n.head(ctx, nm.key(), false)
		return err == nil
	}
	return k == listing.Present
}

// putMarker writes the marker of a directory with its attributes and the properties o that
// it has. If fresh is set, it fails if there is a marker.
func (n *Namespace) putMarker(ctx context.Context, key string, a Attr, o s3.ObjectOptions, fresh bool) (Entry, error) {
	in := &s3.PutInput{Bucket: n.o.Bucket, Key: key, Body: strings.NewReader(""), ObjectOptions: o}
	in.ContentType = markerType
	if n.o.Posix != PosixOff {
		in.Metadata = attrs.MergeMetadata(a, Directory, o.Metadata)
	}
	out, err := n.putNew(ctx, in, fresh)
	if err != nil {
		return Entry{}, err
	}
	e := Entry{
		Key: key, Kind: Directory, ETag: out.ETag, VersionID: out.VersionID,
		LastModified: entry.WriteTime(out.Date), Attr: a, Exact: true,
	}
	n.mu.Lock()
	n.note(entry.Change{Entry: e, Own: true})
	n.mu.Unlock()
	n.Remember(e, in.ObjectOptions)
	return e, nil
}

// putNew writes an object, with fresh only where there is none.
func (n *Namespace) putNew(ctx context.Context, in *s3.PutInput, fresh bool) (*s3.PutOutput, error) {
	if fresh {
		in.IfNoneMatch = "*"
	}
	return n.store.Put(ctx, in)
}

// Mknod makes a symlink (whose body is its target), a fifo, a socket or a
// device. The error is ErrExists if the name is taken.
func (n *Namespace) Mknod(ctx context.Context, dir Entry, text string, k Kind, a Attr, target string) (Entry, error) {
	if k == Directory {
		return n.Mkdir(ctx, dir, text, a)
	}
	key, err := n.NewFileKey(dir, text)
	if err != nil {
		return Entry{}, fmt.Errorf("mknod: %w", err)
	}
	if n.o.Posix == PosixOff && k != File {
		return Entry{}, fmt.Errorf("mknod %q: %w", key, errors.ErrUnsupported)
	}
	if err := n.mustBeFree(ctx, dir, text, n.resolve(dir, text)); err != nil {
		return Entry{}, fmt.Errorf("mknod: %w", err)
	}
	if err := n.WaitDeleted(ctx, key); err != nil {
		return Entry{}, fmt.Errorf("mknod: %w", err)
	}
	if k != File {
		parent, rel := n.keys.SplitFile(key)
		if err := n.index.Announce(ctx, parent, rel, k); err != nil {
			return Entry{}, fmt.Errorf("mknod: %w", err)
		}
	}
	in := &s3.PutInput{Bucket: n.o.Bucket, Key: key, Body: strings.NewReader(target), Size: int64(len(target))}
	if n.o.Posix != PosixOff {
		in.Metadata = attrs.Metadata(a, k)
	}
	out, err := n.putNew(ctx, in, true)
	if err != nil {
		return Entry{}, fmt.Errorf("mknod %q: %w", key, n.notMade(Entry{Key: key}, err))
	}
	e := Entry{
		Key: key, Kind: k, Size: int64(len(target)), ETag: out.ETag, VersionID: out.VersionID,
		LastModified: entry.WriteTime(out.Date), Attr: a, Target: target, Exact: true,
	}
	n.Committed(e)
	return e, nil
}

// Readlink returns the target of a symlink.
func (n *Namespace) Readlink(ctx context.Context, e Entry) (string, error) {
	if e.Target != "" {
		return e.Target, nil
	}
	const pathMax = 4096
	out, err := n.store.Get(ctx, &s3.GetInput{Bucket: n.o.Bucket, Key: e.Key})
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
	got := n.FromInfo(&info)
	got.Target = string(b)
	n.Observe(got)
	return got.Target, nil
}
