package readahead

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/s3mount/s3mount/cache"
	"github.com/s3mount/s3mount/s3"
)

const mib = 1 << 20

// link20 is a link of 20 ms and 90 MB/s per connection.
func link20() *fakeStore {
	s := newFakeStore()
	s.latency, s.rate = 20*time.Millisecond, 90e6
	return s
}

func mustOpen(t testing.TB, r *rig, key string, hint Version) *Reader {
	t.Helper()
	rd, _, err := r.Open(context.Background(), key, hint)
	if err != nil {
		t.Fatal(err)
	}
	return rd
}

// check reads [off, off+n) and compares it.
func check(t testing.TB, rd *Reader, seed uint64, off int64, n int) {
	t.Helper()
	p, err := rd.ReadAt(context.Background(), off, n)
	if err != nil {
		t.Fatalf("read of %d at %d: %v", n, off, err)
	}
	defer p.Done()
	want := int(max(min(int64(n), rd.Version().Size-off), 0))
	if p.Size() != want {
		t.Fatalf("read of %d at %d: %d bytes, want %d", n, off, p.Size(), want)
	}
	for _, b := range p.Slices() {
		if !isContent(seed, off, b) {
			t.Fatalf("read of %d at %d: wrong bytes", n, off)
		}
		off += int64(len(b))
	}
}

func TestSmallFileIsOneGET(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, size := range []int64{1, 100, cache.BlockSize, cache.BlockSize + 1, cache.SmallObject} {
			store := link20()
			v := store.put("k", size, 1)
			r := newRig(t, store, 64*mib)
			start := time.Now()
			rd := mustOpen(t, r, "k", Version{})
			check(t, rd, 1, 0, mib)
			check(t, rd, 1, size, 10)
			took := time.Since(start)
			if rd.Version() != v {
				t.Errorf("version %+v, want %+v", rd.Version(), v)
			}
			if len(store.gets) != 1 || store.heads != 0 {
				t.Errorf("size %d: %d GETs and %d HEADs", size, len(store.gets), store.heads)
			}
			if limit := 21*time.Millisecond + time.Duration(size)*12*time.Nanosecond; took > limit {
				t.Errorf("size %d took %v", size, took)
			}
			rd.Close()
			r.end(t)
		}
	})
}

func TestReopenRevalidates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := link20()
		v := store.put("k", 1000, 1)
		r := newRig(t, store, 64*mib)
		rd := mustOpen(t, r, "k", Version{})
		check(t, rd, 1, 0, 1000)
		rd.Close()
		synctest.Wait()
		rd, info, err := r.Open(context.Background(), "k", v)
		if err != nil || info != nil {
			t.Fatalf("reopen: info %v, error %v", info, err)
		}
		check(t, rd, 1, 0, 1000)
		rd.Close()
		if n := len(store.gets); n != 2 || store.gets[1].IfNoneMatch != v.ETag || store.sent != 1000 {
			t.Errorf("%d GETs, %d bytes, last %+v", n, store.sent, store.gets[n-1])
		}

		v2 := store.put("k", 2000, 2)
		rd, info, err = r.Open(context.Background(), "k", v)
		if err != nil || info == nil || info.ETag != v2.ETag || info.Size != 2000 {
			t.Fatalf("open after a change: info %+v, error %v", info, err)
		}
		check(t, rd, 2, 0, 2000)
		rd.Close()
		if n := len(store.gets); n != 3 {
			t.Errorf("%d GETs", n)
		}
		r.end(t)
	})
}

func TestOpenErrorsAndEmpty(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := link20()
		r := newRig(t, store, 64*mib)
		if _, _, err := r.Open(context.Background(), "none", Version{}); !errors.Is(err, s3.ErrNotFound) {
			t.Errorf("absent: %v", err)
		}
		v := store.put("empty", 0, 1)
		for _, hint := range []Version{{}, v} {
			rd, info, err := r.Open(context.Background(), "empty", hint)
			if err != nil || info.Size != 0 {
				t.Fatalf("empty: %+v %v", info, err)
			}
			check(t, rd, 1, 0, 100)
			if n, err := rd.CopyAt(context.Background(), make([]byte, 10), 0); n != 0 || err != io.EOF {
				t.Errorf("CopyAt of an empty object: %d %v", n, err)
			}
			rd.Close()
		}
		if len(store.gets) != 2 || store.heads != 2 {
			t.Errorf("%d GETs, %d HEADs", len(store.gets), store.heads)
		}
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		store.put("k", 5, 1)
		if _, _, err := r.Open(ctx, "k", Version{}); !errors.Is(err, context.Canceled) {
			t.Errorf("interrupted open: %v", err)
		}
		r.end(t)
		if _, _, err := r.Open(context.Background(), "k", Version{}); !errors.Is(err, ErrClosed) {
			t.Errorf("open after Close: %v", err)
		}
	})
}

// TestSequentialKeepsLinkFull reads a large object like the kernel does, and compares the speed with
// the bandwidth of the connections.
func TestSequentialKeepsLinkFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := link20()
		v := store.put("k", 1024*mib, 1)
		r := newRig(t, store, 256*mib)
		start := time.Now()
		rd := mustOpen(t, r, "k", v)
		readAll(t, rd, 1, mib)
		rd.Close()
		took := time.Since(start)
		rate := float64(v.Size) / took.Seconds()
		t.Logf("%v, %.0f MB/s, %d GETs, %d at a time, %.3f bytes moved per byte", took, rate/1e6,
			len(store.gets), store.maxFlight, float64(store.sent)/float64(v.Size))
		// This is the time of connections that wait 20 ms for each 8 MiB.
		ideal := defaultConnections * 8 * mib / (0.020 + 8*mib/90e6)
		if rate < 0.85*ideal {
			t.Errorf("%.0f MB/s, want at least 85 %% of %.0f MB/s", rate/1e6, ideal/1e6)
		}
		if store.sent != v.Size {
			t.Errorf("%d bytes moved for %d", store.sent, v.Size)
		}
		r.end(t)
	})
}

// readAll reads all of rd in steps of n, comparing the first bytes of each.
func readAll(t testing.TB, rd *Reader, seed uint64, n int) {
	t.Helper()
	for off := int64(0); off < rd.Version().Size; off += int64(n) {
		p, err := rd.ReadAt(context.Background(), off, n)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Slices()[0][:1]; !bytes.Equal(got, wantContent(seed, off, 1)) {
			t.Fatalf("wrong byte at %d", off)
		}
		p.Done()
	}
}
