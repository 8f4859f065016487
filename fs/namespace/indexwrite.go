package namespace

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/s3mount/s3mount/fs/entry"
	"github.com/s3mount/s3mount/s3"
)

const (
	// indexIdle is how long a directory must be quiet before its index is
	// written: also long enough that the index is younger by a second than
	// all that its rows may stand for (dateLag), so that they stay as they are
	// when the index is written again (agedRows).
	indexIdle = 2100 * time.Millisecond
	// indexLast is the same for the last index of a mount: the next mount hears
	// its true Last-Modified, which is younger by a second than all objects.
	indexLast = 1100 * time.Millisecond
	// indexBusy is how long changes wait at most in a directory that is never quiet.
	indexBusy = 15 * time.Second
	// indexTries is how often an index is merged again that another mount
	// wrote meanwhile. After that the changes are dropped: they are hints.
	indexTries = 5
	// indexWriters is how many indexes are written at once: few, since files
	// that wait for their commit are more urgent.
	indexWriters = 8
)

// changeSet holds the changes of one directory's index that are not written.
type changeSet struct {
	rows        map[string]*attrRow // nil: gone
	first, last time.Time
	writing     bool
}

// indexNote takes a change of this mount, or what a HEAD told, into the
// changes of the directory's index. Only attributes that a listing does not
// show start an index; an index that exists follows every change. n.mu is held.
func (n *Namespace) indexNote(m entry.Change) {
	if n.o.Posix == PosixOff || n.o.ReadOnly || n.noIndex {
		return
	}
	dir, rel := n.keys.RowOf(m.Entry)
	if rel == "" && m.Entry.Size == 0 || strings.HasPrefix(m.Entry.Key, n.keys.ReservedDir()) {
		return
	}
	c := n.changes[dir]
	if m.Gone {
		// A row without its object is harmless: it goes when the index is
		// written for another reason.
		if c != nil && m.Own {
			c.rows[rel] = nil
		}
		return
	}
	e := m.Entry
	row := rowFor(&e, m.Own)
	if !e.Exact || e.ETag == "" || !n.rowWanted(dir, rel, row, m) {
		return
	}
	c = n.change(dir)
	c.rows[rel] = row
	c.last = n.now()
	n.scheduleIndexes()
}

// rowWanted reports whether an index should tell of an object: of what this
// mount wrote if there is an index or the listing alone would show it wrong; of
// what it only saw if the index that is held tells otherwise. n.mu is held.
func (n *Namespace) rowWanted(dir, rel string, row *attrRow, m entry.Change) bool {
	e := m.Entry
	if c := n.changes[dir]; c != nil && m.Own {
		return true
	}
	k, held := n.indexes.Get(dir)
	if !n.hasIndex(dir) {
		return (m.Own || n.o.Posix == PosixFull) && !n.defaults.Show(&e)
	}
	if m.Own {
		return true
	}
	if !held {
		return false
	}
	old, ok := k.Value.rows[rel]
	same := ok && old.etag == row.etag && old.size == row.size && old.attr == row.attr &&
		old.xattr == row.xattr && old.kind == row.kind
	return !same || !old.dates(row.mod) || row.mod >= k.Value.mod
}

// change returns the changes of a directory's index, new if there are none. n.mu is held.
func (n *Namespace) change(dir string) *changeSet {
	c := n.changes[dir]
	if c == nil {
		c = &changeSet{rows: map[string]*attrRow{}, first: n.now(), last: n.now()}
		n.changes[dir] = c
	}
	return c
}

// hasIndex reports whether a directory is known to have an index. n.mu is held.
func (n *Namespace) hasIndex(dir string) bool {
	_, ok := n.catalogue.etags[indexName(strings.TrimPrefix(dir, n.o.Prefix))]
	return ok
}

// scheduleIndexes makes sure that somebody looks after the changes. n.mu is held.
func (n *Namespace) scheduleIndexes() {
	if n.indexTimer != nil || n.life.Err() != nil {
		return
	}
	n.indexTimer = time.AfterFunc(indexIdle, func() {
		n.mu.Lock()
		n.indexTimer = nil
		due := n.dueIndexes(false)
		if len(n.changes) > 0 {
			n.scheduleIndexes()
		}
		n.goLocked(func() { n.writeIndexes(n.life, due) })
		n.mu.Unlock()
	})
}

// dueIndexes returns the directories whose index is to be written now. n.mu is held.
func (n *Namespace) dueIndexes(all bool) []string {
	now := n.now()
	var due []string
	for dir, c := range n.changes {
		if !c.writing && (all || now.Sub(c.last) >= indexIdle || now.Sub(c.first) >= indexBusy) {
			c.writing = true
			due = append(due, dir)
		}
	}
	return due
}

// writeIndexes writes the indexes of some directories. What fails is logged
// and dropped: the attributes are on the objects.
func (n *Namespace) writeIndexes(ctx context.Context, dirs []string) {
	each(ctx, indexWriters, dirs, func(ctx context.Context, dir string) error {
		if err := n.writeIndex(ctx, dir); err != nil && ctx.Err() == nil {
			n.o.Logger.Info("attribute index not written", "dir", dir, "err", err)
			if errors.Is(err, s3.ErrForbidden) {
				n.mu.Lock()
				n.noIndex = true
				clear(n.changes)
				n.mu.Unlock()
			}
		}
		return nil
	})
}

