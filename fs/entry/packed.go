package entry

import (
	"encoding/hex"
	"math"
	"strconv"
	"strings"
	"time"
	"unsafe"
)

// PackedAttr is an Attr without its extended attributes in a third of the space.
type PackedAttr struct {
	Perm, UID, GID, Rdev uint32
	Mtime, Ctime, Atime  int64
}

// Pack returns the packed form of a.
func (a Attr) Pack() PackedAttr {
	return PackedAttr{a.Perm, a.UID, a.GID, a.Rdev, PackTime(a.Mtime), PackTime(a.Ctime), PackTime(a.Atime)}
}

// Unpack is the inverse of Attr.Pack.
func (p PackedAttr) Unpack(xattr string) Attr {
	return Attr{
		Perm: p.Perm, UID: p.UID, GID: p.GID, Rdev: p.Rdev,
		Mtime: UnpackTime(p.Mtime), Ctime: UnpackTime(p.Ctime), Atime: UnpackTime(p.Atime), Xattr: xattr,
	}
}

// NoTime is the packed zero time. 0 is the beginning of 1970, which is a valid time.
const NoTime = math.MinInt64

// PackTime returns t in nanoseconds since 1970.
func PackTime(t time.Time) int64 {
	if t.IsZero() {
		return NoTime
	}
	return t.UnixNano()
}

// UnpackTime is the inverse of PackTime.
func UnpackTime(ns int64) time.Time {
	if ns == NoTime {
		return time.Time{}
	}
	return time.Unix(0, ns)
}

// Packed is an Entry without its key, the usual one in a third of the space. Packed values
// can be compared. Equal values have equal entries; the opposite holds for usual entries.
type Packed struct {
	kind  Kind
	flags packedFlags
	parts uint32 // of a multipart ETag
	size  int64
	mod   int64 // packed Last-Modified
	etag  [16]byte
	attr  PackedAttr
	whole *Entry // of an entry with more than that
}

type packedFlags uint8

const (
	packedExact packedFlags = 1 << iota
	packedImplicit
	packedNoETag
)

// Pack packs an entry.
func Pack(e Entry) Packed {
	e.Key = ""
	p := Packed{kind: e.Kind, size: e.Size, mod: PackTime(e.LastModified), attr: e.Attr.Pack()}
	if e.Exact {
		p.flags |= packedExact
	}
	if e.Implicit {
		p.flags |= packedImplicit
	}
	if sum, parts, ok := SplitETag(e.ETag); ok {
		copy(p.etag[:], sum)
		p.parts = parts
	} else {
		p.flags |= packedNoETag
	}
	for _, t := range []*time.Time{&e.LastModified, &e.Attr.Mtime, &e.Attr.Ctime, &e.Attr.Atime} {
		if packed := UnpackTime(PackTime(*t)); packed.Equal(*t) {
			*t = packed // else it is farther off than 64 bits of nanoseconds reach
		}
	}
	if p.Entry("") != e {
		p.whole = &e
	}
	return p
}

// Entry returns the entry under its key.
func (p *Packed) Entry(key string) Entry {
	if p.whole != nil {
		e := *p.whole
		e.Key = key
		return e
	}
	e := Entry{
		Key: key, Kind: p.kind, Size: p.size, LastModified: UnpackTime(p.mod), Attr: p.attr.Unpack(""),
		Exact: p.flags&packedExact != 0, Implicit: p.flags&packedImplicit != 0,
	}
	if p.flags&packedNoETag == 0 {
		e.ETag = JoinETag(p.etag[:], p.parts)
	}
	return e
}

// Implicit reports whether the entry is an implicit directory.
func (p *Packed) Implicit() bool { return p.flags&packedImplicit != 0 }

// Size returns the bytes that p takes.
func (p *Packed) Size() int64 {
	n := int64(unsafe.Sizeof(*p))
	if e := p.whole; e != nil {
		n += int64(unsafe.Sizeof(*e)) + int64(len(e.ETag)+len(e.Target)+len(e.Attr.Xattr)+len(e.VersionID))
	}
	return n
}

// SplitETag takes apart the usual ETag: an MD5 sum in lower-case hex and quotes, with
// the number of parts behind a dash for a multipart upload. ok is false for any other.
func SplitETag(etag string) (sum []byte, parts uint32, ok bool) {
	s, _ := strings.CutPrefix(etag, `"`)
	s, _ = strings.CutSuffix(s, `"`)
	digest, count, _ := strings.Cut(s, "-")
	n, _ := strconv.ParseUint("0"+count, 10, 32)
	sum, err := hex.DecodeString(digest)
	if err != nil || len(sum) != 16 || JoinETag(sum, uint32(n)) != etag {
		return nil, 0, false
	}
	return sum, uint32(n), true
}

// JoinETag is the inverse of SplitETag.
func JoinETag(sum []byte, parts uint32) string {
	b := make([]byte, 0, 48)
	b = append(b, '"')
	b = hex.AppendEncode(b, sum)
	if parts > 0 {
		b = append(b, '-')
		b = strconv.AppendUint(b, uint64(parts), 10)
	}
	return string(append(b, '"'))
}
