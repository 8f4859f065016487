package readahead

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/s3mount/s3mount/cache"
	"github.com/s3mount/s3mount/s3"
)

// TestEveryGETFails injects each fault into the n-th GET, for every n, and reads until the bytes are
// right. No fault may cause wrong bytes or a hang.
func TestEveryGETFails(t *testing.T) {
	kinds := map[string]struct {
		fault fault
		heals bool // readers do not notice
	}{
		"cut":          {fault{cutAfter: 100_000, cutErr: io.ErrUnexpectedEOF}, true},
		"cut at once":  {fault{cutErr: io.ErrUnexpectedEOF}, true},
		"short body":   {fault{cutAfter: 200_000, cutErr: io.EOF}, true},
		"hang":         {fault{hang: true}, true},
		"hang in body": {fault{cutAfter: 70_000, hangBody: true}, true},
		"transient":    {fault{err: fmt.Errorf("get: %w", s3.ErrTransient)}, false},
		"forbidden":    {fault{err: fmt.Errorf("get: %w", s3.ErrForbidden)}, false},
	}
	const size = 5*mib + 12345
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				for n := 1; ; n++ {
					store := link20()
					store.put("k", size, 1)
					var struck atomic.Bool
					store.fault = func(i int, _ *s3.GetInput) fault {
						if i != n {
							return fault{}
						}
						struck.Store(true)
						return kind.fault
					}
					r := newRig(t, store, 64*mib, func(o *Options) { o.fetchSize = mib })
					failures := readThrough(t, r, size)
					r.end(t)
					if failures > 1 || failures > 0 && kind.heals {
						t.Errorf("GET %d: %d failures", n, failures)
					}
					if !struck.Load() {
						break
					}
				}
			})
		})
	}
}

// readThrough opens and reads the whole object, repeats it after errors, and returns the number of
// errors.
func readThrough(t *testing.T, r *rig, size int64) (failures int) {
	t.Helper()
	var rd *Reader
	for rd == nil {
		var err error
		if rd, _, err = r.Open(context.Background(), "k", Version{}); err != nil {
			failures++
		}
	}
	defer rd.Close()
	buf := make([]byte, 300_000)
	for off := int64(0); off < size && failures < 3; {
		n, err := rd.CopyAt(context.Background(), buf, off)
		if !bytes.Equal(buf[:n], wantContent(1, off, n)) {
			t.Fatalf("wrong bytes at %d", off)
		}
		if off += int64(n); err != nil && err != io.EOF {
			failures++
		}
	}
	return failures
}

func TestDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := link20()
		v := store.put("k", 10*mib, 1)
		store.fault = func(int, *s3.GetInput) fault { return fault{hang: true} }
		r := newRig(t, store, 64*mib)
		start := time.Now()
		if _, _, err := r.Open(context.Background(), "k", Version{}); !errors.Is(err, s3.ErrDeadline) {
			t.Errorf("open: %v", err)
		}
		if took := time.Since(start); took != defaultDeadline {
			t.Errorf("open took %v", took)
		}
		start = time.Now()
		rd := r.OpenVersion(v)
		if _, err := rd.ReadAt(context.Background(), 0, 10); !errors.Is(err, s3.ErrDeadline) {
			t.Errorf("read: %v", err)
		}
		if took := time.Since(start); took != defaultDeadline {
			t.Errorf("read took %v", took)
		}
		rd.Close()
		r.end(t)
	})
}

// TestStalledConnectionIsReplaced checks that a stalled connection costs leastPatience once.
func TestStalledConnectionIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := link20()
		v := store.put("k", 10*mib, 1)
		store.fault = func(n int, _ *s3.GetInput) fault { return fault{hang: n == 1} }
		r := newRig(t, store, 64*mib)
		rd := r.OpenVersion(v)
		start := time.Now()
		check(t, rd, 1, 5*mib, 1000)
		if took := time.Since(start); took > leastPatience+50*time.Millisecond {
			t.Errorf("took %v", took)
		}
		rd.Close()
		r.end(t)
	})
}

