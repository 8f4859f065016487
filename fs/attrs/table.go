package attrs

import (
	"time"

	"github.com/s3mount/s3mount/fs/entry"
)

// Table is the attribute index of one directory, as S3 holds it. It does not change.
type Table struct {
	etag string // "" if there is no index, only changes of this mount
	mod  int64  // Last-Modified in seconds
	rows map[string]Row
	// special says that there are symlinks and other special files, perhaps some
	// without a row.
	special bool
	// sealed says that the server does not show the index, so that this mount cannot
	// replace it without losing its rows.
	sealed bool
	// absent says that there is no such object, although the catalogue has one.
	absent bool
}

// setRows replaces the rows.
func (t *Table) setRows(rows map[string]Row) {
	t.rows, t.special = rows, false
	for _, r := range rows {
		t.special = t.special || isSpecial(r.kind)
	}
}

// isSpecial reports whether a file of this kind looks like a plain file in a listing.
func isSpecial(k entry.Kind) bool { return k != entry.File && k != entry.Directory }

// SpecialSize is the size of the largest object that may be a symlink (PATH_MAX). Other
// special files are empty.
const SpecialSize = 4096

// MayBeSpecial reports whether an object without a row may be a symlink or another
// special file. That is so only where the index says that there are such files.
func (t *Table) MayBeSpecial(e *entry.Entry) bool {
	return t != nil && t.special && e.Kind == entry.File && e.Size <= SpecialSize
}

const (
	// tableMemory bounds the tables in memory. Most of their rows move to the pages of
	// listings soon.
	tableMemory = 32 << 20
	// tableRowCost is what a row takes beside its extended attributes.
	tableRowCost = 200
)

func tableCost(_ string, t *Table) int64 {
	n := tableRowCost * (1 + len(t.rows))
	for _, r := range t.rows {
		n += len(r.xattr)
	}
	return int64(n)
}

// agedRows returns the rows of an index for one that is written later. A reader believes
// the row of an object only if the object is older than the index. A row that was not
// believed must not become believed when the index is written again: it would hide a
// change of attributes that came after the row.
func (t *Table) agedRows() map[string]Row {
	rows := make(map[string]Row, len(t.rows))
	for rel, r := range t.rows {
		switch {
		case r.latest() < t.mod:
		case r.approx:
			r.mod = t.mod - 1 - dateLag
		case isSpecial(r.kind):
			r = *noVersion(r.kind)
		default:
			continue
		}
		rows[rel] = r
	}
	return rows
}

// rowFor returns the row of an entry whose attributes are known.
func rowFor(e *entry.Entry, own bool) *Row {
	return &Row{
		kind: e.Kind, approx: own, etag: e.ETag, size: e.Size, mod: e.LastModified.Unix(),
		attr: e.Attr.Pack(), target: e.Target, xattr: e.Attr.Xattr,
	}
}

// noVersion returns the row of a special file of which only the kind is known.
func noVersion(k entry.Kind) *Row { return &Row{kind: k} }

// prune drops the rows of names that a listing younger than the row does not show.
func prune(listing Listing, dir string, rows map[string]Row) {
	for rel, r := range rows {
		when, absent := listing.Absent(dir, rel)
		if absent && r.mod < when.Add(-entry.OwnSlack).Unix() {
			delete(rows, rel)
		}
	}
}

// settled reports whether an object is so old that no later writer can give it the same
// Last-Modified.
func settled(e *entry.Entry) bool { return time.Since(e.LastModified) > settledAge }
