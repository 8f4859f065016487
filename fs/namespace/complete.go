package namespace

import (
	"context"
	"errors"
	"strings"

	"golang.org/x/sync/errgroup"

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

// completeLines gives the rows of a directory their attributes: from its index,
// and where that does not cover them from the objects, in parallel. A directory
// without an index costs nothing.
func (n *Namespace) completeLines(ctx context.Context, dir string, lines []line) error {
	open := 0
	for i := range lines {
		if !lines[i].known() {
			open++
		}
	}
	if open == 0 || n.o.Posix == PosixOff {
		return nil
	}
	x, err := n.indexFor(ctx, dir)
	if err != nil {
		return err
	}
	if x == nil && n.o.Posix != PosixFull {
		return nil
	}
	var ask []*line
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
		isDir := ln.entry.Kind == Directory
		if !found && (!isDir || n.o.Posix == PosixFull || !ln.entry.Implicit) {
			ask = append(ask, ln)
		}
	}
	n.keepAttrs(dir, lines)
	err = each(ctx, n.o.Connections, ask, n.askLine)
	n.rememberLocally(dir, ask)
	return err
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
	dir, rel := n.rowOf(e)
	if rel == "" && e.Size == 0 {
		return e, nil
	}
	x, err := n.indexFor(ctx, dir)
	if err != nil {
		return Entry{}, err
	}
	ask := n.o.Posix == PosixFull
	if x == nil && ask && n.knownLocally(n.localAttrs(dir), rel, &e) {
		n.keepAttrs(dir, []line{{rel: rel, entry: e, exact: true}})
		return e, nil
	}
	if x != nil {
		exact, found := n.attrsOf(x, rel, &e)
		if exact {
			n.keepAttrs(dir, []line{{rel: rel, entry: e, exact: true}})
			return e, nil
		}
		ask = ask || found || e.Kind != Directory || !e.Implicit
	}
	if !ask && !n.mayBeSpecial(&e) {
		return e, nil
	}
	return n.Stat(ctx, e)
}

// mayBeSpecial reports whether a small object was written since the catalogue
// of indexes was listed, in a bucket that has such: another mount may have
// made a symlink of which the catalogue does not tell yet.
func (n *Namespace) mayBeSpecial(e *Entry) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	c := &n.catalogue
	return e.Kind == File && e.Size <= specialSize && len(c.etags) > 0 && e.LastModified.After(c.when.Add(-ownSlack))
}

// prefetchIndexes reads the indexes of directories that a walk will come to.
func (n *Namespace) prefetchIndexes(pages []*page) {
	n.mu.Lock()
	var dirs []string
	for _, p := range pages {
		if _, held := n.indexes.Get(p.dir); !held && n.hasIndex(p.dir) && !strings.HasPrefix(p.dir, n.o.Prefix+reservedDir) {
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