// TestInterrupt checks that the end of the context ends the wait at once and does not end the fetch.
func TestInterrupt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newFakeStore()
		store.latency = time.Second
		v := store.put("k", 10*mib, 1)
		r := newRig(t, store, 64*mib)
		rd := r.OpenVersion(v)
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Millisecond)
		defer cancel()
		start := time.Now()
		if _, err := rd.ReadAt(ctx, 5*mib, 10); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("interrupted read: %v", err)
		}
		if took := time.Since(start); took != 5*time.Millisecond {
			t.Errorf("the interrupt took %v", took)
		}
		time.Sleep(1100 * time.Millisecond)
		start = time.Now()
		check(t, rd, 1, 5*mib, 10)
		if took := time.Since(start); took != 0 || len(store.gets) != 1 {
			t.Errorf("the fetch did not go on: %v, %d GETs", took, len(store.gets))
		}
		rd.Close()
		r.end(t)
	})
}

// TestStale changes the object under a reader, in each way and at each moment.
func TestStale(t *testing.T) {
	const size = 8 * mib
	changes := map[string]func(s *fakeStore){
		"same size":       func(s *fakeStore) { s.put("k", size, 2) },
		"shorter":         func(s *fakeStore) { s.put("k", 100, 2) },
		"longer":          func(s *fakeStore) { s.put("k", 2*size, 2) },
		"empty":           func(s *fakeStore) { s.put("k", 0, 2) },
		"deleted":         func(s *fakeStore) { s.remove("k") },
		"made anew later": func(s *fakeStore) { s.remove("k"); s.put("k", size, 3) },
	}
	for name, change := range changes {
		for _, ignores := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, server ignores If-Match: %v", name, ignores), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					for n := 2; n <= 6; n++ {
						testStale(t, change, ignores, n)
					}
				})
			})
		}
	}
}

// testStale changes the object at the n-th GET.
func testStale(t *testing.T, change func(*fakeStore), ignores bool, n int) {
	store := link20()
	store.ignoreMatch = ignores
	v := store.put("k", 8*mib, 1)
	store.fault = func(i int, _ *s3.GetInput) fault {
		if i == n {
			return fault{before: func() { change(store) }}
		}
		return fault{}
	}
	r := newRig(t, store, 64*mib, func(o *Options) { o.fetchSize = mib })
	rd := mustOpen(t, r, "k", Version{})
	stale := false
	for off := int64(0); off < v.Size; off += 100_000 {
		p, err := rd.ReadAt(context.Background(), off, 100_000)
		if err != nil {
			if !errors.Is(err, ErrStale) {
				t.Errorf("read at %d: %v", off, err)
			}
			stale = true
			continue
		}
		if !bytes.Equal(bytes.Join(p.Slices(), nil), wantContent(1, off, p.Size())) {
			t.Fatalf("blended bytes at %d", off)
		}
		p.Done()
	}
	if !stale {
		t.Errorf("change at GET %d was not noticed", n)
	}
	rd.Close()
	r.end(t)
}

// TestStaleWithoutETag checks that versions without an ETag are distinguished by their date.
func TestStaleWithoutETag(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, ignores := range []bool{false, true} {
			store := link20()
			store.ignoreMatch = ignores
			store.put("k", 8*mib, 1)
			store.stripETag("k")
			r := newRig(t, store, 64*mib)
			rd := mustOpen(t, r, "k", Version{})
			check(t, rd, 1, 0, 1000)
			check(t, rd, 1, 5*mib, 1000)
			store.put("k", 8*mib, 2)
			store.stripETag("k")
			if _, err := rd.ReadAt(context.Background(), 3*mib, 10); !errors.Is(err, ErrStale) {
				t.Errorf("ignoring conditions: %v: %v", ignores, err)
			}
			rd.Close()
			r.end(t)
		}
	})
}

