package attrs

import (
	"context"
	"strings"
	"time"

	"github.com/s3mount/s3mount/cache"
	"github.com/s3mount/s3mount/fs/background"
	"github.com/s3mount/s3mount/fs/entry"
	"github.com/s3mount/s3mount/fs/lockorder"
)

// Index answers which attributes a version has, from the indexes of directories, and
// writes the changes of this mount into them.
type Index struct {
	store     Store
	listing   Listing
	jobs      *background.Group
	o         *Options
	catalogue *catalogue
	reader    *reader

	mu      lockorder.Mutex[lockorder.Index]
	pending map[string]*pendingRows // changes that are not written, by directory
	timer   *time.Timer             // looks after pending
	refused bool                    // S3 does not let this mount write indexes
}

// pendingRows are the changes of one index that are not written.
type pendingRows struct {
	rows        map[string]*Row // nil for a row that is gone
	first, last time.Time
	writing     bool
}

// New returns the index and the local memory of attributes. It makes no request.
func New(store Store, listing Listing, jobs *background.Group, o Options) (*Index, *Local) {
	c := &catalogue{store: store, listing: listing, jobs: jobs, o: &o}
	tables := cache.NewMetadata(tableMemory, tableCost)
	x := &Index{store: store, listing: listing, jobs: jobs, o: &o, catalogue: c, pending: map[string]*pendingRows{}}
	x.reader = &reader{
		store: store, catalogue: c, tables: tables, jobs: jobs, o: &o,
		loading: map[string]*tableLoad{}, ignored: map[string]string{},
	}
	return x, newLocal(listing, jobs, tables, &o)
}

// Forget drops everything that is cached. Changes that are not written stay.
func (x *Index) Forget() {
	x.reader.tables.Purge()
	x.catalogue.clear()
}

// Key returns the key of the index of a directory.
func (x *Index) Key(dir string) string { return x.catalogue.key(dir) }

// Listed returns when the indexes of the bucket were listed, and whether there are any.
func (x *Index) Listed() (when time.Time, any bool) { return x.catalogue.listed() }

// Hints reports whether a directory has an index or will get one.
func (x *Index) Hints(dir string) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.pending[dir] != nil || x.catalogue.has(dir)
}

// PrefetchCatalogue lists the indexes of the bucket in the background, beside the
// listing that will need them.
func (x *Index) PrefetchCatalogue() {
	if x.o.Posix == PosixOff || x.catalogue.fresh(time.Time{}) {
		return
	}
	x.jobs.Go(func(ctx context.Context) {
		_ = x.catalogue.load(ctx, time.Time{}) // an error comes again when the catalogue is needed
	})
}

// Prefetch reads the indexes of directories in the background, for a walk that will
// come to them.
func (x *Index) Prefetch(dirs []string) {
	var missing []string
	for _, dir := range dirs {
		if _, held := x.reader.tables.Get(dir); !held && x.catalogue.has(dir) && !x.reserved(dir) {
			missing = append(missing, dir)
		}
	}
	if len(missing) == 0 {
		return
	}
	x.jobs.Go(func(ctx context.Context) {
		// An error comes again when the directory is read.
		_ = background.Each(ctx, x.o.Connections, missing, func(ctx context.Context, dir string) error {
			_, err := x.reader.await(ctx, dir)
			return err
		})
	})
}

// reserved reports whether a key is one of the hints of this tool.
func (x *Index) reserved(key string) bool { return strings.HasPrefix(key, x.o.Root.ReservedDir()) }

