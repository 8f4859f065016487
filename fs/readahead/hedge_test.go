package readahead

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/s3mount/s3mount/s3"
)

// measured returns a reader whose manager has measured the link. Its next random read is GET
// hedgeSamples + 1.
func measured(t *testing.T, r *rig) *Reader {
	t.Helper()
	rd := r.OpenVersion(r.store.put("k", 1024*mib, 1))
	for i := range int64(hedgeSamples) {
		check(t, rd, 1, (i*i*13+1)*mib, 4096)
	}
	time.Sleep(time.Second) // the rest of the blocks
	return rd
}

// TestSlowReplica checks that a second GET is sent when the answer of one GET is much later than
// earlier ones, and that the reader gets the better result of both.
func TestSlowReplica(t *testing.T) {
	const n = hedgeSamples + 1
	transient := fmt.Errorf("get: %w", s3.ErrTransient)
	cases := map[string]struct {
		first, second fault
		within        time.Duration
		err           error
	}{
		"late":                    {fault{late: time.Minute}, fault{}, 120 * time.Millisecond, nil},
		"hangs":                   {fault{hang: true}, fault{}, 120 * time.Millisecond, nil},
		"second one later":        {fault{late: 100 * time.Millisecond}, fault{late: time.Minute}, 130 * time.Millisecond, nil},
		"second one fails":        {fault{late: 500 * time.Millisecond}, fault{err: transient}, 530 * time.Millisecond, nil},
		"first one fails, later":  {fault{late: 100 * time.Millisecond, err: transient}, fault{late: 400 * time.Millisecond}, 520 * time.Millisecond, nil},
		"both fail":               {fault{late: 500 * time.Millisecond, err: transient}, fault{err: transient}, 530 * time.Millisecond, s3.ErrTransient},
		"second one knows better": {fault{late: time.Minute}, fault{err: fmt.Errorf("get: %w", s3.ErrPreconditionFailed)}, 120 * time.Millisecond, ErrStale},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := link20()
				store.fault = func(i int, _ *s3.GetInput) fault {
					return map[int]fault{n: c.first, n + 1: c.second}[i]
				}
				r := newRig(t, store, 64*mib)
				rd := measured(t, r)
				start := time.Now()
				if c.err != nil {
					if _, err := rd.ReadAt(context.Background(), 1000*mib, 4096); !errors.Is(err, c.err) {
						t.Errorf("error %v, want %v", err, c.err)
					}
				} else {
					check(t, rd, 1, 1000*mib, 4096)
				}
				took := time.Since(start)
				if took > c.within {
					t.Errorf("took %v, want at most %v", took, c.within)
				}
				if s := r.Stats(); s.Hedges != 1 || store.count() != n+1 {
					t.Errorf("%d second GETs, %d in all", s.Hedges, store.count())
				}
				rd.Close()
				r.end(t)
			})
		})
	}
}

// TestSlowReplicaAtOpen checks that an open does not wait longer for a slow replica than a read.
func TestSlowReplicaAtOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := link20()
		r := newRig(t, store, 64*mib)
		measured(t, r).Close()
		store.put("small", 1000, 2)
		store.fault = func(i int, _ *s3.GetInput) fault {
			if i == hedgeSamples+1 {
				return fault{late: time.Minute}
			}
			return fault{}
		}
		start := time.Now()
		rd := mustOpen(t, r, "small", Version{})
		check(t, rd, 2, 0, 1000)
		if took := time.Since(start); took > 120*time.Millisecond {
			t.Errorf("took %v", took)
		}
		rd.Close()
		r.end(t)
	})
}

// TestHedgesAreFew checks that second GETs stay a small share when the server as a whole turns slow,
// and that there are none while its speed is constant.
func TestHedgesAreFew(t *testing.T) {
	for name, c := range map[string]struct {
		late  func(i int) time.Duration
		share int64 // at most one in so many, and one more; 0: none
	}{
		"steady":          {func(int) time.Duration { return 0 }, 0},
		"uneven":          {func(i int) time.Duration { return time.Duration(i*7%11) * 3 * time.Millisecond }, 0},
		"slow as a whole": {func(i int) time.Duration { return time.Duration(i/100) * time.Second / 4 }, hedgeShare},
		"every tenth":     {func(i int) time.Duration { return time.Duration(i%10/9) * time.Second }, hedgeShare},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := link20()
				store.fault = func(i int, _ *s3.GetInput) fault { return fault{late: c.late(i)} }
				r := newRig(t, store, 64*mib)
				rd := measured(t, r)
				for i := range int64(400) {
					check(t, rd, 1, (i*i*389)%1023*mib+i*4096, 4096)
				}
				s := r.Stats()
				t.Logf("%d second GETs of %d", s.Hedges, s.Gets)
				if c.share == 0 && s.Hedges > 0 || c.share > 0 && s.Hedges > s.Gets/c.share+1 {
					t.Errorf("%d second GETs of %d", s.Hedges, s.Gets)
				}
				if c.share > 0 && s.Hedges == 0 {
					t.Error("no second GET")
				}
				rd.Close()
				r.end(t)
			})
		})
	}
}

// TestCloseEndsHedges closes the manager while two GETs for one read are in flight.
func TestCloseEndsHedges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := link20()
		r := newRig(t, store, 64*mib)
		rd := measured(t, r)
		store.fault = func(int, *s3.GetInput) fault { return fault{hang: true} }
		failed := make(chan error, 1)
		go func() {
			_, err := rd.ReadAt(context.Background(), 1000*mib, 4096)
			failed <- err
		}()
		time.Sleep(time.Second)
		if s := r.Stats(); s.Running != 2 {
			t.Errorf("%d GETs are out, want 2", s.Running)
		}
		r.Close()
		if err := <-failed; !errors.Is(err, ErrClosed) {
			t.Error(err)
		}
		rd.Close()
		r.end(t)
	})
}
