package namespace

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/s3mount/s3mount/s3"
)

// newPair is a bucket with two files, and a mount with a state directory.
func newPair(t *testing.T, dir string) (*fakeStore, *Namespace) {
	f := newFake(t)
	f.set("d/a", "first", map[string]string{"mode": "33200"}, time.Now().Add(-time.Hour))
	f.set("d/b", "the second", map[string]string{"colour": "red"}, time.Now().Add(-2*time.Hour))
	return f, newTest(t, f, func(o *Options) { o.StateDir = dir })
}

func swap(ctx context.Context, t *testing.T, n *Namespace) (RenameOutput, error) {
	t.Helper()
	d, b := at(t, n, "d"), at(t, n, "d/b")
	return n.Rename(ctx, RenameInput{
		OldDir: d, OldName: "a", Old: at(t, n, "d/a"), NewDir: d, NewName: "b", New: &b, Exchange: true,
	})
}

// held tells what the two keys hold, and how many other keys there are.
func (f *fakeStore) held() string {
	var out []string
	for _, k := range []string{"d/a", "d/b"} {
		body, _, _ := f.server.Object("b", k)
		out = append(out, string(body))
	}
	return fmt.Sprintf("%s, %s, %d more", out[0], out[1], len(f.keys())-2)
}

const (
	unswapped = "first, the second, 0 more"
	swapped   = "the second, first, 0 more"
)

// wantBoth fails the test unless both contents are somewhere.
func (f *fakeStore) wantBoth(t *testing.T, when string) {
	t.Helper()
	for _, want := range []string{"first", "the second"} {
		holds := func(k string) bool { body, _, _ := f.server.Object("b", k); return string(body) == want }
		if !slices.ContainsFunc(f.keys(), holds) {
			t.Errorf("%s: %q is nowhere", when, want)
		}
	}
}

func TestExchange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, n := newPair(t, t.TempDir())
		ls(t, n, "d")
		f.took()
		out, err := swap(t.Context(), t, n)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "requests", f.took(), "COPY 3 DELETE 1 HEAD 2")
		equal(t, "keys hold", f.held(), swapped)
		equal(t, "metadata", fmt.Sprint(f.metadata("d/a"), f.metadata("d/b")), "map[colour:red] map[mode:33200]")
		equal(t, "entry", fmt.Sprint(out.Entry.Key, out.Entry.Size, out.Entry.Attr.Perm), fmt.Sprint("d/b", 5, 0o660))
		equal(t, "other", fmt.Sprint(out.Other.Key, out.Other.Size), "d/a10")
		equal(t, "moved", fmt.Sprint(out.Moved["d/a"].Key, out.Moved["d/b"].Key), "d/bd/a")
		equal(t, "lookup", fmt.Sprint(at(t, n, "d/a").Size, at(t, n, "d/b").Size), "10 5")
		equal(t, "requests after", f.took(), "")
		if _, err := mv(t, n, "d", "d/a", func(in *RenameInput) { in.Exchange = true }); !errors.Is(err, ErrInvalid) {
			t.Errorf("exchange of a directory: %v, want %v", err, ErrInvalid)
		}
		if _, err := mv(t, n, "d/a", "d/none", func(in *RenameInput) { in.Exchange = true }); !errors.Is(err, s3.ErrNotFound) {
			t.Errorf("exchange with what is absent: %v, want %v", err, s3.ErrNotFound)
		}
		f.set("d/b", "written elsewhere", nil, time.Now())
		if _, err := swap(t.Context(), t, n); !errors.Is(err, ErrStale) {
			t.Errorf("exchange of what changed elsewhere: %v, want %v", err, ErrStale)
		}
		equal(t, "keys hold", f.held(), "the second, written elsewhere, 0 more")
	})
}

// TestExchangeFails makes each single request fail, once before and once after
// the server has done it: the names have changed places and the caller hears
// so, or everything is as before.
func TestExchangeFails(t *testing.T) {
	for _, done := range []bool{false, true} {
		for nth := 1; nth <= 7; nth++ {
			synctest.Test(t, func(t *testing.T) {
				when := fmt.Sprintf("request %d, done %v", nth, done)
				f, n := newPair(t, t.TempDir())
				lossy := &lossyStore{fakeStore: f, nth: nth, times: 1, done: done}
				at(t, n, "d/a")
				at(t, n, "d/b")
				n.store = lossy
				_, err := swap(t.Context(), t, n)
				f.wantBoth(t, when)
				want := unswapped
				if err == nil {
					want = swapped
				}
				equal(t, when+fmt.Sprintf(" (%v)", err), f.held(), want)
				equal(t, when+": names", fmt.Sprint(at(t, n, "d/a").Size == 5), fmt.Sprint(err != nil))
			})
		}
	}
}