// Table returns the index of a directory, or nil if there is none and no change waits
// to be written. It is not older than since.
func (x *Index) Table(ctx context.Context, dir string, since time.Time) (*Table, error) {
	if x.o.Posix == PosixOff || x.reserved(dir) {
		return nil, nil
	}
	t, err := x.reader.table(ctx, dir, since)
	if t != nil || err != nil {
		return t, err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.pending[dir] != nil {
		return &Table{}, nil
	}
	return nil, nil
}

// Complete gives an entry the attributes that the index of its directory has for it. A
// row is believed if ETag, size and Last-Modified agree, and if the index was written
// in a later second than the object: otherwise another writer may have changed the
// attributes after that. A delimited listing shows no version of a subdirectory, so its
// row is a hint; exact is then false.
func (x *Index) Complete(t *Table, rel string, e *entry.Entry) (exact, found bool) {
	r, have := x.pendingRow(e.Key[:len(e.Key)-len(rel)], rel)
	if !have {
		r, have = t.rows[rel]
		have = have && e.LastModified.Unix() < t.mod
	}
	if !have {
		return false, false
	}
	same := r.etag == e.ETag && r.size == e.Size && r.dates(e.LastModified.Unix())
	hint := e.Kind == entry.Directory && e.Implicit && r.kind == entry.Directory
	if !same && !hint {
		return false, false
	}
	if !hint {
		e.Kind, e.Exact = r.kind, true
	}
	e.Attr, e.Target = r.attr.Unpack(r.xattr), r.target
	return e.Exact, true
}

// pendingRow returns a row that is not written yet.
func (x *Index) pendingRow(dir, rel string) (Row, bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if p := x.pending[dir]; p != nil && p.rows[rel] != nil {
		return *p.rows[rel], true
	}
	return Row{}, false
}

// Note takes in a change of this mount, or the answer to a HEAD. Only attributes that a
// listing does not show start an index. An index that exists follows every change.
func (x *Index) Note(c entry.Change) {
	if x.o.Posix == PosixOff || x.o.ReadOnly {
		return
	}
	dir, rel := x.o.Root.RowOf(c.Entry)
	if rel == "" && c.Entry.Size == 0 || x.reserved(c.Entry.Key) {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if c.Gone {
		// A row without its object is harmless. It is dropped when the index is
		// written for another reason.
		if p := x.pending[dir]; p != nil && c.Own {
			p.rows[rel] = nil
		}
		return
	}
	row := rowFor(&c.Entry, c.Own)
	if x.refused || !c.Entry.Exact || c.Entry.ETag == "" || !x.wants(dir, rel, row, &c) {
		return
	}
	p := x.change(dir)
	p.rows[rel] = row
	p.last = time.Now()
	x.schedule()
}

// wants reports whether an index should have the row of an object. It should if this
// mount wrote the object and there is an index or a listing would show the object
// wrong, or if this mount saw the object and the index in memory differs. x.mu is held.
func (x *Index) wants(dir, rel string, row *Row, c *entry.Change) bool {
	if c.Own && x.pending[dir] != nil {
		return true
	}
	if !x.catalogue.has(dir) {
		return (c.Own || x.o.Posix == PosixFull) && !x.o.Defaults.Show(&c.Entry)
	}
	if c.Own {
		return true
	}
	k, held := x.reader.tables.Get(dir)
	if !held {
		return false
	}
	old, ok := k.Value.rows[rel]
	same := ok && old.etag == row.etag && old.size == row.size && old.attr == row.attr &&
		old.xattr == row.xattr && old.kind == row.kind
	return !same || !old.dates(row.mod) || row.mod >= k.Value.mod
}

// change returns the changes of a directory. x.mu is held.
func (x *Index) change(dir string) *pendingRows {
	p := x.pending[dir]
	if p == nil {
		p = &pendingRows{rows: map[string]*Row{}, first: time.Now(), last: time.Now()}
		x.pending[dir] = p
	}
	return p
}

// Start gives a directory an index. A directory with an index shows that some of its
// objects may have attributes, so they are read when somebody looks at them.
func (x *Index) Start(dir string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.change(dir)
	x.schedule()
}

// Follow gives the directory to an index if the directory from has one. It is for an
// entry with unknown attributes that moves from one to the other: they are then read
// when somebody looks, as before.
func (x *Index) Follow(from, to string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.catalogue.has(from) || x.catalogue.has(to) || x.o.ReadOnly || x.refused {
		return
	}
	x.change(to)
	x.schedule()
}

// Drop forgets the index of a directory that is deleted, and returns the key of its
// object, or "" if there is none.
func (x *Index) Drop(dir string) (key string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	delete(x.pending, dir)
	x.reader.tables.Delete(dir)
	possible := x.catalogue.drop(dir)
	if !possible || x.o.ReadOnly || x.refused {
		return ""
	}
	return x.catalogue.key(dir)
}
