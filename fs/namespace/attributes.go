package namespace

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/s3mount/s3mount/fs/attrs"
	"github.com/s3mount/s3mount/fs/background"
	"github.com/s3mount/s3mount/fs/entry"
	"github.com/s3mount/s3mount/fs/listing"
	"github.com/s3mount/s3mount/s3"
)

// attributes is the part of a Namespace that finds the exact attributes of entries: in
// the indexes of directories, or by requests for the objects.
type attributes struct {
	*bucket
	view    *view
	objects *objects
	asks    *askRuns
}

func newAttributes(ob *objects) *attributes {
	return &attributes{bucket: ob.bucket, view: ob.view, objects: ob, asks: &askRuns{known: ob.view.known, byDir: map[string]*askRun{}}}
}

// Confirm returns an entry with the attributes of its object. It makes no request
// if they are known, and otherwise one HEAD. A directory without a marker has the
// default attributes by definition: Confirm returns them as exact.
func (a *attributes) Confirm(ctx context.Context, e entry.Entry) (entry.Entry, error) {
	_, stem := a.keys.Stem(e)
	switch {
	case e.Exact:
		return e, nil
	case e.Kind != entry.Directory:
		return a.objects.stat(ctx, e)
	case e.Key == a.o.Prefix, stem != "", a.o.Posix == PosixOff:
		e.Exact = true // the options say what its attributes are
		return e, nil
	}
	if known, ok := a.view.known.Directory(e.Key); ok {
		return known, nil
	}
	if marker, until, ok := a.view.known.Marker(e.Key); ok {
		if marker.Implicit {
			return a.view.known.NoteNoMarker(e.Key, until), nil
		}
		if x, err := a.view.index.Table(ctx, a.parentOf(e.Key), time.Time{}); err == nil && x != nil {
			_, rel := a.keys.Split(e.Key)
			if exact, _ := a.view.index.Complete(x, rel, &marker); exact {
				a.view.Observe(marker)
				return marker, nil
			}
		}
	}
	got, err := a.objects.head(ctx, e.Key, true)
	if errors.Is(err, s3.ErrNotFound) {
		return a.view.known.NoteNoMarker(e.Key, time.Now().Add(a.o.TTL)), nil
	}
	return got, err
}

// completeLines sets the attributes of rows from the index of their directory. Other
// rows keep the defaults. Attributes requests their objects when a program looks at
// them. completeLines requests the objects of rows whose kind a listing cannot show.
func (a *attributes) completeLines(ctx context.Context, dir string, lines []line) error {
	if a.o.Posix == PosixOff || !slices.ContainsFunc(lines, func(ln line) bool { return !ln.known() }) {
		return nil
	}
	x, err := a.indexOf(ctx, dir, lines)
	if err != nil {
		return err
	}
	ask := a.cover(dir, x, lines)
	err = background.Each(ctx, a.o.Connections, ask, a.askLine)
	a.remember(dir, ask)
	return err
}

// completeEntry is completeLines for one entry that a listing told of.
func (a *attributes) completeEntry(ctx context.Context, e entry.Entry) (entry.Entry, error) {
	if e.Exact || a.o.Posix == PosixOff {
		return e, nil
	}
	dir, rel := a.keys.RowOf(e)
	if rel == "" && e.Size == 0 {
		return e, nil
	}
	lines := []line{{rel: rel, entry: e}}
	x, err := a.indexOf(ctx, dir, lines)
	if err != nil {
		return entry.Entry{}, err
	}
	if len(a.cover(dir, x, lines)) > 0 {
		return a.objects.stat(ctx, e)
	}
	got := lines[0].entry
	if got.Kind == entry.Directory && !got.Exact && got.Attr != e.Attr {
		return a.Confirm(ctx, got) // the index has it, but perhaps of an older version
	}
	return got, nil
}

// cover sets the attributes of rows from hints, and returns the rows whose objects must
// be requested. x is nil if there is no index.
func (a *attributes) cover(dir string, x *attrs.Table, lines []line) (ask []*line) {
	full := a.o.Posix == PosixFull
	if x == nil && !full {
		return nil
	}
	local := a.view.local.Rows(dir)
	for i := range lines {
		ln := &lines[i]
		if ln.known() {
			continue
		}
		found := false
		if x != nil {
			ln.exact, found = a.view.index.Complete(x, ln.rel, &ln.entry)
		}
		if !found && local.Complete(ln.rel, &ln.entry) {
			ln.exact, found = true, true
		}
		ln.unsure = !found && x.MayBeSpecial(&ln.entry)
		if !found && (full || ln.unsure) {
			ask = append(ask, ln)
		}
	}
	a.keepAttrs(dir, lines)
	return ask
}

// askLine requests the attributes of one object. A missing object is omitted from the
// listing. An object that may not be read is shown with defaults.
func (a *attributes) askLine(ctx context.Context, ln *line) error {
	isDir := ln.entry.Kind == entry.Directory
	got, err := a.objects.head(ctx, ln.entry.Key, isDir)
	switch {
	case err == nil:
		ln.entry = got
	case errors.Is(err, s3.ErrNotFound):
		ln.gone = !isDir
	case errors.Is(err, s3.ErrForbidden), errors.Is(err, s3.ErrInvalidInput):
	default:
		return err
	}
	return nil
}

// keepAttrs puts attributes that the index told into the pages.
func (a *attributes) keepAttrs(dir string, lines []line) {
	var rows []listing.Row
	for i := range lines {
		if ln := &lines[i]; ln.exact {
			rows = append(rows, listing.Row{Rel: ln.rel, Entry: ln.entry})
		}
	}
	if len(rows) > 0 {
		a.view.known.Complete(dir, rows)
	}
}

// indexOf returns the index of a directory, or nil if there is none, as of a time
// after some rows were listed. A special file of another mount comes after the index
// of its directory. So if there is no index then, none of the rows is such a file.
func (a *attributes) indexOf(ctx context.Context, dir string, lines []line) (*attrs.Table, error) {
	since := a.lastSeen(dir, lines)
	x, err := a.view.index.Table(ctx, dir, since)
	if err != nil || !since.IsZero() {
		return x, err
	}
	// The catalogue may have been loaded just now, and be older than the rows.
	if since = a.lastSeen(dir, lines); since.IsZero() {
		return x, nil
	}
	return a.view.index.Table(ctx, dir, since)
}

// lastSeen returns when the youngest small objects were listed, if that was after the
// catalogue of indexes, and otherwise the zero time.
func (a *attributes) lastSeen(dir string, lines []line) time.Time {
	catalogued, any := a.view.index.Listed()
	if !any {
		return time.Time{} // no mount has stored attributes in this bucket
	}
	var last time.Time
	for i := range lines {
		e := &lines[i].entry
		young := e.Kind == entry.File && e.Size <= attrs.SpecialSize && e.LastModified.After(catalogued.Add(-entry.OwnSlack))
		if lines[i].known() || !young {
			continue
		}
		told, ok := a.view.known.Told(dir, lines[i].rel)
		if !ok {
			told = time.Now()
		}
		if told.After(catalogued) && told.After(last) {
			last = told
		}
	}
	return last
}

// remember keeps on the local disk what HEADs have shown of rows of a directory.
func (a *attributes) remember(dir string, asked []*line) {
	entries := make(map[string]*entry.Entry, len(asked))
	for _, ln := range asked {
		if !ln.gone {
			entries[ln.rel] = &ln.entry
		}
	}
	a.view.local.Remember(dir, entries)
}
