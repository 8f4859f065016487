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

// TestSetAttrOfWhatIsKnown checks that the attributes of an object that this mount has
// just written or seen change with a COPY only, which keeps all properties.
func TestSetAttrOfWhatIsKnown(t *testing.T) {
	ctx := context.Background()
	foreign := map[string]string{"colour": "blue", "mode": "33188"}
	for _, tc := range []struct {
		name   string
		before func(t *testing.T, n *Namespace, f *fakeStore) entry.Entry
		want   string
		meta   string // of colour afterwards
	}{
		{"after a HEAD", func(t *testing.T, n *Namespace, _ *fakeStore) entry.Entry {
			e, err := n.Stat(ctx, entry.Entry{Key: "d/f"})
			if err != nil {
				t.Fatal(err)
			}
			return e
		}, "COPY 1", "blue"},
		{"after a change of attributes", func(t *testing.T, n *Namespace, _ *fakeStore) entry.Entry {
			e, err := n.SetAttr(ctx, at(t, n, "d/f"), attrFor(1))
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(rememberTime - time.Millisecond)
			return e
		}, "COPY 1", "blue"},
		{"later", func(t *testing.T, n *Namespace, f *fakeStore) entry.Entry {
			e, err := n.Stat(ctx, entry.Entry{Key: "d/f"})
			if err != nil {
				t.Fatal(err)
			}
			f.set("d/f", "x", map[string]string{"colour": "red"}, time.Now()) // the ETag stays
			time.Sleep(rememberTime)
			return e
		}, "COPY 1 HEAD 1", "red"},
		{"after another version", func(t *testing.T, n *Namespace, f *fakeStore) entry.Entry {
			if _, err := n.Stat(ctx, entry.Entry{Key: "d/f"}); err != nil {
				t.Fatal(err)
			}
			f.set("d/f", "y", map[string]string{"colour": "red"}, time.Now())
			out, err := f.Head(ctx, &s3.HeadInput{Bucket: "b", Key: "d/f"})
			if err != nil {
				t.Fatal(err)
			}
			return entry.Entry{Key: "d/f", ETag: out.ETag, Size: 1, Exact: true}
		}, "COPY 1 HEAD 1", "red"},
		{"after an invalidation", func(t *testing.T, n *Namespace, _ *fakeStore) entry.Entry {
			e, err := n.Stat(ctx, entry.Entry{Key: "d/f"})
			if err != nil {
				t.Fatal(err)
			}
			n.Invalidate("d/f")
			return e
		}, "COPY 1 HEAD 1", "blue"},
		{"of a directory just made", func(t *testing.T, n *Namespace, _ *fakeStore) entry.Entry {
			e, err := n.Mkdir(ctx, n.Root(), "new", attrFor(2))
			if err != nil {
				t.Fatal(err)
			}
			return e
		}, "PUT 1", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake(t)
				f.set("d/f", "x", foreign, time.Now().Add(-time.Hour))
				n := newTest(t, f)
				e := tc.before(t, n, f)
				f.took()
				got, err := n.SetAttr(ctx, e, attrFor(3))
				if err != nil {
					t.Fatal(err)
				}
				equal(t, "requests", f.took(), tc.want)
				meta := f.metadata(e.Key)
				equal(t, "what another tool put there", meta["colour"], tc.meta)
				_, a, _ := attrs.FromMetadata(meta, entry.Attr{}, got.LastModified)
				equal(t, "mode", a.Perm, attrFor(3).Perm)
			})
		})
	}
}

// TestSetAttrOfReplaced changes attributes when the remembered version has been
// replaced.
func TestSetAttrOfReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t, "d/f")
		n := newTest(t, f)
		e, err := n.Stat(context.Background(), entry.Entry{Key: "d/f"})
		if err != nil {
			t.Fatal(err)
		}
		f.set("d/f", "newer", nil, time.Now())
		if _, err := n.SetAttr(context.Background(), e, attrFor(1)); err == nil {
			t.Error("attributes were set on a version that was never seen")
		}
		body, meta, _ := f.server.Object("b", "d/f")
		equal(t, "bytes", string(body), "newer")
		equal(t, "metadata", len(meta), 0)
	})
}
