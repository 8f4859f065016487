package namespace

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/s3mount/s3mount/fs/entry"
	"github.com/s3mount/s3mount/s3"
)

// specialSize is the largest object that a listing may show for a symlink
// (PATH_MAX); other special files are empty.
const specialSize = 4096

// each runs f on all items, limit at a time, and returns the first error.
func each[T any](ctx context.Context, limit int, items []T, f func(context.Context, T) error) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(limit)
	for _, it := range items {
		g.Go(func() error { return f(ctx, it) })
	}
	return g.Wait()
}

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
	err = each(ctx, n.o.Connections, ask, n.askLine)
	n.rememberLocally(dir, ask)
	return err
}

// cover gives the rows of a directory the attributes that hints tell, and returns
// the rows that a listing cannot be trusted with. x is nil if there is no index.
func (n *Namespace) cover(dir string, x *attrIndex, lines []line) (ask []*line) {
	full := n.o.Posix == PosixFull
	if x == nil && !full {
		return nil
	}
	local := n.localAttrs(dir)
	for i := range lines {
		ln := &lines[i]
		if ln.known() {
			continue
		}
		found := false
		if x != nil {
			ln.exact, found = n.attrsOf(x, ln.rel, &ln.entry)
		}
		if !found && n.knownLocally(local, ln.rel, &ln.entry) {
			ln.exact, found = true, true
		}
		ln.unsure = !found && mayBeSpecial(x, &ln.entry)
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

// mayBeSpecial reports whether an object that the index of its directory does not
// tell of may be a symlink or another special file: only where the index says that
// there are such.
func mayBeSpecial(x *attrIndex, e *Entry) bool {
	return x != nil && x.special && e.Kind == File && e.Size <= specialSize
}

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
	n.mu.Lock()
	defer n.mu.Unlock()
	var p *page
	for i := range lines {
		ln := &lines[i]
		if !ln.exact {
			continue
		}
		if p == nil || !p.covers(ln.rel) {
			if p != nil {
				n.pages.Put(pageKey(p), p, p.until)
			}
			if p = n.pageOf(dir, ln.rel); p == nil {
				return
			}
			n.pages.Delete(pageKey(p)) // its cost changes
		}
		p.setAttr(ln.rel, &ln.entry)
	}
	if p != nil {
		n.pages.Put(pageKey(p), p, p.until)
	}
}

// setAttr notes the attributes of a row, if it still is of the same version.
func (p *page) setAttr(rel string, e *Entry) {
	i, found := p.search(rel)
	if !found {
		return
	}
	r := &p.rows[i]
	if r.size != e.Size || r.attr > 0 || p.etag(r) != e.ETag {
		return
	}
	p.addAttr(r, specialOf(e))
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
func (n *Namespace) indexOf(ctx context.Context, dir string, lines []line) (*attrIndex, error) {
	since := n.lastSeen(dir, lines)
	x, err := n.indexFor(ctx, dir, since)
	if err != nil || !since.IsZero() {
		return x, err
	}
	// The catalogue may have been loaded just now, and be older than the rows.
	if since = n.lastSeen(dir, lines); since.IsZero() {
		return x, nil
	}
	return n.indexFor(ctx, dir, since)
}

// lastSeen returns when the youngest small objects were listed, if that was after the
// catalogue of indexes, and otherwise the zero time.
func (n *Namespace) lastSeen(dir string, lines []line) time.Time {
	n.mu.Lock()
	defer n.mu.Unlock()
	c := &n.catalogue
	if len(c.etags) == 0 {
		return time.Time{} // no mount has stored attributes in this bucket
	}
	var last time.Time
	for i := range lines {
		e := &lines[i].entry
		young := e.Kind == File && e.Size <= specialSize && e.LastModified.After(c.when.Add(-entry.OwnSlack))
		if lines[i].known() || !young {
			continue
		}
		told := n.now()
		if p := n.pageOf(dir, lines[i].rel); p != nil {
			told = p.told
		}
		if told.After(c.when) && told.After(last) {
			last = told
		}
	}
	return last
}

// prefetchIndexes reads the indexes of directories that a walk will come to.
func (n *Namespace) prefetchIndexes(pages []*page) {
	n.mu.Lock()
	var dirs []string
	for _, p := range pages {
		if _, held := n.indexes.Get(p.dir); !held && n.hasIndex(p.dir) && !strings.HasPrefix(p.dir, n.keys.ReservedDir()) {
			dirs = append(dirs, p.dir)
		}
	}
	if len(dirs) > 0 {
		n.goLocked(func() {
			// An error comes again when the directory is read.
			_ = each(n.life, n.o.Connections, dirs, func(ctx context.Context, dir string) error {
				n.mu.Lock()
				w := n.loadIndex(dir)
				n.mu.Unlock()
				_, err := n.awaitIndex(ctx, w)
				return err
			})
		})
	}
	n.mu.Unlock()
}
