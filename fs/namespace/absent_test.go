package namespace

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/s3mount/s3mount/fs/listing"
	"github.com/s3mount/s3mount/s3"
)

// TestAppeared checks that a name that was absent a moment ago is not requested again,
// and that a file that another mount has created since is found.
func TestAppeared(t *testing.T) {
	for name, tc := range map[string]struct {
		wait  time.Duration
		other bool
		want  string
	}{
		"just listed":              {0, false, ""},
		"listed some time ago":     {2 * listing.MinTrust, false, "HEAD 1"},
		"made by another meantime": {2 * listing.MinTrust, true, "HEAD 1"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx := context.Background()
				f := newFake(t, "a")
				n := newTest(t, f)
				ls(t, n, "")
				time.Sleep(tc.wait)
				if tc.other {
					f.set("new", "theirs", nil, time.Now())
				}
				if _, err := find(n, "new"); !errors.Is(err, s3.ErrNotFound) {
					t.Fatalf("lookup: %v", err)
				}
				f.took()
				got, err := n.Appeared(ctx, n.Root(), "new")
				if got != tc.other || err != nil {
					t.Errorf("appeared: %v, %v", got, err)
				}
				equal(t, "requests", f.took(), tc.want)
				if _, err := find(n, "new"); tc.other && err != nil {
					t.Errorf("lookup of what appeared: %v", err)
				}
			})
		})
	}
}