// writeIndex merges the changes of a directory into its index.
func (n *Namespace) writeIndex(ctx context.Context, dir string) error {
	n.mu.Lock()
	c := n.changes[dir]
	if c == nil {
		n.mu.Unlock()
		return nil
	}
	rows := maps.Clone(c.rows)
	busy := n.now().Sub(c.last) < indexLast
	n.mu.Unlock()
	x, err := n.mergeIndex(ctx, dir, rows)
	n.mu.Lock()
	defer n.mu.Unlock()
	if err == nil {
		n.indexes.Put(dir, x, n.now().Add(n.o.TTL))
		if n.catalogue.etags != nil && !x.sealed {
			name := indexName(strings.TrimPrefix(dir, n.o.Prefix))
			n.catalogue.etags[name] = indexTag{etag: x.etag, own: n.now()}
		}
	}
	c.writing = false
	c.first = n.now()
	for rel, r := range rows {
		young := busy && err == nil && r != nil && r.latest() >= x.mod
		if c.rows[rel] == r && !young { // a young one is written again, to be believed
			delete(c.rows, rel)
		}
	}
	if len(c.rows) == 0 && n.changes[dir] == c {
		delete(n.changes, dir)
	}
	return err
}

// needIndex makes sure that the index of a directory says that there are special
// files, before the directory gets its first one of a kind: no mount then takes it for
// a plain file on the word of a listing alone, even if this mount dies now. The row of
// the file stands for no version yet.
func (n *Namespace) needIndex(ctx context.Context, dir, rel string, k Kind) error {
	if n.o.Posix == PosixOff || n.o.ReadOnly {
		return nil
	}
	x, err := n.indexFor(ctx, dir, time.Time{})
	if err != nil {
		return err
	}
	n.mu.Lock()
	if x != nil && x.special || n.noIndex {
		n.mu.Unlock()
		return nil
	}
	n.change(dir).rows[rel] = noVersion(k)
	n.mu.Unlock()
	err = n.writeIndex(ctx, dir)
	if errors.Is(err, s3.ErrForbidden) {
		return nil // then there is no index anywhere, and nothing to lose
	}
	return err
}

// noVersion is the row of a special file of which nothing but the kind is known.
func noVersion(k Kind) *attrRow { return &attrRow{kind: k} }

// mergeIndex reads the index that exists, applies the changes and writes it,
// on the condition that nobody else did meanwhile.
func (n *Namespace) mergeIndex(ctx context.Context, dir string, rows map[string]*attrRow) (*attrIndex, error) {
	old, err := n.indexFor(ctx, dir, time.Time{})
	for try := 0; ; try++ {
		if err != nil {
			return nil, err
		}
		if old != nil && old.sealed {
			return old, nil
		}
		x, merged := &attrIndex{}, map[string]attrRow{}
		if old != nil {
			merged, x.etag = agedRows(old), old.etag
		}
		n.prune(dir, merged)
		for rel, r := range rows {
			switch had, ok := merged[rel]; {
			case r == nil:
				delete(merged, rel)
			case !ok || had.mod <= r.latest():
				merged[rel] = *r
			} // else another mount wrote a later version
		}
		x.setRows(merged)
		err = n.putIndex(ctx, dir, x)
		if !errors.Is(err, s3.ErrPreconditionFailed) && !errors.Is(err, s3.ErrConflict) || try == indexTries {
			return x, err
		}
		old, err = n.readIndex(ctx, dir)
	}
}

// agedRows returns the rows of an index for one that is written later. Only
// those objects were believed that are older than the index, and its rows know
// no more when it is written again: else a change of attributes that came after
// them would be hidden by its ETag.
func agedRows(x *attrIndex) map[string]attrRow {
	rows := make(map[string]attrRow, len(x.rows))
	for rel, r := range x.rows {
		switch {
		case r.latest() < x.mod:
		case r.approx:
			r.mod = x.mod - 1 - dateLag
		case isSpecial(r.kind):
			r = *noVersion(r.kind)
		default:
			continue
		}
		rows[rel] = r
	}
	return rows
}

// prune drops the rows of names that a listing younger than the row does not show.
func (n *Namespace) prune(dir string, rows map[string]attrRow) {
	n.mu.Lock()
	defer n.mu.Unlock()
	now := n.now()
	for rel, r := range rows {
		p := n.pageOf(dir, rel)
		if p == nil || !now.Before(p.until) || r.mod >= p.when.Add(-entry.OwnSlack).Unix() {
			continue
		}
		if _, found := p.search(rel); !found {
			delete(rows, rel)
		}
	}
}

// putIndex writes an index in place of the version x.etag.
func (n *Namespace) putIndex(ctx context.Context, dir string, x *attrIndex) error {
	data := encodeIndex(strings.TrimPrefix(dir, n.o.Prefix), x.rows)
	in := &s3.PutInput{Bucket: n.o.Bucket, Key: n.indexKey(dir), Body: bytes.NewReader(data), Size: int64(len(data))}
	in.ContentType = "application/octet-stream"
	in.IfMatch = x.etag
	if x.etag == "" {
		in.IfNoneMatch = "*"
	}
	out, err := n.store.Put(ctx, in)
	if err != nil {
		return fmt.Errorf("write attribute index of %q: %w", dir, err)
	}
	x.etag, x.mod = out.ETag, n.timeOf(out).Unix()
	return nil
}

// drainIndexes writes all changes, once they are old enough to be believed.
func (n *Namespace) drainIndexes(ctx context.Context) error {
	for {
		n.mu.Lock()
		wait := time.Duration(-1)
		for _, c := range n.changes {
			wait = max(wait, indexLast-n.now().Sub(c.last), 0)
		}
		if wait == 0 {
			due := n.dueIndexes(true)
			n.mu.Unlock()
			n.writeIndexes(ctx, due)
			if len(due) == 0 {
				wait = indexLast / 10 // the timer is at it
			}
		} else {
			n.mu.Unlock()
		}
		if wait < 0 {
			return nil
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return fmt.Errorf("write attribute indexes: %w", context.Cause(ctx))
		case <-n.life.Done():
			return nil
		}
	}
}
