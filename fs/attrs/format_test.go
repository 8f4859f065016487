package attrs

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"maps"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/s3mount/s3mount/fs/entry"
)

func drawRow(t *rapid.T) Row {
	r := Row{
		kind: entry.Kind(rapid.IntRange(0, int(entry.BlockDevice)).Draw(t, "kind")), approx: rapid.Bool().Draw(t, "approx"),
		etag: rapid.SampledFrom([]string{
			"", `"d41d8cd98f00b204e9800998ecf8427e"`, `"d41d8cd98f00b204e9800998ecf8427e-12"`,
			"d41d8cd98f00b204e9800998ecf8427e", `"D41D8CD98F00B204E9800998ECF8427E"`, `"x"`,
			`"d41d8cd98f00b204e9800998ecf8427e-0"`, `"d41d8cd98f00b204e9800998ecf8427e-01"`,
		}).Draw(t, "etag"),
		size: rapid.Int64Min(0).Draw(t, "size"), mod: rapid.Int64().Draw(t, "mod"),
		target: rapid.StringN(0, 20, 60).Draw(t, "target"), xattr: rapid.StringN(0, 20, 60).Draw(t, "xattr"),
	}
	r.attr = entry.PackedAttr{
		Perm: rapid.Uint32().Draw(t, "perm"), UID: rapid.Uint32().Draw(t, "uid"), GID: rapid.Uint32().Draw(t, "gid"), Rdev: rapid.Uint32().Draw(t, "rdev"),
		Mtime: rapid.Int64().Draw(t, "mtime"), Ctime: rapid.Int64().Draw(t, "ctime"), Atime: rapid.Int64().Draw(t, "atime"),
	}
	return r
}

func TestIndexFormat(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows := map[string]Row{}
		for range rapid.IntRange(0, 10).Draw(t, "rows") {
			rows[rapid.String().Draw(t, "name")] = drawRow(t)
		}
		data := EncodeIndex("dir/", rows)
		dir, got, err := DecodeIndex(data)
		if err != nil || dir != "dir/" || !reflect.DeepEqual(got, rows) {
			t.Fatalf("read %q %+v %v, want %+v", dir, got, err, rows)
		}
		cut := rapid.IntRange(0, len(data)-1).Draw(t, "cut")
		if _, _, err := DecodeIndex(data[:cut]); !errors.Is(err, errIndex) {
			t.Fatalf("an index cut at %d reads without error", cut)
		}
		data[cut] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		if _, _, err := DecodeIndex(data); !errors.Is(err, errIndex) {
			t.Fatalf("an index with a wrong byte at %d reads without error", cut)
		}
	})
}

func FuzzIndex(f *testing.F) {
	f.Add(EncodeIndex("d/", map[string]Row{"a": {kind: entry.Symlink, etag: `"x"`, target: "to"}, "ab": {}}))
	f.Fuzz(func(t *testing.T, data []byte) {
		dir, rows, err := DecodeIndex(data)
		if err != nil {
			return
		}
		dir2, rows2, err := DecodeIndex(EncodeIndex(dir, rows))
		if err != nil || dir2 != dir || !maps.Equal(rows, rows2) {
			t.Errorf("%q %v became %q %v, %v", dir, rows, dir2, rows2, err)
		}
	})
}

// TestIndexOfOtherVersions checks that an index of the previous version is read, and
// that a row with unknown fields is ignored.
func TestIndexOfOtherVersions(t *testing.T) {
	rows := map[string]Row{"a": {etag: `"x"`}, "b": {etag: `"y"`, target: "to"}}
	old := EncodeIndex("d/", rows)
	copy(old, indexMagic1)
	old = resum(old)
	if dir, got, err := DecodeIndex(old); err != nil || dir != "d/" || !maps.Equal(got, rows) {
		t.Errorf("version 1 reads as %q %v %v", dir, got, err)
	}
	rows["a"] = Row{etag: `"x"`, xattr: "%7B%7D"}
	newer := EncodeIndex("d/", rows)
	at := strings.Index(string(newer), string(rune(moreXattr))+"\x06%7B%7D")
	newer[at] = '?'
	if _, got, err := DecodeIndex(resum(newer)); err != nil || len(got) != 1 || got["b"] != rows["b"] {
		t.Errorf("with an unknown part, the rows are %v, %v", got, err)
	}
}

// resum gives an index that was changed its checksum.
func resum(data []byte) []byte {
	body := data[:len(data)-4]
	return binary.LittleEndian.AppendUint32(body, crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)))
}
