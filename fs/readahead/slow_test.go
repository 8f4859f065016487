package readahead

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/s3mount/s3mount/s3"
)

// TestSlowBody: one body out of many comes at a hundredth of the usual rate, which
// alone would take 11 s. Its rest is asked for once more, and only if the others are
// faster.
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
		shared   bool  // from then on the whole link is
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
				r := newRig(t, store, 256*mib, func(o *Options) { o.FetchSize = fetch })
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

// TestSlowBodyAlone: a body that no other runs beside is not called slow, whatever
// those before it were.
func TestSlowBodyAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := link20()
		store.fault = func(n int, _ *s3.GetInput) fault {
			if n > hedgeSamples {
				return fault{slow: 100e3}
			}
			return fault{}
		}
		r := newRig(t, store, 64*mib)
		rd := measured(t, r)
		check(t, rd, 1, 1000*mib, 512<<10)
		if s := r.Stats(); s.Hedges != 0 {
			t.Errorf("%d second GETs", s.Hedges)
		}
		rd.Close()
		r.end(t)
	})
}