// TestResetWithoutETag checks that the rest of a broken body is requested again and compared with the
// version. Package s3 cannot resume a body of an object without a strong ETag.
func TestResetWithoutETag(t *testing.T) {
	for name, c := range map[string]struct {
		etag   string
		change bool
		err    error
	}{
		"no ETag":            {"", false, nil},
		"weak ETag":          {`W/"x"`, false, nil},
		"no ETag, changed":   {"", true, ErrStale},
		"weak ETag, changed": {`W/"x"`, true, ErrStale},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := link20()
				put := func(seed uint64) {
					store.put("k", 8*mib, seed)
					store.setETag("k", c.etag)
				}
				put(1)
				store.ignoreMatch = c.change
				store.fault = func(n int, _ *s3.GetInput) fault {
					if n != 2 || c.change {
						return fault{}
					}
					return fault{cutAfter: 300_000, cutErr: fmt.Errorf("body broke: %w", s3.ErrTransient)}
				}
				r := newRig(t, store, 64*mib)
				rd := mustOpen(t, r, "k", Version{})
				if c.change {
					put(2)
				}
				p, err := rd.ReadAt(context.Background(), 4*mib, mib)
				if !errors.Is(err, c.err) {
					t.Errorf("error %v, want %v", err, c.err)
				}
				if err == nil {
					if !isContent(1, 4*mib, p.Slices()[0]) {
						t.Error("wrong bytes")
					}
					p.Done()
				}
				rd.Close()
				r.end(t)
			})
		})
	}
}

// TestNoBucket checks that a missing bucket does not make a version stale.
func TestNoBucket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := link20()
		store.fault = func(int, *s3.GetInput) fault { return fault{err: noBucket{}} }
		r := newRig(t, store, 64*mib)
		rd := r.OpenVersion(store.put("k", mib, 1))
		if _, err := rd.ReadAt(context.Background(), 0, 10); !errors.Is(err, s3.ErrNoSuchBucket) || errors.Is(err, ErrStale) {
			t.Error(err)
		}
		rd.Close()
		r.end(t)
	})
}

// noBucket matches both errors, like an error of package s3.
type noBucket struct{}

func (noBucket) Error() string { return "no bucket" }
func (noBucket) Is(target error) bool {
	return target == s3.ErrNoSuchBucket || target == s3.ErrNotFound
}

// TestUnneededFetchEnds checks that a fetch ahead without an answer ends soon after its reader has
// closed, and releases its connection.
func TestUnneededFetchEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := link20()
		v := store.put("k", 100*mib, 1)
		var dead atomic.Bool
		store.fault = func(int, *s3.GetInput) fault { return fault{hang: dead.Load()} }
		r := newRig(t, store, 64*mib)
		rd := r.OpenVersion(v)
		for off := int64(0); off < 4*mib; off += mib {
			check(t, rd, 1, off, mib)
		}
		time.Sleep(time.Second)
		dead.Store(true)
		for off := int64(4 * mib); r.Stats().Running == 0; off += mib {
			check(t, rd, 1, off, mib) // is cached; the sequence causes more fetches
			synctest.Wait()
		}
		time.Sleep(time.Second)
		rd.Close()
		time.Sleep(leastPatience)
		if n := r.Stats().Running; n != 0 {
			t.Errorf("%d GETs without a reader are running", n)
		}
		r.end(t)
	})
}

