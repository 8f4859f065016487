package namespace

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/s3mount/s3mount/fs/entry"
	"github.com/s3mount/s3mount/s3"
)

// indexDir is where the attribute indexes are, below the mount's root.
const indexDir = entry.ReservedRel + "attrs/"

const (
	// indexMemory bounds the indexes that are held: a row takes some 200 bytes,
	// and what is needed of them moves to the pages soon.
	indexMemory = 32 << 20
	// maxIndexSize bounds one index object: 500,000 rows.
	maxIndexSize = 64 << 20
	indexRowCost = 200
)

// attrIndex is the attribute index of one directory as S3 holds it.
type attrIndex struct {
	etag string // "" if there is none, only changes of this mount
	mod  int64  // Last-Modified in seconds
	rows map[string]attrRow
	// special: there are symlinks and other special files, perhaps some of which the
	// rows do not tell.
	special bool
	// sealed: the server does not show the index, so that this mount cannot replace it
	// without losing what is in it.
	sealed bool
	// absent: there is no such object, although the catalogue tells of one.
	absent bool
}

// setRows replaces the rows of an index.
func (x *attrIndex) setRows(rows map[string]attrRow) {
	x.rows, x.special = rows, false
	for _, r := range rows {
		x.special = x.special || isSpecial(r.kind)
	}
}

// isSpecial reports whether a file of this kind looks like a plain file in a listing.
func isSpecial(k Kind) bool { return k != File && k != Directory }

func indexCost(_ string, x *attrIndex) int64 {
	n := indexRowCost * (1 + len(x.rows))
	for _, r := range x.rows {
		n += len(r.xattr)
	}
	return int64(n)
}

// catalogue tells which directories have an index: one LIST instead of a GET
// per directory, and none at all where the root's listing shows that this tool
// never wrote a hint.
type catalogue struct {
	when  time.Time // when it was listed, zero if never
	more  bool      // there is more than one page: what is not in it may exist
	etags map[string]indexTag
}

// indexTag is the version of an index.
type indexTag struct {
	etag string
	own  time.Time // when this mount wrote it, zero if a listing told of it
}

// indexKey is the key of the index of a directory. The name is a hash, so that
// it is never too long and never special.
func (n *Namespace) indexKey(dir string) string {
	return n.o.Prefix + indexDir + indexName(strings.TrimPrefix(dir, n.o.Prefix))
}

func indexName(rel string) string {
	sum := sha256.Sum256([]byte(rel))
	return hex.EncodeToString(sum[:16])
}

// prefetchCatalogue loads the catalogue beside the listing that will need it.
func (n *Namespace) prefetchCatalogue() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.o.Posix == PosixOff || n.catalogueFresh(time.Time{}) {
		return
	}
	n.goLocked(func() {
		_ = n.loadCatalogue(n.life, time.Time{}) // an error comes again when the catalogue is needed
	})
}

// catalogueFresh reports whether the catalogue may be believed, and was listed after
// since. A fresh listing of the root that does not show the reserved directory makes
// it empty. n.mu is held.
func (n *Namespace) catalogueFresh(since time.Time) bool {
	now := n.now()
	trust := max(n.o.TTL, minTrust)
	fresh := func() bool {
		when := n.catalogue.when
		return !when.IsZero() && now.Sub(when) < trust && !when.Before(since)
	}
	if fresh() {
		return true
	}
	p := n.pageOf(n.o.Prefix, entry.ReservedRel)
	if p == nil || !now.Before(p.until) {
		return false
	}
	if _, found := p.search(entry.ReservedRel); !found {
		n.setCatalogue(p.when, &s3.LsPage{})
	}
	return fresh()
}

// loadCatalogue makes sure that the catalogue is not too old, and was listed after
// since.
func (n *Namespace) loadCatalogue(ctx context.Context, since time.Time) error {
	n.mu.Lock()
	fresh := n.catalogueFresh(since)
	n.mu.Unlock()
	if fresh {
		return nil
	}
	s := stretch{dir: n.o.Prefix + indexDir, catalogue: true}
	_, err := n.fetchSince(ctx, s, since)
	n.mu.Lock()
	older := n.catalogue.when.Before(since) // it shared a LIST that began before
	n.mu.Unlock()
	if err == nil && older {
		_, err = n.fetchSince(ctx, s, since)
	}
	if err != nil && unusable(err) {
		// A policy that hides the hints: there are none for this mount.
		n.mu.Lock()
		defer n.mu.Unlock()
		n.setCatalogue(n.now(), &s3.LsPage{})
		return nil
	}
	if err != nil {
		return fmt.Errorf("list attribute indexes: %w", err)
	}
	return nil
}

