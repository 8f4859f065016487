package namespace

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/s3mount/s3mount/fs/attrs"
)

// TestXattrInListing checks that the extended attributes in a listing cost no request
// in addition to the index, also after a remount.
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

// TestUnseenXattrStays checks that a chmod of an object that is known only from a
// listing keeps its extended attributes.
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
