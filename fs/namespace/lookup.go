package namespace

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/s3mount/s3mount/fs/entry"
	"github.com/s3mount/s3mount/fs/listing"
	"github.com/s3mount/s3mount/s3"
)

// name is a parsed name in a directory.
type name struct {
	dir  string // prefix
	rel  string // of the file; a directory has a trailing slash
	form form
}

func (nm name) key() string { return nm.dir + nm.rel }

// file and directory report which kinds the name can stand for.
func (nm name) file() bool      { return nm.form == formPlain || nm.form == formFile }
func (nm name) directory() bool { return nm.form == formPlain || nm.form == formDir }

// finder is the part of a Namespace that answers lookups and opens listings.
type finder struct {
	*bucket
	view       *view
	objects    *objects
	attributes *attributes
	fetcher    *listing.Fetcher
	walks      *listing.Walks

	hits, misses atomic.Int64 // lookups that the view could answer, and not
}

// Lookup finds a name in a directory. It uses a fresh listing or a cached fact.
// Otherwise it sends a HEAD for a file and, after a 404, a LIST for a directory.
// Lookups of consecutive names use listings instead. The error is s3.ErrNotFound if the
// name is known to be absent.
func (f *finder) Lookup(ctx context.Context, dir entry.Entry, text string) (entry.Entry, error) {
	nm := f.resolve(dir, text)
	if nm.form == formNone || f.keys.IsReserved(nm.dir, nm.rel+"/") && nm.directory() && !nm.file() {
		return entry.Entry{}, fmt.Errorf("lookup %q: %w", text, s3.ErrNotFound)
	}
	if nm.form == formCont {
		return f.lookupCont(ctx, dir, nm)
	}
	if e, ok := f.view.lookupPending(nm); ok {
		f.hits.Add(1)
		return e, nil
	}
	e, k := f.view.lookupKnown(nm)
	if k == listing.Unknown {
		f.misses.Add(1)
		var err error
		if e, err = f.lookupStore(ctx, nm); err != nil {
			return entry.Entry{}, fmt.Errorf("lookup %q: %w", nm.key(), err)
		}
		return e, nil
	}
	f.hits.Add(1)
	f.walks.Hit(nm.dir)
	if k == listing.Absent {
		return entry.Entry{}, fmt.Errorf("lookup %q: %w", nm.key(), s3.ErrNotFound)
	}
	return f.attributes.completeEntry(ctx, e)
}

func baseName(rel string) string { return rel[strings.LastIndexByte(rel, '/')+1:] }

// lookupStore asks S3 for a name of which nothing is known.
func (f *finder) lookupStore(ctx context.Context, nm name) (entry.Entry, error) {
	// A client without permission to list can still read objects. Each name is then
	// requested with a HEAD.
	if ok, err := f.lookupByListing(ctx, nm); err != nil && !errors.Is(err, s3.ErrForbidden) {
		return entry.Entry{}, err
	} else if ok {
		switch e, k := f.view.lookupKnown(nm); {
		case k == listing.Absent:
			return entry.Entry{}, s3.ErrNotFound
		case k == listing.Present:
			return f.attributes.completeEntry(ctx, e)
		}
	}
	file, err := f.askFile(ctx, nm)
	switch {
	case err != nil && !errors.Is(err, s3.ErrNotFound):
		return entry.Entry{}, err
	case nm.form == formFile:
		return file, err
	case nm.form == formPlain && err == nil:
		return file, nil
	case nm.form == formDir && err != nil && !isDots(baseName(nm.rel)):
		return entry.Entry{}, err
	}
	e, k := f.view.find(nm.dir, nm.rel+"/")
	switch {
	case k == listing.Absent:
		return entry.Entry{}, s3.ErrNotFound
	case k == listing.Present:
		return f.attributes.completeEntry(ctx, e)
	}
	return f.objects.probeDir(ctx, nm.key()+"/")
}