// setCatalogue takes in a listing of the indexes, with those that this mount
// wrote since the listing began. n.mu is held.
func (n *Namespace) setCatalogue(when time.Time, got *s3.LsPage) {
	if when.Before(n.catalogue.when) {
		return
	}
	c := catalogue{when: when, more: got.NextToken != "", etags: map[string]indexTag{}}
	for _, o := range got.Objects {
		c.etags[strings.TrimPrefix(o.Key, n.o.Prefix+indexDir)] = indexTag{etag: o.ETag}
	}
	for name, tag := range n.catalogue.etags {
		if !tag.own.Before(c.when) {
			c.etags[name] = tag
		}
	}
	n.catalogue = c
}

// indexFor returns the index of a directory with the changes that are not yet
// written, or nil if there is none. What it says is not older than since.
func (n *Namespace) indexFor(ctx context.Context, dir string, since time.Time) (*attrIndex, error) {
	if n.o.Posix == PosixOff || strings.HasPrefix(dir, n.keys.ReservedDir()) {
		return nil, nil
	}
	if err := n.loadCatalogue(ctx, since); err != nil {
		return nil, err
	}
	n.mu.Lock()
	tag, exists := n.catalogue.etags[indexName(strings.TrimPrefix(dir, n.o.Prefix))]
	exists = exists || n.catalogue.more
	k, cached := n.indexes.Get(dir)
	changed := n.changes[dir] != nil
	var w *indexLoad
	same := cached && (tag.etag == "" || k.Value.etag == tag.etag)
	if cached && (k.Value.sealed || k.Value.absent) {
		same = !k.Since.Before(n.catalogue.when) // asked again after each catalogue
	}
	fresh := same && n.now().Before(k.Until)
	if !fresh && exists {
		w = n.loadIndex(dir)
	}
	n.mu.Unlock()
	switch {
	case fresh && !k.Value.absent:
		return k.Value, nil
	case fresh && changed:
		return &attrIndex{}, nil
	case fresh:
		return nil, nil
	case exists:
		return n.awaitIndex(ctx, w)
	case changed:
		return &attrIndex{}, nil
	}
	return nil, nil
}

// loadIndex begins to read an index, or joins those who do. n.mu is held.
func (n *Namespace) loadIndex(dir string) *indexLoad {
	w := n.loading[dir]
	if w == nil {
		w = &indexLoad{done: make(chan struct{})}
		n.loading[dir] = w
		n.goLocked(func() {
			w.index, w.err = n.readIndex(n.life, dir)
			n.mu.Lock()
			delete(n.loading, dir)
			switch {
			case w.err != nil:
			case w.index == nil:
				n.indexes.Put(dir, &attrIndex{absent: true}, n.now().Add(n.o.TTL))
			default:
				n.indexes.Put(dir, w.index, n.now().Add(n.o.TTL))
			}
			n.mu.Unlock()
			close(w.done)
		})
	}
	return w
}

// awaitIndex waits for an index that is being read.
func (n *Namespace) awaitIndex(ctx context.Context, w *indexLoad) (*attrIndex, error) {
	select {
	case <-w.done:
		return w.index, w.err
	case <-ctx.Done():
		return nil, fmt.Errorf("read attribute index: %w", context.Cause(ctx))
	case <-n.life.Done():
		return nil, fmt.Errorf("read attribute index: %w", ErrClosed)
	}
}

// indexLoad is a GET of an index that several may wait for.
type indexLoad struct {
	done  chan struct{}
	index *attrIndex
	err   error
}

// readIndex performs the GET. An index that cannot be read counts as one without
// rows, and this mount does not write it. One that is damaged counts as one without
// rows as well, and the next write replaces it.
func (n *Namespace) readIndex(ctx context.Context, dir string) (*attrIndex, error) {
	out, err := n.store.Get(ctx, &s3.GetInput{Bucket: n.o.Bucket, Key: n.indexKey(dir)})
	switch {
	case errors.Is(err, s3.ErrNotFound):
		return nil, nil
	case err != nil && !unusable(err):
		return nil, fmt.Errorf("read attribute index of %q: %w", dir, err)
	case err != nil:
		etag := n.listedIndex(dir)
		n.ignoreIndex(dir, etag, err)
		if errors.Is(err, s3.ErrChecksum) && etag != "" {
			return &attrIndex{etag: etag, special: true}, nil
		}
		return &attrIndex{special: true, sealed: true}, nil
	}
	defer out.Body.Close()
	x := &attrIndex{etag: out.ETag, mod: out.LastModified.Unix(), special: true}
	rows, err := n.rowsOf(out, dir)
	switch {
	case err != nil && !errors.Is(err, errIndex) && !unusable(err):
		return nil, fmt.Errorf("read attribute index of %q: %w", dir, err)
	case err != nil:
		n.ignoreIndex(dir, out.ETag, err)
	default:
		x.setRows(rows)
	}
	return x, nil
}

