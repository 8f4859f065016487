package attrs

import (
	"encoding/binary"
	"hash/crc32"
	"testing"

	"github.com/s3mount/s3mount/fs/entry"
)

// TestIndexWithHardLinks reads an index of a version that knew hard links. The
// rows count, and what they say of links is ignored.
func TestIndexWithHardLinks(t *testing.T) {
	plain := Row{kind: entry.File, etag: `"x"`, size: 3, mod: 5, attr: entry.PackedAttr{Perm: 0o640, UID: 7}}
	withXattr := plain
	withXattr.xattr = "%7B%7D"
	linked := appendRow(nil, &plain)
	linked[0] |= moreBit
	linked = append(linked, 1, moreLink)
	linked = appendString(linked, "ABCDEFGHIJKLMNOPQRSTUVWXYZ/7/2")
	both := appendRow(nil, &plain)
	both[0] |= moreBit
	both = append(both, 2, moreXattr)
	both = appendString(both, withXattr.xattr)
	both = appendString(append(both, moreLink), "A/1/3")

	b := appendString([]byte(indexMagic), "d/")
	b = binary.AppendUvarint(b, 3)
	for _, row := range []struct {
		name string
		data []byte
	}{{"a", linked}, {"b", both}, {"c", appendRow(nil, &plain)}} {
		b = append(appendString(append(b, 0), row.name), row.data...)
	}
	b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))

	dir, rows, err := DecodeIndex(b)
	if err != nil || dir != "d/" {
		t.Fatalf("the index of %q is read with the error %v", dir, err)
	}
	for name, want := range map[string]Row{"a": plain, "b": withXattr, "c": plain} {
		if rows[name] != want {
			t.Errorf("row %q is %+v, want %+v", name, rows[name], want)
		}
	}
}