// askFile finds a file in the cache or with a HEAD.
func (f *finder) askFile(ctx context.Context, nm name) (entry.Entry, error) {
	if nm.rel == "" && nm.form != formFile {
		return entry.Entry{}, s3.ErrNotFound // the marker is no file
	}
	e, k := f.view.find(nm.dir, nm.rel)
	switch {
	case k == listing.Absent, k == listing.Present && nm.rel == "" && e.Size == 0:
		return entry.Entry{}, s3.ErrNotFound
	case k == listing.Present:
		return f.attributes.completeEntry(ctx, e)
	}
	got, err := f.objects.head(ctx, nm.key(), false)
	if err == nil && got.Kind == entry.Directory {
		return entry.Entry{}, s3.ErrNotFound
	}
	return got, err
}

// lookupCont finds the directory of all names that begin with a part of a segment.
func (f *finder) lookupCont(ctx context.Context, dir entry.Entry, nm name) (entry.Entry, error) {
	e := f.contEntry(nm.key())
	l := f.OpenDir(e)
	defer l.Close()
	_, ok, err := l.Next(ctx)
	if err != nil {
		return entry.Entry{}, err
	}
	if !ok {
		return entry.Entry{}, fmt.Errorf("lookup %q: %w", nm.key(), s3.ErrNotFound)
	}
	return e, nil
}

// Stat asks S3 for the present state of an entry. The error is s3.ErrNotFound
// if it is gone.
func (f *finder) Stat(ctx context.Context, e entry.Entry) (entry.Entry, error) {
	base, stem := f.keys.Stem(e)
	switch {
	case e.Kind == entry.Directory && stem != "":
		return f.lookupCont(ctx, e, name{dir: base, rel: stem, form: formCont})
	case e.Kind == entry.Directory && e.Key == f.o.Prefix:
		return f.statRoot(ctx)
	}
	got, err := f.objects.stat(ctx, e)
	if err != nil {
		return entry.Entry{}, fmt.Errorf("stat %q: %w", e.Key, err)
	}
	return got, nil
}

// statRoot reads the attributes of the root, which exists in any case.
func (f *finder) statRoot(ctx context.Context) (entry.Entry, error) {
	if f.o.Prefix == "" || f.o.Posix == PosixOff {
		return f.view.Root(), nil
	}
	e, err := f.objects.head(ctx, f.o.Prefix, true)
	if errors.Is(err, s3.ErrNotFound) {
		return f.view.Root(), nil
	}
	if err != nil {
		return entry.Entry{}, fmt.Errorf("stat %q: %w", f.o.Prefix, err)
	}
	f.view.setRoot(e)
	return e, nil
}

// InvalidateAll forgets everything that is cached.
func (f *finder) InvalidateAll() {
	f.view.invalidateAll()
	f.walks.Forget()
}

// mustBeFree returns ErrExists if a name is known or found to be taken.
func (f *finder) mustBeFree(ctx context.Context, dir entry.Entry, text string, nm name) error {
	e, k := f.view.lookupKnown(nm)
	if k == listing.Unknown {
		var err error
		if e, err = f.Lookup(ctx, dir, text); err == nil {
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

// shadowed reports whether an object holds the plain name of a directory.
func (f *finder) shadowed(ctx context.Context, nm name) bool {
	_, k := f.view.find(nm.dir, nm.rel)
	if k == listing.Unknown {
		_, err := f.objects.head(ctx, nm.key(), false)
		return err == nil
	}
	return k == listing.Present
}

// Appeared reports whether a file exists under a name that was absent. open(2) with
// O_CREAT calls it, because it must not replace a file that another mount has closed.
// Appeared costs a HEAD, unless S3 has answered about the name within the last second
// or this mount has just removed it.
func (f *finder) Appeared(ctx context.Context, dir entry.Entry, text string) (bool, error) {
	nm := f.resolve(dir, text)
	if !nm.file() || f.view.justAbsent(nm) {
		return false, nil
	}
	e, err := f.objects.head(ctx, nm.key(), false)
	switch {
	case isAbsent(err):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("look whether %q is still absent: %w", nm.key(), err)
	}
	return e.Kind != entry.Directory, nil // the marker is no file
}