// listedIndex returns the ETag of an index as the catalogue tells it.
func (n *Namespace) listedIndex(dir string) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.catalogue.etags[indexName(strings.TrimPrefix(dir, n.o.Prefix))].etag
}

// unusable reports whether an error is of one object, and comes again: the server
// refuses to show it, or its bytes are not those that were stored. Any other error
// says that S3 cannot be asked at present.
func unusable(err error) bool {
	var e *s3.Error
	return errors.Is(err, s3.ErrChecksum) || errors.As(err, &e) && e.Status >= 400 && e.Status < 500 && !errors.Is(err, s3.ErrTransient)
}

// rowsOf reads the rows of an index.
func (n *Namespace) rowsOf(out *s3.GetOutput, dir string) (map[string]attrRow, error) {
	if out.Size > maxIndexSize {
		return nil, fmt.Errorf("%w: %d bytes are too many", errIndex, out.Size)
	}
	data, err := io.ReadAll(io.LimitReader(out.Body, maxIndexSize))
	if err != nil {
		return nil, err
	}
	rel, rows, err := decodeIndex(data)
	if err == nil && rel != strings.TrimPrefix(dir, n.o.Prefix) {
		err = fmt.Errorf("%w: it is that of %q", errIndex, rel)
	}
	return rows, err
}

// ignoreIndex logs once that a version of an index is not used.
func (n *Namespace) ignoreIndex(dir, etag string, err error) {
	n.mu.Lock()
	old, known := n.ignored[dir]
	if len(n.ignored) >= maxIgnored {
		clear(n.ignored)
	}
	n.ignored[dir] = etag
	n.mu.Unlock()
	if !known || old != etag {
		n.o.Logger.Warn("an attribute index is not used", "dir", dir, "key", n.indexKey(dir), "err", err)
	}
}

// maxIgnored bounds the indexes of which a mount remembers that it logged them.
const maxIgnored = 1000

// carryDoubt gives the directory that a file moves to an index, if that of the file
// has one which does not tell of the file: its attributes are then read when somebody
// looks, as they would have been before.
func (n *Namespace) carryDoubt(e Entry, key string) {
	from, _ := n.keys.SplitFile(e.Key)
	to, _ := n.keys.SplitFile(key)
	n.mu.Lock()
	defer n.mu.Unlock()
	if e.Exact || !n.hasIndex(from) || n.hasIndex(to) || n.o.ReadOnly || n.noIndex {
		return
	}
	n.change(to)
	n.scheduleIndexes()
}

// attrsOf finds the attributes of an entry in the index of its directory. A
// row is believed if ETag, size and Last-Modified agree, and if the index was
// written in a later second than the object: otherwise another writer may have
// changed the attributes after that. Of a subdirectory a delimited listing tells
// no version: its row is a hint, which the next lookup by name confirms, and
// exact is false.
func (n *Namespace) attrsOf(x *attrIndex, rel string, e *Entry) (exact, found bool) {
	n.mu.Lock()
	dir := e.Key[:len(e.Key)-len(rel)]
	r, have := attrRow{}, false
	if c := n.changes[dir]; c != nil && c.rows[rel] != nil {
		r, have = *c.rows[rel], true
	}
	n.mu.Unlock()
	if !have {
		r, have = x.rows[rel]
		have = have && e.LastModified.Unix() < x.mod
	}
	if !have {
		return false, false
	}
	same := r.etag == e.ETag && r.size == e.Size && r.dates(e.LastModified.Unix())
	hint := e.Kind == Directory && e.Implicit && r.kind == Directory
	if !same && !hint {
		return false, false
	}
	if !hint {
		e.Kind, e.Exact = r.kind, true
	}
	e.Attr, e.Target = r.attr.Unpack(r.xattr), r.target
	return e.Exact, true
}

// rowFor is the row of an entry whose attributes are known.
func rowFor(e *Entry, own bool) *attrRow {
	return &attrRow{
		kind: e.Kind, approx: own, etag: e.ETag, size: e.Size, mod: e.LastModified.Unix(),
		attr: e.Attr.Pack(), target: e.Target, xattr: e.Attr.Xattr,
	}
}
