package attrs

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"slices"

	"github.com/s3mount/s3mount/fs/entry"
)

// The attribute index of a directory is one object:
//
//	magic    "s3mount attributes 2\n"
//	dir      string: the directory's key below the mount's root
//	rows     uvarint: how many follow, in order of name
//	row      uvarint: bytes shared with the name before; string: the rest of it
//	         byte: kind; bit 7 if Last-Modified is that or earlier, or up to a
//	         second later; bit 6 if there is more behind the target
//	         byte: form of the ETag; 0 a string; 1 an MD5 in hex and quotes, and
//	         uvarint: its parts
//	         uvarint size; varint Last-Modified in seconds
//	         uvarint mode bits, uid, gid, rdev
//	         varint mtime in nanoseconds; varint ctime - mtime; varint atime - mtime
//	         string: target of a symlink
//	more     uvarint: how many follow; byte: what it is; string: its value
//	         'x': the extended attributes, as in x-amz-meta-xattr
//	         'l': written by older versions for hard links; ignored
//	sum      4 bytes, little endian: CRC-32C of all before
//
// string is a uvarint length and the bytes. Names are rels: that of a
// subdirectory ends in "/". Varints are those of encoding/binary. A row with
// more that this version does not know is taken for absent: the object is asked.
// Version 1 differed in that no row had more; it is read, too.
const (
	indexMagic  = "s3mount attributes 2\n"
	indexMagic1 = "s3mount attributes 1\n"
)

const (
	kindMask    = 0x0f
	approxBit   = 0x80
	moreBit     = 0x40
	moreXattr   = 'x'
	moreLink    = 'l'
	etagString  = 0
	etagMD5     = 1
	maxIndexStr = 1 << 16 // longer than any key, ETag or target
)

// errIndex is the error for an index object that cannot be read. It counts as one without rows.
var errIndex = errors.New("damaged attribute index")

// Row is what an index has of one name: a version and its attributes.
type Row struct {
	kind   entry.Kind
	approx bool // mod is the Date of the answer to the write, as far as dateLag behind
	etag   string
	size   int64
	mod    int64 // seconds
	attr   entry.PackedAttr
	target string
	xattr  string
}

// dateLag is how far the Last-Modified of an object may lie behind the Date of
// the answer to its PUT, which has no Last-Modified: a server that formats the
// Date once a second is late by that, and both are cut to seconds.
const dateLag = 1

// latest is the latest Last-Modified, in seconds, that the row's version may have.
func (r *Row) latest() int64 {
	if r.approx {
		return r.mod + dateLag
	}
	return r.mod
}

// dates reports whether an object of this Last-Modified may be the row's version.
func (r *Row) dates(mod int64) bool { return mod == r.mod || r.approx && mod <= r.latest() }

// EncodeIndex returns the index object of a directory, whose name is relative to the root
// of the mount.
func EncodeIndex(dir string, rows map[string]Row) []byte {
	b := []byte(indexMagic)
	b = appendString(b, dir)
	b = binary.AppendUvarint(b, uint64(len(rows)))
	prev := ""
	for _, name := range slices.Sorted(maps.Keys(rows)) {
		r := rows[name]
		shared := 0
		for shared < len(prev) && shared < len(name) && prev[shared] == name[shared] {
			shared++
		}
		b = binary.AppendUvarint(b, uint64(shared))
		b = appendString(b, name[shared:])
		prev = name
		b = appendRow(b, &r)
	}
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
}

