package listing

import (
	"time"
	"unsafe"

	"github.com/s3mount/s3mount/fs/entry"
)

// fact is what is known of a single key, from a HEAD, a GET or a write. The
// usual entry is kept in a third of the space of an Entry; the key is the
// cache's.
type fact struct {
	own   bool // this mount wrote that version
	kind  entry.Kind
	flags factFlags
	parts uint32 // of a multipart ETag
	size  int64
	mod   int64 // packed Last-Modified
	etag  [16]byte
	attr  entry.PackedAttr
	whole *entry.Entry // of an entry with more than that
}

type factFlags uint8

const (
	factExact factFlags = 1 << iota
	factImplicit
	factNoETag
)

// newFact packs an entry.
func newFact(e entry.Entry, own bool) fact {
	e.Key = ""
	f := fact{own: own, kind: e.Kind, size: e.Size, mod: entry.PackTime(e.LastModified), attr: e.Attr.Pack()}
	if e.Exact {
		f.flags |= factExact
	}
	if e.Implicit {
		f.flags |= factImplicit
	}
	if sum, parts, ok := entry.SplitETag(e.ETag); ok {
		copy(f.etag[:], sum)
		f.parts = parts
	} else {
		f.flags |= factNoETag
	}
	for _, t := range []*time.Time{&e.LastModified, &e.Attr.Mtime, &e.Attr.Ctime, &e.Attr.Atime} {
		if packed := entry.UnpackTime(entry.PackTime(*t)); packed.Equal(*t) {
			*t = packed // else it is farther off than 64 bits of nanoseconds reach
		}
	}
	if f.entry() != e {
		f.whole = &e
	}
	return f
}

// entry returns the entry without its key.
func (f *fact) entry() entry.Entry {
	if f.whole != nil {
		return *f.whole
	}
	e := entry.Entry{
		Kind: f.kind, Size: f.size, LastModified: entry.UnpackTime(f.mod), Attr: f.attr.Unpack(""),
		Exact: f.flags&factExact != 0, Implicit: f.flags&factImplicit != 0,
	}
	if f.flags&factNoETag == 0 {
		e.ETag = entry.JoinETag(f.etag[:], f.parts)
	}
	return e
}

// factCost is what a fact takes beside its key.
func factCost(_ string, f fact) int64 {
	n := int64(unsafe.Sizeof(f))
	if e := f.whole; e != nil {
		n += int64(unsafe.Sizeof(*e)) + int64(len(e.ETag)+len(e.Target)+len(e.Attr.Xattr)+len(e.VersionID))
	}
	return n
}
