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
