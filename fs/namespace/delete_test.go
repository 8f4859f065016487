package namespace

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/s3mount/s3mount/s3"
	"github.com/s3mount/s3mount/s3/s3test"
)

// deleting mounts a bucket of a server that lacks what support says.
func deleting(t *testing.T, support map[s3.Feature]s3.Support) (*fakeStore, *Namespace) {
	t.Helper()
	f := &fakeStore{}
	f.server = s3test.NewServer(t, s3test.Options{InMemory: true, Buckets: []string{"b"}, Now: f.now, Support: support})
	f.Client = f.server.Client(func(o *s3.Options) { o.ProbePrefix = ".s3mount/" })
	for _, key := range []string{"proof", "a", "c"} {
		f.set(key, "old", nil, time.Now().Add(-time.Hour))
	}
	n := newTest(t, f)
	ls(t, n, "")
	prove(t, n)
	return f, n
}

// A removal that is sent after its caller has returned leaves alone what another
// client has written since.
func TestLaterDeleteLeavesNewerVersions(t *testing.T) {
	for name, support := range map[string]map[s3.Feature]s3.Support{
		"compares":                nil,
		"compares single deletes": {s3.FeatureDeleteObjectsETag: s3.SupportIgnored},
		"refuses ETags":           {s3.FeatureDeleteObjectsETag: s3.SupportRefused},
		"no DeleteObjects":        {s3.FeatureDeleteObjects: s3.SupportRefused},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, n := deleting(t, support)
				for _, key := range []string{"a", "c"} {
					if err := n.UnlinkInRun(context.Background(), n.Root(), key, at(t, n, key)); err != nil {
						t.Fatal(err)
					}
				}
				f.server.PutObject("b", "a", []byte("newer"), nil)
				if err := n.Drain(context.Background()); err != nil {
					t.Error(err)
				}
				equal(t, "keys", f.keys(), []string{"a"})
			})
		})
	}
}

// No delete is put off where the server compares nothing.
func TestDeleteIsNotPutOffWithoutComparison(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, n := deleting(t, map[s3.Feature]s3.Support{
			s3.FeatureDeleteObjectsETag: s3.SupportIgnored, s3.FeatureDeleteIfMatch: s3.SupportIgnored})
		if err := n.UnlinkInRun(context.Background(), n.Root(), "a", at(t, n, "a")); err != nil {
			t.Fatal(err)
		}
		equal(t, "keys", f.keys(), []string{"c"})
	})
}

// A rename of a directory deletes no version that another client wrote after the
// copies, and the rename takes that version along.
func TestRenameOfDirectoryKeepsNewerVersions(t *testing.T) {
	for name, support := range map[string]map[s3.Feature]s3.Support{
		"compares":                nil,
		"compares single deletes": {s3.FeatureDeleteObjectsETag: s3.SupportIgnored},
		"compares nothing": {s3.FeatureDeleteObjectsETag: s3.SupportIgnored, s3.FeatureDeleteIfMatch: s3.SupportIgnored,
			s3.FeatureCopySourceIf: s3.SupportIgnored},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, n := deleting(t, support)
				f.server.PutObject("b", "d/", nil, nil)
				f.server.PutObject("b", "d/x", []byte("old"), nil)
				f.server.PutObject("b", "d/y", []byte("old"), nil)
				n.InvalidateAll()
				written := false
				f.setFail(func(op, _ string) error {
					if op == "MULTI" && !written {
						written = true
						f.server.PutObject("b", "d/x", []byte("newer"), nil)
					}
					return nil
				})
				if _, err := mv(t, n, "d", "e"); err != nil {
					t.Error(err)
				}
				if !written {
					t.Error("the rename has deleted nothing together")
				}
				if body, _, _ := f.server.Object("b", "e/x"); string(body) != "newer" {
					t.Errorf("the newer version is lost: e/x holds %q, keys %q", body, f.keys())
				}
			})
		})
	}
}
