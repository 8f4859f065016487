package readahead

import (
	"context"
	"testing"
	"testing/synctest"
)

// TestMemoryOfLongReads: reading an object that the cache cannot keep makes
// little more memory resident than what is on its way; one that it can keep
// stays, and is read again without a request.
func TestMemoryOfLongReads(t *testing.T) {
	const limit = 96 * mib
	for _, c := range []struct {
		name  string
		size  int64
		most  int64 // resident at any time
		again bool  // is moved anew when it is read again
	}{
		{"kept", limit / 2, limit/2 + mib, false},
		{"passed through", 2 * limit, limit/2 + slackLimit, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := link20()
				v := store.put("k", c.size, 1)
				r := newRig(t, store, limit)
				rd := r.OpenVersion(v)
				var most int64
				for off := int64(0); off < v.Size; off += mib {
					synctest.Wait()
					p, err := rd.ReadAt(context.Background(), off, mib)
					if err != nil {
						t.Fatal(err)
					}
					most = max(most, r.pool.Stats().Held)
					p.Done()
				}
				t.Logf("%d MiB resident at most", most/mib)
				if most > c.most {
					t.Errorf("%d MiB resident, want at most %d", most/mib, c.most/mib)
				}
				if store.sent != v.Size {
					t.Errorf("%d bytes moved for %d", store.sent, v.Size)
				}
				readAll(t, rd, 1, mib)
				if moved := store.sent > v.Size; moved != c.again {
					t.Errorf("read again: %d bytes moved in all", store.sent)
				}
				rd.Close()
				r.end(t)
			})
		})
	}
}
