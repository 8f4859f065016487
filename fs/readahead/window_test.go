package readahead

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/s3mount/s3mount/cache"
	"github.com/s3mount/s3mount/s3"
)

// TestDirections reads a large object in regular ways, on a link of 20 ms. The reads must be faster
// than one request for each, and must fetch little more than is read.
func TestDirections(t *testing.T) {
	const size = 256 * mib
	cases := []struct {
		name   string
		n      int
		reads  int
		at     func(i int) int64
		within time.Duration // for all reads
		moved  float64       // bytes fetched per byte of the blocks touched, at most
	}{
		{"forward 1 MiB", mib, 200, func(i int) int64 { return int64(i) * mib }, 900 * time.Millisecond, 1.3},
		{"forward 4 KiB", 4096, 5000, func(i int) int64 { return int64(i) * 4096 }, 500 * time.Millisecond, 2.2},
		{"forward from the middle", 128 << 10, 400, func(i int) int64 { return 100*mib + int64(i)<<17 }, 600 * time.Millisecond, 2.5},
		{"backward 128 KiB", 128 << 10, 800, func(i int) int64 { return size - int64(i+1)<<17 }, 1200 * time.Millisecond, 1.3},
		{"backward 64 KiB", 64 << 10, 800, func(i int) int64 { return size - int64(i+1)<<16 }, 700 * time.Millisecond, 1.5},
		{"every mebibyte", 4096, 200, func(i int) int64 { return int64(i) * mib }, 900 * time.Millisecond, 1.3},
		{"every mebibyte, backward", 4096, 200, func(i int) int64 { return size - int64(i+1)*mib }, 900 * time.Millisecond, 1.3},
		{"every 64 KiB", 4096, 800, func(i int) int64 { return int64(i) << 16 }, 700 * time.Millisecond, 2.5},
		{"two places in turn", 128 << 10, 800, func(i int) int64 { return int64(i%2)*100*mib + int64(i/2)<<17 }, 1200 * time.Millisecond, 2.2},
		{"four places in turn", 128 << 10, 800, func(i int) int64 { return int64(i%4)*60*mib + int64(i/4)<<17 }, 1800 * time.Millisecond, 2.5},
		{"as the kernel, two at a time swapped", mib, 200, func(i int) int64 { return int64(i^1) * mib }, 900 * time.Millisecond, 1.4},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := link20()
				v := store.put("k", size, 1)
				r := newRig(t, store, 256*mib)
				rd := r.OpenVersion(v)
				touched := map[int64]bool{}
				start := time.Now()
				for i := range c.reads {
					off := c.at(i)
					synctest.Wait() // the fetches of the last read start before the next read
					p, err := rd.ReadAt(context.Background(), off, c.n)
					if err != nil {
						t.Fatal(err)
					}
					if !bytes.Equal(p.Slices()[0][:8], wantContent(1, off, 8)) {
						t.Fatalf("wrong bytes at %d", off)
					}
					p.Done()
					for b := off / cache.BlockSize; b <= (off+int64(c.n)-1)/cache.BlockSize; b++ {
						touched[b] = true
					}
				}
				took := time.Since(start)
				rd.Close()
				r.Close()
				moved := float64(store.sent) / float64(len(touched)*cache.BlockSize)
				t.Logf("%v, %d GETs, %d at a time, %.2f bytes moved per byte of the blocks", took, len(store.gets), store.maxFlight, moved)
				if took > c.within {
					t.Errorf("took %v, want at most %v", took, c.within)
				}
				if moved > c.moved {
					t.Errorf("moved %.2f bytes per byte, want at most %.2f", moved, c.moved)
				}
				r.end(t)
			})
		})
	}
}

