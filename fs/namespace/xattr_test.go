package namespace

import (
	"context"
	"encoding/binary"
	"hash/crc32"
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/s3mount/s3mount/fs/attrs"
)

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
		a.Xattr = attrs.EncodeXattrs(map[string][]byte{"user.a": []byte("b")})
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
		f.set("f", "x", map[string]string{attrs.MetaXattr: "%7B%7D", "other": "o"}, time.Now().Add(-time.Hour))
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
		if m := f.metadata("f"); m[attrs.MetaXattr] != "%7B%7D" || m["other"] != "o" || m["mode"] != "33152" {
			t.Errorf("the metadata are %v", m)
		}
	})
}

// resum gives an index that was changed its checksum.
func resum(data []byte) []byte {
	body := data[:len(data)-4]
	return binary.LittleEndian.AppendUint32(body, crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)))
}
