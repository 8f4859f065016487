package listing

import (
	"encoding/binary"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/s3mount/s3mount/fs/entry"
	"github.com/s3mount/s3mount/s3"
)

// highest sorts after every other character of a key: start-after of a
// directory's key with it behind skips all that is below the directory.
const highest = "\U0010FFFF"

// page contains the rows of one stretch of a directory at the time of a listing: all
// rows with rel in (from, to]. rel is the key without the prefix of the directory. It
// ends in "/" for a subdirectory and is empty for the marker. An empty from is the
// start of the directory, including the marker. Rows are in order of rel.
//
// Rows contain no pointers and share one byte slice, so that a million of them take
// little memory and cost the garbage collector nothing.
type page struct {
	dir      string // prefix
	from, to string
	end      bool      // there is nothing after to
	assumed  bool      // the directory was created here and has not been listed
	when     time.Time // the time when its request began
	told     time.Time // the time when its answer came
	until    time.Time // end of validity
	token    string    // continues the listing after to, if still known
	next     string    // the full key where a listing across directories stopped
	rows     []row
	blob     []byte // rel and unusual ETags of all rows
	attrs    []special
	text     int // bytes of the texts in attrs
}

// row is one object or subdirectory in a page.
type row struct {
	size  int64
	mod   int64 // packed Last-Modified
	etag  [16]byte
	parts uint32 // of a multipart ETag
	off   uint32 // rel is blob[off:off+n]
	attr  uint32 // index into attrs plus one; 0: attributes are not known
	n     uint16
	flags rowFlags
}

type rowFlags uint8

const (
	rowDir      rowFlags = 1 << iota // rel ends in "/"
	rowExplicit                      // the directory has a marker, and the row has its version
	rowRawETag                       // etag holds offset and length of the ETag in blob
	rowNoETag
	rowOwn // this mount wrote that version
)

// special holds the attributes of a row where they are known.
type special struct {
	kind   entry.Kind
	attr   entry.PackedAttr
	target string
	xattr  string
}

func specialOf(e *entry.Entry) special {
	return special{kind: e.Kind, attr: e.Attr.Pack(), target: e.Target, xattr: e.Attr.Xattr}
}

// into gives an entry what s holds.
func (s *special) into(e *entry.Entry) {
	e.Kind, e.Target, e.Exact = s.kind, s.target, true
	e.Attr = s.attr.Unpack(s.xattr)
}

// pageOverhead is the memory of a page without its rows in bytes: the struct, its node
// and slack. rowBytes and specialBytes are the memory of a row and of its attributes.
const (
	pageOverhead = 400
	rowBytes     = 56
	specialBytes = 80
)

func (p *page) cost() int64 {
	n := pageOverhead + len(p.dir) + len(p.from) + len(p.to) + len(p.token) + len(p.next)
	n += cap(p.rows)*rowBytes + cap(p.blob) + cap(p.attrs)*specialBytes + p.text
	return int64(n)
}

func (p *page) rel(r *row) string { return string(p.blob[r.off : r.off+uint32(r.n)]) }

func (p *page) relBytes(r *row) []byte { return p.blob[r.off : r.off+uint32(r.n)] }

// covers reports whether rel lies in the stretch of the page.
func (p *page) covers(rel string) bool {
	return (p.from == "" || rel > p.from) && (p.end || rel <= p.to)
}

// search returns the index of rel, or of the first row after it.
func (p *page) search(rel string) (int, bool) {
	i := sort.Search(len(p.rows), func(i int) bool { return string(p.relBytes(&p.rows[i])) >= rel })
	return i, i < len(p.rows) && string(p.relBytes(&p.rows[i])) == rel
}

// maxPageRows is where a page that this mount adds rows to is parted in two,
// so that adding one moves at most 100 KB.
const maxPageRows = 2 * s3.MaxListKeys

// put inserts or replaces the row of rel.
func (p *page) put(rel string, e *entry.Entry, own bool) {
	if len(p.attrs) > 2*len(p.rows)+8 || len(p.blob) > 2*int(s3.MaxKeyLength)+256*len(p.rows) {
		p.replace(p, p.rows)
	}
	r := p.makeRow(rel, e)
	if own {
		r.flags |= rowOwn
	}
	if i, found := p.search(rel); found {
		p.rows[i] = r
	} else {
		p.rows = slices.Insert(p.rows, i, r)
	}
}

// remove removes the row of rel.
func (p *page) remove(rel string) {
	if i, found := p.search(rel); found {
		p.rows = slices.Delete(p.rows, i, i+1)
	}
}

// appendRow adds a row after all others.
func (p *page) appendRow(rel string, e *entry.Entry) { p.rows = append(p.rows, p.makeRow(rel, e)) }

func (p *page) makeRow(rel string, e *entry.Entry) row {
	r := row{size: e.Size, mod: entry.PackTime(e.LastModified), off: uint32(len(p.blob)), n: uint16(len(rel))}
	p.blob = append(p.blob, rel...)
	if strings.HasSuffix(rel, "/") {
		r.flags |= rowDir
		if !e.Implicit {
			r.flags |= rowExplicit
		}
	}
	p.packETag(&r, e.ETag)
	if e.Exact {
		p.addAttr(&r, specialOf(e))
	}
	return r
}

// addAttr gives a row its attributes.
func (p *page) addAttr(r *row, s special) {
	p.attrs = append(p.attrs, s)
	p.text += len(s.target) + len(s.xattr)
	r.attr = uint32(len(p.attrs))
}

