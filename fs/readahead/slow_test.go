package readahead

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/s3mount/s3mount/s3"
)

// TestSlowBody sends one of many bodies at a hundredth of the usual rate, which alone would take 11 s.
// The rest of the body is requested again only if the other bodies are faster.
func TestSlowBody(t *testing.T) {
	const (
		size  = 96 * mib
		fetch = 2 * mib
		nth   = 25 // a GET of the largest size
		usual = 18e6
		crawl = usual / 100
	)
	cases := map[string]struct {
		from     int64 // bytes that come at the usual rate
		again    bool  // the second GET is as slow
		shared   bool  // the whole link becomes slow
		hedges   int64
		at, most time.Duration // that all of it takes; without a slow body 0.5 s
	}{
		"from its start":     {0, false, false, 1, time.Second, 2 * time.Second},
		"from its middle":    {fetch / 2, false, false, 1, time.Second, 2 * time.Second},
		"near its end":       {fetch - 40<<10, false, false, 0, 0, 2 * time.Second},
		"the second one too": {0, true, false, 1, 10 * time.Second, 14 * time.Second},
		"all of them":        {0, false, true, 0, 10 * time.Second, time.Hour},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := link20()
				store.rate = usual
				var end int64
				bodies := 0 // of the range that is slow
				store.fault = func(n int, in *s3.GetInput) fault {
					store.mu.Lock()
					defer store.mu.Unlock()
					_, last, _ := rangeOf(in.Range)
					if n == nth && c.shared {
						store.shared = 16 * crawl
					}
					if n == nth {
						end = last
					}
					if last != end || c.shared {
						return fault{}
					}
					if bodies++; bodies > 1 && !c.again {
						return fault{}
					}
					return fault{slow: crawl, slowFrom: c.from}
				}
				r := newRig(t, store, 256*mib, func(o *Options) { o.fetchSize = fetch })
				rd := r.OpenVersion(store.put("k", size, 1))
				start := time.Now()
				for off := int64(0); off < size; off += mib {
					check(t, rd, 1, off, mib)
				}
				took := time.Since(start)
				if s := r.Stats(); s.Hedges != c.hedges || took < c.at/2 || took > c.most {
					t.Errorf("%d second GETs, %v; want %d, %v to %v", s.Hedges, took, c.hedges, c.at/2, c.most)
				}
				if moved := store.sentSoFar(); moved > size+mib {
					t.Errorf("%d bytes moved for %d", moved, int64(size))
				}
				rd.Close()
				r.end(t)
			})
		})
	}
}

// TestSlowBodyAlone checks that a body without others beside it is compared with earlier bodies, if
// enough of them were long enough to be measured. If all bodies become slow, few are requested again.
func TestSlowBodyAlone(t *testing.T) {
	const before, crawl = 30, 100e3
	for name, c := range map[string]struct {
		size, slow int // bytes of the reads before; how many bodies are slow
		hedges     int64
		most       time.Duration
	}{
		"one":         {mib, 1, 1, 2 * time.Second},
		"all":         {mib, 1000, 3, time.Hour},
		"no measures": {mib / 2, 1, 0, time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := link20()
				store.fault = func(n int, _ *s3.GetInput) fault {
					if n > before && n <= before+c.slow {
						return fault{slow: crawl}
					}
					return fault{}
				}
				r := newRig(t, store, 64*mib)
				rd := r.OpenVersion(store.put("k", 1024*mib, 1))
				read := func(i int64, n int) {
					if _, err := rd.CopyWithin(t.Context(), make([]byte, n), i*16*mib, i*16*mib+int64(n)); err != nil {
						t.Fatal(err)
					}
				}
				for i := range int64(before) {
					read(i, c.size)
				}
				start := time.Now()
				read(before, mib)
				took := time.Since(start)
				for i := int64(1); c.slow > 1 && i < 30; i++ {
					read(before+i, mib)
				}
				if s := r.Stats(); s.Hedges > c.hedges || c.hedges > 0 && s.Hedges == 0 || took > c.most {
					t.Errorf("%d second GETs, the first slow one took %v", s.Hedges, took)
				}
				rd.Close()
				r.end(t)
			})
		})
	}
}