// TestSlowReaderStaysAhead checks that a slow reader finds its bytes in memory, with a small window.
func TestSlowReaderStaysAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := link20()
		v := store.put("k", 100*mib, 1)
		r := newRig(t, store, 256*mib)
		rd := r.OpenVersion(v)
		var waited time.Duration
		for off := int64(0); off < 32*mib; off += 128 << 10 {
			start := time.Now()
			check(t, rd, 1, off, 128<<10)
			waited += time.Since(start)
			time.Sleep(50 * time.Millisecond) // 2.6 MB/s
		}
		rd.Close()
		r.Close()
		t.Logf("waited %v in all, %d MiB fetched", waited, store.sent/mib)
		if waited > 100*time.Millisecond {
			t.Errorf("a reader of 2.6 MB/s waited %v", waited)
		}
		if store.sent > 48*mib {
			t.Errorf("%d MiB fetched for 32", store.sent/mib)
		}
		r.end(t)
	})
}

// TestSteadyReader reads at the speed of a program that processes the bytes. Blocks that are fetched
// ahead must stay until they are read.
func TestSteadyReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := link20()
		v := store.put("k", 512*mib, 1)
		r := newRig(t, store, 256*mib)
		rd := r.OpenVersion(v)
		start := time.Now()
		for off := int64(0); off < v.Size; off += mib {
			check(t, rd, 1, off, mib)
			time.Sleep(time.Millisecond)
		}
		rd.Close()
		took := time.Since(start)
		r.Close()
		t.Logf("%v, %d GETs, %d at a time", took, len(store.gets), store.maxFlight)
		if store.sent != v.Size || len(store.gets) > 100 {
			t.Errorf("%d bytes moved for %d by %d GETs", store.sent, v.Size, len(store.gets))
		}
		if took > 800*time.Millisecond {
			t.Errorf("took %v, of which 512ms are the reader's own", took)
		}
		r.end(t)
	})
}

// TestSlowLink checks that a reader fills a slow link and does not queue behind its own window.
func TestSlowLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newFakeStore()
		store.latency, store.shared = 20*time.Millisecond, 10e6
		v := store.put("k", 128*mib, 1)
		r := newRig(t, store, 256*mib)
		rd := r.OpenVersion(v)
		start := time.Now()
		var longest time.Duration
		for off := int64(0); off < v.Size; off += 256 << 10 {
			before := time.Now()
			check(t, rd, 1, off, 256<<10)
			longest = max(longest, time.Since(before))
		}
		rate := float64(v.Size) / time.Since(start).Seconds()
		rd.Close()
		r.Close()
		t.Logf("%.1f MB/s, longest wait %v, %d GETs", rate/1e6, longest, len(store.gets))
		if rate < 0.95*store.shared {
			t.Errorf("%.1f MB/s on a link of %.1f", rate/1e6, store.shared/1e6)
		}
		if longest > 2*time.Second {
			t.Errorf("a read of 256 KiB took %v", longest)
		}
		r.end(t)
	})
}

// TestSeekEndsOldWindow checks that a seek ends the window of the old place and cancels few
// bodies.
func TestSeekEndsOldWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := link20()
		v := store.put("k", 1024*mib, 1)
		r := newRig(t, store, 256*mib)
		rd := r.OpenVersion(v)
		for off := int64(0); off < 64*mib; off += mib {
			check(t, rd, 1, off, mib)
		}
		before := store.sentSoFar()
		for off := int64(512 * mib); off < 520*mib; off += 128 << 10 {
			check(t, rd, 1, off, 128<<10)
		}
		rd.Close()
		time.Sleep(time.Second)
		if s := r.Stats(); s.Running != 0 {
			t.Errorf("%d GETs still run after the reader closed", s.Running)
		}
		r.Close()
		t.Logf("%d MiB moved after the seek, %d bodies cut", (store.sent-before)/mib, store.cutShort)
		if store.maxFlight > defaultConnections {
			t.Errorf("%d GETs at a time", store.maxFlight)
		}
		if moved := store.sent - before; moved > 80*mib {
			t.Errorf("%d MiB moved after the seek, for 8 read", moved/mib)
		}
		r.end(t)
	})
}

