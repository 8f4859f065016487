package entry

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestPackedKeepsEntry checks that packing and unpacking an entry does not change it.
func TestPackedKeepsEntry(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		when := func(what string) time.Time {
			if rapid.Bool().Draw(t, what+" is known") {
				return time.Unix(rapid.Int64Range(-1<<36, 1<<36).Draw(t, what), 7) // before 1970 to the year 4147
			}
			return time.Time{}
		}
		e := Entry{
			Kind: Kind(rapid.IntRange(int(File), int(BlockDevice)).Draw(t, "kind")), Size: rapid.Int64().Draw(t, "size"),
			ETag: rapid.SampledFrom([]string{
				"", `"x"`, `"d41d8cd98f00b204e9800998ecf8427e"`, `"D41D8CD98F00B204E9800998ECF8427E"`,
				`"d41d8cd98f00b204e9800998ecf8427e-7"`, "d41d8cd98f00b204e9800998ecf8427e",
			}).Draw(t, "etag"),
			LastModified: when("modified"), VersionID: rapid.SampledFrom([]string{"", "v"}).Draw(t, "version"),
			Attr: Attr{
				Perm: rapid.Uint32().Draw(t, "perm"), UID: rapid.Uint32().Draw(t, "uid"), GID: rapid.Uint32().Draw(t, "gid"),
				Rdev: rapid.Uint32().Draw(t, "rdev"), Mtime: when("mtime"), Ctime: when("ctime"), Atime: when("atime"),
				Xattr: rapid.SampledFrom([]string{"", "x"}).Draw(t, "xattr"),
			},
			Target: rapid.SampledFrom([]string{"", "t"}).Draw(t, "target"),
			Exact:  rapid.Bool().Draw(t, "exact"), Implicit: rapid.Bool().Draw(t, "implicit"),
		}
		p := Pack(e)
		if got := p.Entry(""); got != e {
			t.Fatalf("%+v came back as %+v", e, got)
		}
	})
}
