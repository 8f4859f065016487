package namespace

import (
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

func TestXattrsBothWays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.MapOf(rapid.StringMatching(`user\.[ -~é"\\]{1,20}`), rapid.SliceOf(rapid.Byte())).Draw(t, "xattrs")
		text := EncodeXattrs(want)
		got, err := DecodeXattrs(text)
		same := func(a, b []byte) bool { return string(a) == string(b) }
		if err != nil || !maps.EqualFunc(got, want, same) {
			t.Fatalf("%q became %q (%v)", want, got, err)
		}
		if strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) {
			t.Fatalf("%q cannot stand in a header", text)
		}
	})
}

// TestXattrsOfS3FS reads what s3fs writes, which escapes more than is needed.
func TestXattrsOfS3FS(t *testing.T) {
	got, err := DecodeXattrs("%7B%22user.colour%22%3A%22Ymx1ZQ%3D%3D%22%2C%22user.none%22%3A%22%22%7D")
	if err != nil || len(got) != 2 || string(got["user.colour"]) != "blue" || len(got["user.none"]) != 0 {
		t.Errorf("read %q, %v", got, err)
	}
	for _, bad := range []string{"%zz", "blue", "{", `{"user.a":1}`, `{"user.a":"!"}`} {
		if _, err := DecodeXattrs(bad); !errors.Is(err, ErrXattr) {
			t.Errorf("%q reads with %v", bad, err)
		}
	}
}

func TestXattrRoom(t *testing.T) {
	empty := XattrRoom(nil)
	if got := XattrRoom(map[string]string{"mode": "33188", "xattr": "old"}); got != empty {
		t.Errorf("beside its own attributes there is room for %d bytes, want %d", got, empty)
	}
	if got := XattrRoom(map[string]string{"colour": "blue"}); got != empty-10 {
		t.Errorf("beside 10 bytes there is room for %d bytes, want %d", got, empty-10)
	}
	if got := XattrRoom(map[string]string{"x": strings.Repeat("y", 3000)}); got != 0 {
		t.Errorf("beside 3000 bytes there is room for %d", got)
	}
	most := Attr{
		Perm: 0o7777, UID: 1<<32 - 2, GID: 1<<32 - 2, Rdev: 1<<32 - 1, Mtime: time.Unix(-9e9, 1), Ctime: time.Unix(-9e9, 1),
		Atime: time.Unix(-9e9, 1),
	}
	size := 0
	for key, value := range most.Metadata(CharDevice) {
		size += len(key) + len(value)
	}
	if size > attrMetadata {
		t.Errorf("attributes can take %d bytes, more than the %d that are kept free", size, attrMetadata)
	}
}

// TestIndexOfOtherVersions: one of the version before is read; a row with what
// this version does not know is none.
func TestIndexOfOtherVersions(t *testing.T) {
	rows := map[string]attrRow{"a": {etag: `"x"`}, "b": {etag: `"y"`, target: "to"}}
	old := encodeIndex("d/", rows)
	copy(old, indexMagic1)
	old = resum(old)
	if dir, got, err := decodeIndex(old); err != nil || dir != "d/" || !maps.Equal(got, rows) {
		t.Errorf("version 1 reads as %q %v %v", dir, got, err)
	}
	rows["a"] = attrRow{etag: `"x"`, xattr: "%7B%7D"}
	newer := encodeIndex("d/", rows)
	at := strings.Index(string(newer), string(rune(moreXattr))+"\x06%7B%7D")
	newer[at] = '?'
	if _, got, err := decodeIndex(resum(newer)); err != nil || len(got) != 1 || got["b"] != rows["b"] {
		t.Errorf("with an unknown part, the rows are %v, %v", got, err)
	}
}

// TestXattrInListing: what a listing shows of extended attributes costs no
// request beside the index, after a remount too.
func TestXattrInListing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		n := newTest(t, f)
		ctx := context.Background()
		if _, err := n.Mkdir(ctx, n.Root(), "d", attrFor(0)); err != nil {
			t.Fatal(err)
		}
		a := attrFor(1)
		a.Xattr = EncodeXattrs(map[string][]byte{"user.a": []byte("b")})
		commit(t, n, f, "d", "f", "x", a)
		if err := n.Drain(ctx); err != nil {
			t.Fatal(err)
		}
		n.Close()

		n = newTest(t, f)
		defer n.Close()
		f.took()
		if got := dirents(t, n, "d")["f"]; got.Attr.Xattr != a.Xattr || !got.Exact {
			t.Errorf("the listing shows %+v", got)
		}
		equal(t, "requests, none of them for the file alone", f.took(), "GET 1 HEAD 2 LIST 3")
	})
}

// TestUnseenXattrStays: who changes the mode of an object of which only a
// listing told does not take its extended attributes away.
func TestUnseenXattrStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		f.set("f", "x", map[string]string{metaXattr: "%7B%7D", "other": "o"}, time.Now().Add(-time.Hour))
		n := newTest(t, f)
		defer n.Close()
		e := dirents(t, n, "")["f"]
		if e.Exact {
			t.Fatal("the listing knows the attributes")
		}
		a := e.Attr
		a.Perm = 0o600
		if _, err := n.SetAttr(context.Background(), e, a); err != nil {
			t.Fatal(err)
		}
		if m := f.metadata("f"); m[metaXattr] != "%7B%7D" || m["other"] != "o" || m[metaMode] != "33152" {
			t.Errorf("the metadata are %v", m)
		}
	})
}

// resum gives an index that was changed its checksum.
func resum(data []byte) []byte {
	body := data[:len(data)-4]
	return binary.LittleEndian.AppendUint32(body, crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)))
}