// TestExchangeRecovers stops an exchange at each request, before or after the
// server has done it, and lets the next mount settle it.
func TestExchangeRecovers(t *testing.T) {
	for _, done := range []bool{false, true} {
		for nth := 1; nth <= 7; nth++ {
			synctest.Test(t, func(t *testing.T) {
				when := fmt.Sprintf("request %d, done %v", nth, done)
				dir := t.TempDir()
				f, n := newPair(t, dir)
				at(t, n, "d/a")
				at(t, n, "d/b")
				n.store = &lossyStore{fakeStore: f, nth: nth, times: 100, done: done}
				_, err := swap(t.Context(), t, n)
				n.Close()
				f.wantBoth(t, when)
				n = newTest(t, f, func(o *Options) { o.StateDir = dir })
				if err := n.Recover(t.Context()); err != nil {
					t.Errorf("%s: recover: %v", when, err)
				}
				f.wantBoth(t, when+", recovered")
				if held := f.held(); held != swapped && (held != unswapped || err == nil) {
					t.Errorf("%s (%v): keys hold %s", when, err, held)
				}
				if err := n.Recover(t.Context()); err != nil {
					t.Errorf("%s: recover again: %v", when, err)
				}
			})
		}
	}
}

// TestExchangeMetByAWriter lets another machine write a name after each step:
// what it wrote stays, and what was to be exchanged is not lost.
func TestExchangeMetByAWriter(t *testing.T) {
	for _, key := range []string{"d/a", "d/b"} {
		for nth := 3; nth <= 6; nth++ {
			synctest.Test(t, func(t *testing.T) {
				when := fmt.Sprintf("%s written before request %d", key, nth)
				f, n := newPair(t, t.TempDir())
				other := map[string]string{"d/a": "the second", "d/b": "first"}[key]
				write := func() { f.set(key, "by another", nil, time.Now().Add(time.Second)) }
				n.store = &lossyStore{fakeStore: f, nth: nth, before: write}
				_, err := swap(t.Context(), t, n)
				held := f.held()
				if !strings.Contains(held, "by another") {
					t.Errorf("%s (%v): keys hold %s", when, err, held)
				}
				holds := func(k string) bool { body, _, _ := f.server.Object("b", k); return string(body) == other }
				if !slices.ContainsFunc(f.keys(), holds) {
					t.Errorf("%s (%v): %q is nowhere; keys hold %s", when, err, other, held)
				}
			})
		}
	}
}

// lossyStore fails some requests after the lookups of a test, before or after
// the server has done them.
type lossyStore struct {
	*fakeStore
	nth, times int
	done       bool
	before     func() // called before the nth request
	count      int
}

var errLost = errors.New("connection lost")

// lose runs a request, or not, and loses its answer, or not.
func lose[T any](f *lossyStore, run func() (T, error)) (T, error) {
	f.mu.Lock()
	f.count++
	strikes := f.count >= f.nth && f.count < f.nth+f.times
	meets := f.count == f.nth && f.before != nil
	f.mu.Unlock()
	if meets {
		f.before()
	}
	if !strikes {
		return run()
	}
	if f.done {
		_, _ = run()
	}
	var none T
	return none, errLost
}

func (f *lossyStore) Head(ctx context.Context, in *s3.HeadInput) (*s3.ObjectInfo, error) {
	return lose(f, func() (*s3.ObjectInfo, error) { return f.fakeStore.Head(ctx, in) })
}

func (f *lossyStore) Copy(ctx context.Context, in *s3.CopyInput) (*s3.CopyOutput, error) {
	return lose(f, func() (*s3.CopyOutput, error) { return f.fakeStore.Copy(ctx, in) })
}

func (f *lossyStore) Delete(ctx context.Context, in *s3.DeleteInput) (*s3.DeleteOutput, error) {
	return lose(f, func() (*s3.DeleteOutput, error) { return f.fakeStore.Delete(ctx, in) })
}
