package readahead

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/s3mount/s3mount/cache"
)

// readRandomly reads 100 times 4 KiB in each of four threads, which share a reader or have one each.
// It returns the time of one read.
func readRandomly(t *testing.T, r *rig, v Version, shared bool) time.Duration {
	t.Helper()
	start := time.Now()
	rd := mustOpen(t, r, "k", v)
	defer rd.Close()
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			rd := rd
			if !shared {
				rd = r.OpenVersion(v)
				defer rd.Close()
			}
			rnd := rand.New(rand.NewPCG(1, uint64(i)))
			for range 100 {
				check(t, rd, 1, rnd.Int64N(v.Size-4096)&^4095, 4096)
			}
		})
	}
	wg.Wait()
	return time.Since(start) / 101
}

// TestRandomReads checks that small random reads take one round trip each, run in parallel, and fetch
// little more than they need. The amplification of 400 reads of 4 KiB in 1 GiB is 1.31 for one reader and 1.78
// for four readers.
func TestRandomReads(t *testing.T) {
	for name, shared := range map[string]bool{"one reader": true, "four readers": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := link20()
				v := store.put("k", 1024*mib, 1)
				r := newRig(t, store, 256*mib)
				took := readRandomly(t, r, v, shared)
				amplification := float64(store.sent) / (400 * 4096)
				t.Logf("%v per read, %d GETs, %d HEADs, %.2f bytes moved per byte", took, store.count(), store.heads, amplification)
				if took > 21*time.Millisecond {
					t.Errorf("a read took %v on a link of 20 ms", took)
				}
				if amplification > 2 {
					t.Errorf("amplification %.2f", amplification)
				}
				if s := r.blocks.Stats(); s.Bytes > 4*mib {
					t.Errorf("%d bytes of memory are held for 1.6 MB that were read", s.Bytes)
				}
				r.end(t)
			})
		})
	}
}

// jump makes the reads of rd random.
func jump(t *testing.T, rd *Reader) {
	t.Helper()
	for i := range int64(jumpsAtRandom) {
		check(t, rd, 1, (40+i*i*13)*mib, 4096)
	}
}

// TestSparseIsShared checks that two readers that miss the same page cause one GET, and share the
// fetched page.
func TestSparseIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := link20()
		v := store.put("k", 1024*mib, 1)
		r := newRig(t, store, 64*mib)
		a, b := r.OpenVersion(v), r.OpenVersion(v)
		jump(t, a)
		jump(t, b)
		before := store.sentSoFar()
		var wg sync.WaitGroup
		wg.Go(func() { check(t, a, 1, 500*mib+100, 4096) })
		wg.Go(func() { check(t, b, 1, 500*mib+8000, 100) })
		wg.Wait()
		check(t, b, 1, 500*mib, 8192)
		if n := store.sentSoFar() - before; n != 8192 {
			t.Errorf("%d bytes moved for two pages", n)
		}
		a.Close()
		b.Close()
		r.end(t)
	})
}

// TestSparseAfterClose checks that random reads after Close return ErrClosed.
func TestSparseAfterClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := link20()
		r := newRig(t, store, 64*mib)
		rd := r.OpenVersion(store.put("k", 1024*mib, 1))
		jump(t, rd)
		r.Close()
		if _, err := rd.ReadAt(context.Background(), 700*mib, 4096); !errors.Is(err, ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
		rd.Close()
		r.end(t)
	})
}

// TestDenseReadsFetchBlocks checks that a block is fetched whole when many random reads are in it, and
// that nothing is fetched when the block is present.
func TestDenseReadsFetchBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := link20()
		v := store.put("k", 1024*mib, 1)
		r := newRig(t, store, 64*mib)
		rd := r.OpenVersion(v)
		jump(t, rd)
		rnd := rand.New(rand.NewPCG(3, 3))
		gets := store.count()
		read := func() {
			for range 50 {
				for _, place := range []int64{700 * mib, 900 * mib, 800 * mib} {
					check(t, rd, 1, place+rnd.Int64N(cache.BlockSize/4096)*4096, 4096)
				}
			}
		}
		read()
		if n := store.count() - gets; n > 3*(denseBlocks+3) { // some look like the start of a sequence
			t.Errorf("%d GETs for three blocks, want about %d each", n, denseBlocks+1)
		}
		start := time.Now()
		read()
		if took := time.Since(start); took != 0 {
			t.Errorf("reads of blocks that are there waited %v", took)
		}
		rd.Close()
		r.end(t)
	})
}

// TestFineBlocksKeepPromises checks fine blocks for the promises of blocks: one version (I2), moves,
// interrupts.
func TestFineBlocksKeepPromises(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, ignores := range []bool{false, true} {
			store := link20()
			store.ignoreMatch = ignores
			v := store.put("k", 1024*mib, 1)
			r := newRig(t, store, 64*mib)
			rd := mustOpen(t, r, "k", v)
			jump(t, rd)

			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Millisecond)
			if _, err := rd.ReadAt(ctx, 600*mib, 4096); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("interrupted: %v", err)
			}
			cancel()
			time.Sleep(time.Second)
			gets := store.count()
			check(t, rd, 1, 600*mib, 4096)
			if store.count() != gets {
				t.Error("the interrupted fetch did not go on")
			}

			to := Version{Key: "moved", ETag: v.ETag, Size: v.Size}
			store.rename("k", "moved")
			r.Move(v, to)
			check(t, rd, 1, 650*mib, 4096)
			if store.count() != gets+1 || store.get(gets).Key != "moved" {
				t.Errorf("after a move: %d GETs", store.count()-gets)
			}

			store.put("moved", v.Size, 2)
			if _, err := rd.ReadAt(context.Background(), 700*mib, 4096); !errors.Is(err, ErrStale) {
				t.Errorf("ignoring conditions: %v: %v", ignores, err)
			}
			rd.Close()
			r.Drop(to)
			synctest.Wait()
			if s := r.blocks.Stats(); s.Bytes != 0 {
				t.Errorf("a dropped version holds %+v", s)
			}
			r.end(t)
		}
	})
}

// TestSparseBesideDisk checks that pages of blocks on the disk are not fetched.
func TestSparseBesideDisk(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		store := link20()
		v := store.put("k", 100*mib, 1)
		r := newRig(t, store, 64*mib)
		withDisk(t, r, dir)
		rd := r.OpenVersion(v)
		check(t, rd, 1, 80*mib, 4096)
		time.Sleep(time.Second) // the rest of the block
		rd.Close()
		r.endDisk(t)

		r = newRig(t, store, 64*mib)
		withDisk(t, r, dir)
		rd = r.OpenVersion(v)
		jump(t, rd)
		gets := store.count()
		check(t, rd, 1, 80*mib+8192, 4096)
		if n := store.count() - gets; n != 0 {
			t.Errorf("%d GETs for a block of the disk", n)
		}
		rd.Close()
		r.endDisk(t)
	})
}