// packETag stores the usual ETag, an MD5 in hex with or without the number of
// parts, in 20 bytes, and any other as it is.
func (p *page) packETag(r *row, etag string) {
	if etag == "" {
		r.flags |= rowNoETag
		return
	}
	if sum, parts, ok := entry.SplitETag(etag); ok {
		copy(r.etag[:], sum)
		r.parts = parts
		return
	}
	r.flags |= rowRawETag
	off := len(p.blob)
	p.blob = append(p.blob, etag...)
	binary.LittleEndian.PutUint32(r.etag[0:], uint32(off))
	binary.LittleEndian.PutUint32(r.etag[4:], uint32(len(etag)))
}

func (p *page) etag(r *row) string {
	switch {
	case r.flags&rowNoETag != 0:
		return ""
	case r.flags&rowRawETag != 0:
		off, n := binary.LittleEndian.Uint32(r.etag[0:]), binary.LittleEndian.Uint32(r.etag[4:])
		return string(p.blob[off : off+n])
	}
	return entry.JoinETag(r.etag[:], r.parts)
}

// splitHalf moves the second half of the rows to a new page.
func (p *page) splitHalf() *page {
	mid := len(p.rows) / 2
	q := *p
	q.from = skipBelow(p.rel(&p.rows[mid-1]))
	q.replace(p, p.rows[mid:])
	p.replace(p, p.rows[:mid])
	p.to, p.end, p.token, p.next = q.from, false, "", ""
	return &q
}

// replace makes rows of another page (or of p itself) the rows of p, without
// the bytes and attributes that none of them refers to.
func (p *page) replace(from *page, rows []row) {
	to := page{rows: make([]row, 0, len(rows))}
	for i := range rows {
		to.copyRow(from, &rows[i])
	}
	p.rows, p.blob, p.attrs, p.text = to.rows, to.blob, to.attrs, to.text
}

// copyRow appends a row of another page.
func (p *page) copyRow(from *page, old *row) {
	r := *old
	r.off = uint32(len(p.blob))
	p.blob = append(p.blob, from.relBytes(old)...)
	if r.flags&rowRawETag != 0 {
		p.packETag(&r, from.etag(old))
	}
	if r.attr > 0 {
		p.addAttr(&r, from.attrs[old.attr-1])
	}
	p.rows = append(p.rows, r)
}

// overlay replaces the rows of p in the stretch of q, a newer page within it.
func (p *page) overlay(q *page) {
	first := 0
	if q.from != "" {
		first, _ = p.search(q.from + "\x00")
	}
	last := len(p.rows)
	if !q.end {
		last, _ = p.search(q.to + "\x00")
	}
	to := page{rows: make([]row, 0, first+len(q.rows)+len(p.rows)-last)}
	for i := range p.rows[:first] {
		to.copyRow(p, &p.rows[i])
	}
	for i := range q.rows {
		to.copyRow(q, &q.rows[i])
	}
	for i := last; i < len(p.rows); i++ {
		to.copyRow(p, &p.rows[i])
	}
	p.rows, p.blob, p.attrs, p.text = to.rows, to.blob, to.attrs, to.text
	p.told = q.told
}

// snapshot returns a copy that no change of the cache reaches.
func (p *page) snapshot() *page {
	q := *p
	q.replace(p, p.rows)
	return &q
}

// punch takes the row of rel out of the page: it keeps what comes
// before and returns what comes after. Either may be without rows.
func (p *page) punch(rel string) *page {
	i, found := p.search(rel)
	after := i
	if found {
		after++
	}
	q := *p
	q.from = skipBelow(rel)
	q.replace(p, p.rows[after:])
	p.replace(p, p.rows[:i])
	p.to, p.end, p.token, p.next = "", false, "", ""
	if i > 0 {
		p.to = skipBelow(p.rel(&p.rows[i-1]))
	}
	return &q
}

// seal gives back the slack of a page that has been filled.
func (p *page) seal() {
	p.rows = slices.Clip(p.rows)
	p.blob = slices.Clip(p.blob)
	if cap(p.rows) > len(p.rows)+len(p.rows)/8 {
		p.rows = slices.Clone(p.rows)
	}
}

// entry makes an Entry of a row; attributes that are not known are defaults.
func (c *Cache) entry(p *page, r *row) entry.Entry {
	e := entry.Entry{
		Key: p.dir + p.rel(r), Size: r.size, ETag: p.etag(r), LastModified: entry.UnpackTime(r.mod),
	}
	if r.flags&rowDir != 0 {
		e.Kind = entry.Directory
		e.Implicit = r.flags&rowExplicit == 0
	}
	e.Attr = c.defaults.Attr(e.Kind, e.LastModified)
	if r.attr > 0 {
		p.attrs[r.attr-1].into(&e)
	}
	return e
}

// carry copies to p the attributes that q knows of versions that p still has.
func (p *page) carry(q *page) {
	for i := range p.rows {
		r := &p.rows[i]
		if r.attr > 0 {
			continue
		}
		j, found := q.search(p.rel(r))
		if !found {
			continue
		}
		old := &q.rows[j]
		if old.size != r.size || old.mod/1e9 != r.mod/1e9 || p.etag(r) != q.etag(old) {
			continue
		}
		r.flags |= old.flags & rowOwn
		if old.attr > 0 {
			p.addAttr(r, q.attrs[old.attr-1])
		}
	}
}

// setAttr notes the attributes of a row, if it still is of the same version.
func (p *page) setAttr(rel string, e *entry.Entry) {
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
