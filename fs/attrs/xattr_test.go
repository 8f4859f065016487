package attrs

import (
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/s3mount/s3mount/fs/entry"
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
	most := entry.Attr{
		Perm: 0o7777, UID: 1<<32 - 2, GID: 1<<32 - 2, Rdev: 1<<32 - 1, Mtime: time.Unix(-9e9, 1), Ctime: time.Unix(-9e9, 1),
		Atime: time.Unix(-9e9, 1),
	}
	size := 0
	for key, value := range Metadata(most, entry.CharDevice) {
		size += len(key) + len(value)
	}
	if size > attrMetadata {
		t.Errorf("attributes can take %d bytes, more than the %d that are kept free", size, attrMetadata)
	}
}
