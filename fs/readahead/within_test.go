package readahead

import (
	"bytes"
	"context"
	"testing"
	"testing/synctest"

	"github.com/s3mount/s3mount/cache"
)

// TestCopyWithin checks that the absent bytes of a part come with one GET, and nothing behind it.
func TestCopyWithin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, tt := range []struct {
			off, end int64
			gets     int
		}{
			{40 * mib, 45 * mib, 1},
			{40*mib + 1, 45*mib - 1, 1},
			{3*mib + 777, 3*mib + 778, 1},
			{90 * mib, 96 * mib, 1}, // the object's end
			{10 * mib, 35 * mib, 3},
		} {
			store := link20()
			v := store.put("k", 96*mib, 1)
			r := newRig(t, store, 64*mib)
			rd := r.OpenVersion(v)
			got := make([]byte, tt.end-tt.off)
			for at := int64(0); at < int64(len(got)); at += 256 << 10 {
				p := got[at:min(at+256<<10, int64(len(got)))]
				if n, err := rd.CopyWithin(context.Background(), p, tt.off+at, tt.end); n != len(p) || err != nil {
					t.Fatalf("%d bytes of %d, error %v", n, len(p), err)
				}
			}
			synctest.Wait()
			if !bytes.Equal(got, wantContent(1, tt.off, len(got))) {
				t.Errorf("%d to %d: wrong bytes", tt.off, tt.end)
			}
			if store.count() != tt.gets || store.sentSoFar() > tt.end-tt.off+2*cache.BlockSize {
				t.Errorf("%d to %d: %d GETs of %d bytes", tt.off, tt.end, store.count(), store.sentSoFar())
			}
			rd.Close()
			r.end(t)
		}
	})
}