// TestReadersShareBlocks checks that readers of one file at about the same place cause one fetch of
// each block.
func TestReadersShareBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := link20()
		v := store.put("k", 64*mib, 1)
		r := newRig(t, store, 256*mib)
		var wg sync.WaitGroup
		for i := range 4 {
			wg.Go(func() {
				rd := r.OpenVersion(v)
				defer rd.Close()
				time.Sleep(time.Duration(i) * 7 * time.Millisecond)
				readAll(t, rd, 1, 256<<10)
			})
		}
		wg.Wait()
		if store.sent != v.Size {
			t.Errorf("%d bytes moved for %d", store.sent, v.Size)
		}
		r.end(t)
	})
}

// TestUnderPressure reads eight files at once with less memory than their windows need. All reads must
// progress, memory must stay within the bound of I8, and little may be fetched twice.
func TestUnderPressure(t *testing.T) {
	for _, limit := range []int64{4 * mib, 16 * mib, 64 * mib} {
		t.Run(fmt.Sprintf("%d MiB", limit/mib), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := link20()
				r := newRig(t, store, limit)
				const size, files = 24 * mib, 8
				var peak int64
				var mu sync.Mutex
				var wg sync.WaitGroup
				start := time.Now()
				for i := range files {
					v := store.put(fmt.Sprint(i), size, uint64(i))
					wg.Go(func() {
						rd := mustOpen(t, r, v.Key, v)
						defer rd.Close()
						for off := int64(0); off < size; off += mib {
							check(t, rd, uint64(i), off, mib)
							mu.Lock()
							peak = max(peak, r.pool.Budget().Used())
							mu.Unlock()
						}
					})
				}
				wg.Wait()
				moved := float64(store.sent) / (files * size)
				t.Logf("%v, peak %.1f MiB, %.2f bytes moved per byte, %d GETs", time.Since(start), float64(peak)/mib, moved, len(store.gets))
				if bound := limit + emergencies*mib + 16*cache.BlockSize; peak > bound {
					t.Errorf("%d bytes used at the peak, want at most %d", peak, bound)
				}
				if moved > 1.3 {
					t.Errorf("%.2f bytes moved per byte", moved)
				}
				r.end(t)
			})
		})
	}
}

// TestReadersProgressWithoutMemory checks that reads complete while another user holds all memory.
func TestReadersProgressWithoutMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := link20()
		r := newRig(t, store, 16*mib)
		r.pool.Budget().Force(16 * mib)
		writer := make(chan error, 1)
		ctx, cancel := context.WithCancel(context.Background())
		go func() { writer <- r.pool.Budget().Acquire(ctx, mib) }()
		var wg sync.WaitGroup
		for i := range 20 {
			v := store.put(fmt.Sprint(i), 4*mib, uint64(i))
			wg.Go(func() {
				rd := mustOpen(t, r, v.Key, v)
				defer rd.Close()
				for off := int64(0); off < v.Size; off += mib {
					check(t, rd, uint64(i), off, mib)
					if used := r.pool.Budget().Used(); used > (16+emergencies)*mib+20*cache.BlockSize {
						t.Errorf("%d bytes used", used)
					}
				}
			})
		}
		wg.Wait()
		cancel()
		<-writer
		r.pool.Budget().Release(16 * mib)
		r.end(t)
	})
}

