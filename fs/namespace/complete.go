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

// completeLines gives the rows of a directory the attributes that its index tells.
// The others keep the defaults: objects are asked when somebody looks at them
// (Attributes), except where a listing cannot tell what kind of file they are.
func (n *Namespace) completeLines(ctx context.Context, dir string, lines []line) error {
	if n.o.Posix == PosixOff || !slices.ContainsFunc(lines, func(ln line) bool { return !ln.known() }) {
		return nil
	}
	x, err := n.indexOf(ctx, dir, lines)
	if err != nil {
		return err
	}
	ask := n.cover(dir, x, lines)
	err = background.Each(ctx, n.o.Connections, ask, n.askLine)
	n.remember(dir, ask)
	return err
}

// cover gives the rows of a directory the attributes that hints tell, and returns
// the rows that a listing cannot be trusted with. x is nil if there is no index.
func (n *Namespace) cover(dir string, x *attrs.Table, lines []line) (ask []*line) {
	full := n.o.Posix == PosixFull
	if x == nil && !full {
		return nil
	}
	local := n.local.Rows(dir)
	for i := range lines {
		ln := &lines[i]
		if ln.known() {
			continue
		}
		found := false
		if x != nil {
			ln.exact, found = n.index.Complete(x, ln.rel, &ln.entry)
		}
		if !found && local.Complete(ln.rel, &ln.entry) {
			ln.exact, found = true, true
		}
		ln.unsure = !found && x.MayBeSpecial(&ln.entry)
		if !found && (full || ln.unsure) {
			ask = append(ask, ln)
		}
	}
	n.keepAttrs(dir, lines)
	return ask
}

// known reports whether nothing is left to find out of a row.
func (ln *line) known() bool { return ln.stat != nil || ln.entry.Exact || ln.isMarker() }

// isMarker reports whether a row is that of the directory's own marker. With
// data it is the row of a file.
func (ln *line) isMarker() bool { return ln.rel == "" && ln.entry.Size == 0 }

// askLine reads the attributes of one object. What is gone meanwhile is left
// out of the listing; what may not be read is shown with defaults.
func (n *Namespace) askLine(ctx context.Context, ln *line) error {
	isDir := ln.entry.Kind == Directory
	got, err := n.head(ctx, ln.entry.Key, isDir)
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
func (n *Namespace) keepAttrs(dir string, lines []line) {
	var rows []listing.Row
	for i := range lines {
		if ln := &lines[i]; ln.exact {
			rows = append(rows, listing.Row{Rel: ln.rel, Entry: ln.entry})
		}
	}
	if len(rows) > 0 {
		n.known.Complete(dir, rows)
	}
}

// completeEntry is completeLines for one entry that a listing told of.
func (n *Namespace) completeEntry(ctx context.Context, e Entry) (Entry, error) {
	if e.Exact || n.o.Posix == PosixOff {
		return e, nil
	}
	dir, rel := n.keys.RowOf(e)
	if rel == "" && e.Size == 0 {
		return e, nil
	}
	lines := []line{{rel: rel, entry: e}}
	x, err := n.indexOf(ctx, dir, lines)
	if err != nil {
		return Entry{}, err
	}
	if len(n.cover(dir, x, lines)) > 0 {
		return n.Stat(ctx, e)
	}
	got := lines[0].entry
	if got.Kind == Directory && !got.Exact && got.Attr != e.Attr {
		return n.Confirm(ctx, got) // the index tells of it, but perhaps of an older version
	}
	return got, nil
}

// indexOf returns the index of a directory, or nil if there is none, as of a time
// after some rows were listed. A special file of another mount comes after the index
// of its directory. So if there is no index then, none of the rows is such a file.
func (n *Namespace) indexOf(ctx context.Context, dir string, lines []line) (*attrs.Table, error) {
	since := n.lastSeen(dir, lines)
	x, err := n.index.Table(ctx, dir, since)
	if err != nil || !since.IsZero() {
		return x, err
	}
	// The catalogue may have been loaded just now, and be older than the rows.
	if since = n.lastSeen(dir, lines); since.IsZero() {
		return x, nil
	}
	return n.index.Table(ctx, dir, since)
}

// lastSeen returns when the youngest small objects were listed, if that was after the
// catalogue of indexes, and otherwise the zero time.
func (n *Namespace) lastSeen(dir string, lines []line) time.Time {
	catalogued, any := n.index.Listed()
	if !any {
		return time.Time{} // no mount has stored attributes in this bucket
	}
	var last time.Time
	for i := range lines {
		e := &lines[i].entry
		young := e.Kind == File && e.Size <= attrs.SpecialSize && e.LastModified.After(catalogued.Add(-entry.OwnSlack))
		if lines[i].known() || !young {
			continue
		}
		told, ok := n.known.Told(dir, lines[i].rel)
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
func (n *Namespace) remember(dir string, asked []*line) {
	entries := make(map[string]*Entry, len(asked))
	for _, ln := range asked {
		if !ln.gone {
			entries[ln.rel] = &ln.entry
		}
	}
	n.local.Remember(dir, entries)
}