// TestMove renames the object under a reader, also while a GET is on its way.
func TestMove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := link20()
		a := store.put("a", 8*mib, 1)
		b := Version{Key: "b", ETag: a.ETag, Size: a.Size}
		r := newRig(t, store, 64*mib)
		rd := mustOpen(t, r, "a", Version{})
		check(t, rd, 1, 0, 1000)
		store.rename("a", "b")
		r.Move(a, b)
		check(t, rd, 1, 0, 1000)
		check(t, rd, 1, 5*mib, 1000)
		if rd.Version() != b {
			t.Errorf("version after the move: %+v", rd.Version())
		}
		// The GET finds the old name gone, and hears of the move before it fails.
		c := Version{Key: "c", ETag: a.ETag, Size: a.Size}
		store.fault = func(n int, in *s3.GetInput) fault {
			if in.Key == "b" {
				return fault{before: func() { store.rename("b", "c"); r.Move(b, c) }}
			}
			return fault{}
		}
		check(t, rd, 1, 3*mib, 1000)
		rd.Close()
		r.end(t)
	})
}

// TestDrop checks that the cached bytes of an unlinked open file stay readable (P7).
func TestDrop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := link20()
		v := store.put("k", mib, 1)
		r := newRig(t, store, 64*mib)
		rd := mustOpen(t, r, "k", Version{})
		check(t, rd, 1, 0, mib)
		store.remove("k")
		r.Drop(v)
		check(t, rd, 1, 0, mib)
		rd.Close()
		if s := r.blocks.Stats(); s.Blocks != 0 {
			t.Errorf("blocks of a dropped version are kept: %+v", s)
		}
		r.end(t)
	})
}

// TestCloseEndsFetches closes the manager during reads and opens.
func TestCloseEndsFetches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newFakeStore()
		store.latency = time.Hour
		v := store.put("k", 100*mib, 1)
		r := newRig(t, store, 64*mib, func(o *Options) { o.Connections = 2 })
		rd := r.OpenVersion(v)
		errs := make(chan error, 5)
		for i := range 4 {
			go func() {
				_, err := rd.ReadAt(context.Background(), int64(i)*20*mib, 10)
				errs <- err
			}()
		}
		go func() {
			_, _, err := r.Open(context.Background(), "k", Version{})
			errs <- err
		}()
		synctest.Wait()
		go r.Close()
		for range 5 {
			if err := <-errs; !errors.Is(err, ErrClosed) {
				t.Errorf("at Close: %v", err)
			}
		}
		if _, err := rd.ReadAt(context.Background(), 0, 1); !errors.Is(err, ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
		rd.Close()
		r.end(t)
	})
}

// TestLeavingAnOpen interrupts opens at all stages. Their readers must be closed.
func TestLeavingAnOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := link20()
		store.put("k", 3*cache.BlockSize, 1)
		r := newRig(t, store, 64*mib)
		for ms := range 30 {
			ctx, cancel := context.WithTimeout(context.Background(), time.Duration(ms)*time.Millisecond)
			rd, _, err := r.Open(ctx, "k", Version{})
			if err == nil {
				rd.Close()
			} else if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("after %d ms: %v", ms, err)
			}
			cancel()
		}
		r.end(t)
	})
}

// TestDeadlineBehindOthers opens and reads more files than there are connections on a stopped server.
// No caller waits longer than the deadline, even if it waits behind others.
func TestDeadlineBehindOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := link20()
		store.fault = func(int, *s3.GetInput) fault { return fault{hang: true} }
		r := newRig(t, store, 64*mib, func(o *Options) { o.Connections = 2 })
		var wg sync.WaitGroup
		start := time.Now()
		wantDeadline := func(op string, err error) {
			if took := time.Since(start); !errors.Is(err, s3.ErrDeadline) || took > defaultDeadline+grace {
				t.Errorf("%s ended after %v with %v", op, took, err)
			}
		}
		for i := range 20 {
			v := store.put(fmt.Sprint(i), mib, 1)
			wg.Go(func() {
				_, _, err := r.Open(t.Context(), v.Key, Version{})
				wantDeadline("open", err)
			})
			wg.Go(func() {
				rd := r.OpenVersion(v)
				defer rd.Close()
				_, err := rd.ReadAt(t.Context(), 0, 1)
				wantDeadline("read", err)
			})
		}
		wg.Wait()
		r.end(t)
	})
}