// TestConnectionsAreBounded checks that all readers share the connections, and that a waiting read does
// not queue behind fetches ahead.
func TestConnectionsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := link20()
		r := newRig(t, store, 256*mib, func(o *Options) { o.Connections = 8 })
		stream := store.put("stream", 1024*mib, 1)
		random := store.put("random", 1024*mib, 2)
		done := make(chan struct{})
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				rd := r.OpenVersion(stream)
				defer rd.Close()
				for off := int64(0); ; off += mib {
					select {
					case <-done:
						return
					default:
						check(t, rd, 1, off%stream.Size, mib)
					}
				}
			})
		}
		rd := r.OpenVersion(random)
		rnd := rand.New(rand.NewPCG(1, 2))
		time.Sleep(200 * time.Millisecond)
		start := time.Now()
		for range 20 {
			check(t, rd, 2, rnd.Int64N(random.Size), 4096)
		}
		if took := time.Since(start) / 20; took > 26*time.Millisecond {
			t.Errorf("a random read beside two streams took %v", took)
		}
		rd.Close()
		close(done)
		wg.Wait()
		r.Close()
		if store.maxFlight > 8 {
			t.Errorf("%d GETs at a time", store.maxFlight)
		}
		r.end(t)
	})
}

// TestConcurrentOpens checks that opens of one key during its first GET send a HEAD instead of a second
// GET.
func TestConcurrentOpens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := link20()
		v := store.put("k", 1000, 1)
		r := newRig(t, store, 64*mib)
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				rd := mustOpen(t, r, "k", Version{})
				defer rd.Close()
				check(t, rd, 1, 0, 1000)
			})
		}
		wg.Wait()
		// The caller of a HEAD may read before the answer of the GET is processed.
		if len(store.gets) > 2 || store.heads != 9 || store.sent != v.Size {
			t.Errorf("%d GETs, %d HEADs, %d bytes", len(store.gets), store.heads, store.sent)
		}
		r.end(t)
	})
}

// TestModel reads at random from many goroutines, with a cache that is too
// small and GETs that break, and compares every byte.
func TestModel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seed := uint64(20)
		t.Logf("seed %d", seed)
		store := link20()
		faults := rand.New(rand.NewPCG(seed, 0))
		var mu sync.Mutex
		store.fault = func(int, *s3.GetInput) fault {
			mu.Lock()
			defer mu.Unlock()
			switch faults.IntN(10) {
			case 0:
				return fault{cutAfter: 1 + faults.Int64N(mib), cutErr: errCut}
			case 1:
				return fault{hangBody: true, cutAfter: faults.Int64N(mib)}
			}
			return fault{}
		}
		r := newRig(t, store, 6*mib)
		sizes := []int64{1, 4095, cache.BlockSize - 1, cache.BlockSize, 3*cache.BlockSize + 5, mib + 1, 9*mib + 77}
		var wg sync.WaitGroup
		for i := range 12 {
			wg.Go(func() {
				rnd := rand.New(rand.NewPCG(seed, uint64(i+1)))
				for range 20 {
					f := rnd.IntN(len(sizes))
					v := store.put(fmt.Sprint(f), sizes[f], uint64(f))
					readAtRandom(t, r, rnd, v, uint64(f))
				}
			})
		}
		wg.Wait()
		r.end(t)
	})
}

var errCut = fmt.Errorf("body: %w", s3.ErrTransient)

// readAtRandom opens v and reads it in one of several ways. It repeats failed fetches.
func readAtRandom(t *testing.T, r *rig, rnd *rand.Rand, v Version, seed uint64) {
	rd, _, err := r.Open(context.Background(), v.Key, v)
	if err != nil {
		t.Errorf("open: %v", err)
		return
	}
	defer rd.Close()
	off, n, jumps := int64(0), 1+rnd.IntN(mib), rnd.IntN(2) == 0
	if jumps {
		n = 1 + rnd.IntN(20_000)
	}
	for i := 0; i < 12; i++ {
		if jumps || rnd.IntN(3) == 0 {
			off = rnd.Int64N(v.Size)
		}
		p, err := rd.ReadAt(context.Background(), off, n)
		if err != nil {
			continue
		}
		want := wantContent(seed, off, int(max(min(int64(n), v.Size-off), 0)))
		if !bytes.Equal(bytes.Join(p.Slices(), nil), want) {
			t.Errorf("%d bytes at %d of %d are wrong", n, off, v.Size)
		}
		p.Done()
		off += int64(n)
	}
}
