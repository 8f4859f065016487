package readahead

import (
	"context"
	"testing"
	"testing/synctest"
)

// TestMemoryOfLongReads checks that reading an object that is too large for the cache makes little
// memory resident, and that a smaller object stays and is read again without a request.
func TestMemoryOfLongReads(t *testing.T) {
	const limit = 96 * mib
	for _, c := range []struct {
		name  string
		size  int64
		most  int64 // resident at any time
		again bool  // is fetched again when it is read again
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
				most := readHolding(t, r, rd)
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

// TestMemoryOfDiskReads checks that reads from the disk cache use a few MiB of memory.
func TestMemoryOfDiskReads(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		store := link20()
		v := store.put("k", 48*mib, 1)
		r := newRig(t, store, 96*mib)
		withDisk(t, r, dir)
		rd := r.OpenVersion(v)
		readAll(t, rd, 1, mib)
		rd.Close()
		r.endDisk(t)

		gets := len(store.gets)
		r = newRig(t, store, 96*mib)
		withDisk(t, r, dir)
		rd = r.OpenVersion(v)
		most := readHolding(t, r, rd)
		if most > 2*firstTrust+2*mib {
			t.Errorf("%d MiB resident at most", most/mib)
		}
		if n := len(store.gets) - gets; n != 0 {
			t.Errorf("%d GETs of blocks that the disk has", n)
		}
		rd.Close()
		r.endDisk(t)
	})
}

// readHolding reads all of rd and returns the largest amount of resident memory.
func readHolding(t *testing.T, r *rig, rd *Reader) (most int64) {
	t.Helper()
	for off := int64(0); off < rd.Version().Size; off += mib {
		synctest.Wait()
		p, err := rd.ReadAt(context.Background(), off, mib)
		if err != nil {
			t.Fatal(err)
		}
		most = max(most, r.pool.Stats().Held)
		p.Done()
	}
	t.Logf("%d MiB resident at most", most/mib)
	return most
}
