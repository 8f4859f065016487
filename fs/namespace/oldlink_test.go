package namespace

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/s3mount/s3mount/fs/attrs"
	"github.com/s3mount/s3mount/fs/entry"
	"github.com/s3mount/s3mount/s3"
)

// TestObjectsWithTheMarkOfALink shows that objects with the metadata that an
// older version gave to hard links are plain files, which keep that metadata.
func TestObjectsWithTheMarkOfALink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		meta := attrs.Metadata(entry.Attr{Perm: 0o640, UID: 7, GID: 8, Mtime: time.Unix(100, 0)}, entry.File)
		meta["s3mount-link"] = "ABC/1"
		for _, key := range []string{"a", "b"} {
			f.set(key, "shared", meta, time.Now())
		}
		n := newTest(t, f)
		ctx := context.Background()
		e := at(t, n, "a")
		equal(t, "kind", e.Kind, entry.File)
		equal(t, "mode", e.Attr.Perm, 0o640)
		attr := e.Attr
		attr.Perm = 0o600
		if _, err := n.SetAttr(ctx, e, attr); err != nil {
			t.Fatal(err)
		}
		in := RenameInput{OldDir: n.Root(), OldName: "a", Old: at(t, n, "a"), NewDir: n.Root(), NewName: "c"}
		if _, err := n.Rename(ctx, in); err != nil {
			t.Fatal(err)
		}
		mustDrain(t, n)
		equal(t, "mode of the other name", shown(t, n, at(t, n, "b")).Attr.Perm, 0o640)
		info, err := f.Head(ctx, &s3.HeadInput{Bucket: n.o.Bucket, Key: "c"})
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "the mark", info.Metadata["s3mount-link"], "ABC/1")
	})
}
