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

	"github.com/s3mount/s3mount/s3"
)

// indexDir is where the attribute indexes are, below the mount's root.
const indexDir = reservedDir + "attrs/"

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
}

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
	if n.o.Posix == PosixOff || n.catalogueFresh() {
		return
	}
	n.goLocked(func() {
		_ = n.loadCatalogue(n.life) // an error comes again when the catalogue is needed
	})
}

// catalogueFresh reports whether the catalogue may be believed. A fresh listing
// of the root that does not show the reserved directory makes it empty. n.mu is held.
func (n *Namespace) catalogueFresh() bool {
	now := n.now()
	trust := max(n.o.TTL, minTrust)
	if !n.catalogue.when.IsZero() && now.Sub(n.catalogue.when) < trust {
		return true
	}
	p := n.pageOf(n.o.Prefix, reservedDir)
	if p == nil || !now.Before(p.until) {
		return false
	}
	if _, found := p.search(reservedDir); !found {
		n.setCatalogue(p.when, &s3.LsPage{})
	}
	return !n.catalogue.when.IsZero() && now.Sub(n.catalogue.when) < trust
}

// loadCatalogue makes sure that the catalogue is not too old.
func (n *Namespace) loadCatalogue(ctx context.Context) error {
	n.mu.Lock()
	fresh := n.catalogueFresh()
	n.mu.Unlock()
	if fresh {
		return nil
	}
	_, err := n.fetch(ctx, stretch{dir: n.o.Prefix + indexDir, catalogue: true})
	if errors.Is(err, s3.ErrForbidden) {
		// A policy that hides our hints: there are none for this mount.
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
// written, or nil if there is none.
func (n *Namespace) indexFor(ctx context.Context, dir string) (*attrIndex, error) {
	if n.o.Posix == PosixOff || strings.HasPrefix(dir, n.o.Prefix+reservedDir) {
		return nil, nil
	}
	if err := n.loadCatalogue(ctx); err != nil {
		return nil, err
	}
	n.mu.Lock()
	tag, exists := n.catalogue.etags[indexName(strings.TrimPrefix(dir, n.o.Prefix))]
	exists = exists || n.catalogue.more
	k, cached := n.indexes.Get(dir)
	changed := n.changes[dir] != nil
	var w *indexLoad
	fresh := cached && (tag.etag == "" || k.Value.etag == tag.etag) && n.now().Before(k.Until)
	if !fresh && exists {
		w = n.loadIndex(dir)
	}
	n.mu.Unlock()
	switch {
	case fresh:
		return k.Value, nil
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
			if w.err == nil && w.index != nil {
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

// readIndex performs the GET. An index that cannot be understood counts as one
// without rows: then each object is asked itself.
func (n *Namespace) readIndex(ctx context.Context, dir string) (*attrIndex, error) {
	out, err := n.store.Get(ctx, &s3.GetInput{Bucket: n.o.Bucket, Key: n.indexKey(dir)})
	if errors.Is(err, s3.ErrNotFound) || errors.Is(err, s3.ErrForbidden) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read attribute index of %q: %w", dir, err)
	}
	defer out.Body.Close()
	x := &attrIndex{etag: out.ETag, mod: out.LastModified.Unix()}
	data, err := io.ReadAll(io.LimitReader(out.Body, maxIndexSize))
	if err != nil {
		return nil, fmt.Errorf("read attribute index of %q: %w", dir, err)
	}
	rel, rows, err := decodeIndex(data)
	if err != nil || rel != strings.TrimPrefix(dir, n.o.Prefix) {
		n.o.Logger.Warn("attribute index is not used", "dir", dir, "err", err)
		return x, nil
	}
	x.rows = rows
	return x, nil
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
	e.Attr, e.Target = r.attr.unpack(r.xattr), r.target
	return e.Exact, true
}

// rowFor is the row of an entry whose attributes are known.
func rowFor(e *Entry, own bool) *attrRow {
	return &attrRow{
		kind: e.Kind, approx: own, etag: e.ETag, size: e.Size, mod: e.LastModified.Unix(),
		attr: packAttr(e.Attr), target: e.Target, xattr: e.Attr.Xattr,
	}
}

// plain reports whether a listing alone shows what an entry is.
func (n *Namespace) plain(e *Entry) bool {
	def := n.defaults(e.Kind, e.LastModified)
	a := e.Attr
	special := e.Kind != File && e.Kind != Directory
	return !special && a.Perm == def.Perm && a.UID == def.UID && a.GID == def.GID && a.Mtime.Equal(def.Mtime) &&
		a.Xattr == ""
}
