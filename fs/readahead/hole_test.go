package readahead

import (
	"testing"
	"testing/synctest"

	"github.com/s3mount/s3mount/cache"
)

// TestNoHoles takes all memory away from a stream for short times. The stream must later fetch the
// missing blocks with long GETs, before the reader reaches them.
func TestNoHoles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := link20()
		v := store.put("k", 512*mib, 1)
		r := newRig(t, store, 64*mib)
		rd := r.OpenVersion(v)
		for i := range int64(512) {
			var hog [][]byte
			if i%16 == 15 {
				for b := r.pool.TryGet(cache.BlockSize); b != nil; b = r.pool.TryGet(cache.BlockSize) {
					hog = append(hog, b)
				}
			}
			check(t, rd, 1, i*mib, mib)
			for _, b := range hog {
				r.pool.Put(b)
			}
		}
		rd.Close()
		r.Close()
		t.Logf("%d GETs, %.2f bytes moved per byte", len(store.gets), float64(store.sent)/float64(v.Size))
		if len(store.gets) > 250 { // 135 where nothing races; one for each read that finds a hole would be 559
			t.Errorf("%d GETs", len(store.gets))
		}
		r.end(t)
	})
}
