package namespace

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/s3mount/s3mount/fs/attrs"
	"github.com/s3mount/s3mount/fs/entry"
	"github.com/s3mount/s3mount/s3"
)

// markerType is the Content-Type of a directory's marker, as s3fs writes it.
const markerType = "application/x-directory"

// maker is the part of a Namespace that makes directories and special files, and chooses
// the keys of new files.
type maker struct {
	*bucket
	view    *view
	objects *objects
	finder  *finder
	queue   *queue
}

// NewFileKey returns the key of a file that is to be created. The error is
// ErrNameTooLong, ErrReserved, or ErrInvalidName for a name that stands for
// something else in the name scheme.
func (m *maker) NewFileKey(dir entry.Entry, text string) (string, error) {
	nm, err := m.newName(dir, text)
	if err != nil {
		return "", err
	}
	if !nm.file() {
		return "", fmt.Errorf("file name %q: %w", text, ErrInvalidName)
	}
	m.queue.kickDeleted(entry.RowID(nm.dir, nm.rel))
	return nm.key(), nil
}

// Mkdir makes a directory by writing its marker. The error is ErrExists if the
// name is taken.
func (m *maker) Mkdir(ctx context.Context, dir entry.Entry, text string, a entry.Attr) (entry.Entry, error) {
	nm, err := m.newName(dir, text)
	if err != nil {
		return entry.Entry{}, fmt.Errorf("mkdir: %w", err)
	}
	key := nm.key() + "/"
	switch {
	case !nm.directory() || nm.form == formDir && !isDots(baseName(nm.rel)) && !m.finder.shadowed(ctx, nm):
		return entry.Entry{}, fmt.Errorf("mkdir %q: %w", text, ErrInvalidName)
	case len(key) > s3.MaxKeyLength:
		return entry.Entry{}, fmt.Errorf("mkdir: key of %d bytes: %w", len(key), ErrNameTooLong)
	}
	if err := m.finder.mustBeFree(ctx, dir, text, nm); err != nil {
		return entry.Entry{}, fmt.Errorf("mkdir: %w", err)
	}
	if err := m.queue.WaitDeleted(ctx, nm.key()); err != nil {
		return entry.Entry{}, fmt.Errorf("mkdir: %w", err)
	}
	e, err := m.objects.putMarker(ctx, key, a, s3.ObjectOptions{}, true)
	if err != nil {
		return entry.Entry{}, fmt.Errorf("mkdir %q: %w", key, m.objects.notMade(entry.Entry{Key: key, Kind: entry.Directory}, err))
	}
	m.view.known.AddEmpty(&e)
	return e, nil
}

// Mknod creates a symlink (whose body is its target), a fifo, a socket or a device. The
// error is ErrExists if the name exists.
func (m *maker) Mknod(ctx context.Context, dir entry.Entry, text string, k entry.Kind, a entry.Attr, target string) (entry.Entry, error) {
	if k == entry.Directory {
		return m.Mkdir(ctx, dir, text, a)
	}
	key, err := m.NewFileKey(dir, text)
	if err != nil {
		return entry.Entry{}, fmt.Errorf("mknod: %w", err)
	}
	if m.o.Posix == PosixOff && k != entry.File {
		return entry.Entry{}, fmt.Errorf("mknod %q: %w", key, errors.ErrUnsupported)
	}
	if err := m.finder.mustBeFree(ctx, dir, text, m.resolve(dir, text)); err != nil {
		return entry.Entry{}, fmt.Errorf("mknod: %w", err)
	}
	if err := m.queue.WaitDeleted(ctx, key); err != nil {
		return entry.Entry{}, fmt.Errorf("mknod: %w", err)
	}
	if k != entry.File {
		parent, rel := m.keys.SplitFile(key)
		if err := m.view.index.Announce(ctx, parent, rel, k); err != nil {
			return entry.Entry{}, fmt.Errorf("mknod: %w", err)
		}
	}
	in := &s3.PutInput{Bucket: m.o.Bucket, Key: key, Body: strings.NewReader(target), Size: int64(len(target))}
	if m.o.Posix != PosixOff {
		in.Metadata = attrs.Metadata(a, k)
	}
	out, err := m.objects.putNew(ctx, in, true)
	if err != nil {
		return entry.Entry{}, fmt.Errorf("mknod %q: %w", key, m.objects.notMade(entry.Entry{Key: key}, err))
	}
	e := entry.Entry{
		Key: key, Kind: k, Size: int64(len(target)), ETag: out.ETag, VersionID: out.VersionID,
		LastModified: entry.WriteTime(out.Date), Attr: a, Target: target, Exact: true,
	}
	m.view.Committed(e)
	return e, nil
}