func appendRow(b []byte, r *Row) []byte {
	kind := byte(r.kind)
	if r.approx {
		kind |= approxBit
	}
	if r.xattr != "" {
		kind |= moreBit
	}
	b = append(b, kind)
	if sum, parts, ok := entry.SplitETag(r.etag); ok {
		b = append(append(b, etagMD5), sum...)
		b = binary.AppendUvarint(b, uint64(parts))
	} else {
		b = appendString(append(b, etagString), r.etag)
	}
	b = binary.AppendUvarint(b, uint64(r.size))
	b = binary.AppendVarint(b, r.mod)
	for _, v := range []uint32{r.attr.Perm, r.attr.UID, r.attr.GID, r.attr.Rdev} {
		b = binary.AppendUvarint(b, uint64(v))
	}
	b = binary.AppendVarint(b, r.attr.Mtime)
	b = binary.AppendVarint(b, r.attr.Ctime-r.attr.Mtime)
	b = binary.AppendVarint(b, r.attr.Atime-r.attr.Mtime)
	b = appendString(b, r.target)
	if r.xattr != "" {
		b = appendString(append(b, 1, moreXattr), r.xattr)
	}
	return b
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// DecodeIndex is the inverse of EncodeIndex. The error is errIndex for a damaged object.
func DecodeIndex(data []byte) (dir string, rows map[string]Row, err error) {
	if len(data) < len(indexMagic)+4 {
		return "", nil, fmt.Errorf("read header: %w", errIndex)
	}
	if magic := string(data[:len(indexMagic)]); magic != indexMagic && magic != indexMagic1 {
		return "", nil, fmt.Errorf("read header: %w", errIndex)
	}
	body := data[:len(data)-4]
	if crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)) != binary.LittleEndian.Uint32(data[len(body):]) {
		return "", nil, fmt.Errorf("compare checksum: %w", errIndex)
	}
	d := decoder{b: body[len(indexMagic):]}
	dir = d.string()
	count := d.uvarint()
	rows = map[string]Row{}
	prev := ""
	for range count {
		shared := d.uvarint()
		suffix := d.string()
		if d.bad || shared > uint64(len(prev)) {
			return "", nil, fmt.Errorf("read row %d: %w", len(rows), errIndex)
		}
		prev = prev[:shared] + suffix
		if r, ok := d.row(); ok {
			rows[prev] = r
		}
	}
	if d.bad || len(d.b) > 0 {
		return "", nil, fmt.Errorf("read rows: %w", errIndex)
	}
	return dir, rows, nil
}

// decoder reads values off b. bad stays set once something could not be read.
type decoder struct {
	b   []byte
	bad bool
}

// row reads a row; ok is false if it has values that this version does not know.
func (d *decoder) row() (r Row, ok bool) {
	kind := d.byte()
	r.kind, r.approx = entry.Kind(kind&kindMask), kind&approxBit != 0
	d.bad = d.bad || r.kind > entry.BlockDevice || kind&^(kindMask|approxBit|moreBit) != 0
	switch d.byte() {
	case etagMD5:
		sum := d.bytes(16)
		parts := d.uvarint()
		r.etag = entry.JoinETag(sum, uint32(parts))
	case etagString:
		r.etag = d.string()
	default:
		d.bad = true
	}
	r.size = int64(d.uvarint())
	r.mod = d.varint()
	for _, v := range []*uint32{&r.attr.Perm, &r.attr.UID, &r.attr.GID, &r.attr.Rdev} {
		*v = uint32(d.uvarint())
	}
	r.attr.Mtime = d.varint()
	r.attr.Ctime = r.attr.Mtime + d.varint()
	r.attr.Atime = r.attr.Mtime + d.varint()
	r.target = d.string()
	ok = true
	if kind&moreBit != 0 {
		for n := d.uvarint(); n > 0 && !d.bad; n-- {
			tag, value := d.byte(), d.string()
			switch tag {
			case moreXattr:
				r.xattr = value
			case moreLink: // of no use any more
			default:
				ok = false
			}
		}
	}
	return r, ok
}

func (d *decoder) byte() byte {
	if b := d.bytes(1); len(b) == 1 {
		return b[0]
	}
	return 0
}

func (d *decoder) bytes(n uint64) []byte {
	if n > maxIndexStr || n > uint64(len(d.b)) {
		d.bad, d.b = true, nil
		return nil
	}
	b := d.b[:n]
	d.b = d.b[n:]
	return b
}

func (d *decoder) string() string { return string(d.bytes(d.uvarint())) }

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.bad, d.b = true, nil
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.b)
	if n <= 0 {
		d.bad, d.b = true, nil
		return 0
	}
	d.b = d.b[n:]
	return v
}
