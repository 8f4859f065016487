package namespace

import (
	"fmt"
	"strings"
	"time"

	"github.com/s3mount/s3mount/fs/attrs"
	"github.com/s3mount/s3mount/fs/background"
	"github.com/s3mount/s3mount/fs/entry"
	"github.com/s3mount/s3mount/s3"
)

// bucket is the bucket that is mounted, with the options. It does not change, and it is
// part of each part of a Namespace.
type bucket struct {
	store    Store
	o        Options
	keys     entry.Root
	defaults entry.Defaults    // attributes of objects that carry none
	jobs     *background.Group // work that no caller waits for, until Close
}

func newBucket(store Store, o Options) *bucket {
	return &bucket{
		store: store, o: o, keys: entry.Root(o.Prefix),
		defaults: entry.Defaults{FilePerm: o.FilePerm, DirPerm: o.DirPerm, UID: o.UID, GID: o.GID, Started: time.Now()},
		jobs:     background.NewGroup(),
	}
}

// FromInfo returns the entry of an object from the answer to a HEAD or GET.
func (b *bucket) FromInfo(info *s3.ObjectInfo) entry.Entry {
	e := entry.Entry{
		Key: info.Key, Size: info.Size, ETag: info.ETag, LastModified: info.LastModified,
		VersionID: info.VersionID, Exact: true,
	}
	if strings.HasSuffix(info.Key, "/") && info.Size == 0 {
		e.Kind = entry.Directory
	}
	def := b.defaults.Attr(e.Kind, info.LastModified)
	if b.o.Posix == PosixOff {
		e.Attr = def
		return e
	}
	kind, attr, found := attrs.FromMetadata(info.Metadata, def, info.LastModified)
	e.Attr = attr
	if !found {
		e.Attr = def
	}
	if found && e.Kind != entry.Directory && kind != entry.Directory {
		e.Kind = kind
	}
	return e
}

// contEntry is the directory of all names that begin with a part of a segment.
func (b *bucket) contEntry(key string) entry.Entry { return b.implicit(key) }

// implicit returns a directory without a marker.
func (b *bucket) implicit(key string) entry.Entry {
	return entry.Entry{Key: key, Kind: entry.Directory, Implicit: true, Attr: b.defaults.Attr(entry.Directory, time.Time{})}
}

func (b *bucket) parentOf(key string) string {
	dir, _ := b.keys.Split(key)
	return dir
}

// resolve finds the keys of a name. form is formNone if there can be none.
func (b *bucket) resolve(dir entry.Entry, text string) name {
	base, stem := b.keys.Stem(dir)
	seg, f := decode(text)
	nm := name{dir: base, rel: stem + seg, form: f}
	switch {
	case f == formNone, f == formCont && len(seg) == 0:
		nm.form = formNone
	case f == formCont, stem == "":
	default: // a continuation contains only names that are too long for the plain directory
		isDir := f == formDir
		got, _, _ := chain(nm.rel, stem, isDir, isDir && !isDots(seg))
		if got != text {
			nm.form = formNone
		}
	}
	return nm
}

// newName resolves a name that is to be created.
func (b *bucket) newName(dir entry.Entry, text string) (name, error) {
	if len(text) > maxName {
		return name{}, fmt.Errorf("name of %d bytes: %w", len(text), ErrNameTooLong)
	}
	nm := b.resolve(dir, text)
	switch {
	case nm.form == formNone, nm.form == formCont:
		return name{}, fmt.Errorf("name %q: %w", text, ErrInvalidName)
	case b.keys.IsReserved(nm.dir, nm.rel+"/"):
		return name{}, fmt.Errorf("name %q: %w", text, ErrReserved)
	case len(nm.key())+1 > s3.MaxKeyLength && (nm.directory() && !nm.file() || len(nm.key()) > s3.MaxKeyLength):
		return name{}, fmt.Errorf("key of %d bytes: %w", len(nm.key()), ErrNameTooLong)
	}
	return nm, nil
}
