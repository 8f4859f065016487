package entry

import (
	"encoding/hex"
	"math"
	"strconv"
	"strings"
	"time"
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
