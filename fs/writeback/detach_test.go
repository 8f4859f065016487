package writeback

import (
	"context"
	"errors"
	"testing"
)

// interrupted reads a base and calls a function during the first read.
type interrupted struct {
	BaseReader
	during func()
}

func (r *interrupted) CopyAt(ctx context.Context, p []byte, off int64) (int, error) {
	if r.during != nil {
		r.during()
		r.during = nil
	}
	return r.BaseReader.CopyAt(ctx, p, off)
}

// TestDetachBase checks that a discarded file works without its base, with writes before and during
// the reads of the base.
func TestDetachBase(t *testing.T) {
	base := random(300_000, 1)
	for name, c := range map[string]struct {
		before, during func(t *testing.T, f *File, want []byte) []byte
	}{
		"unchanged": {},
		"written before": {before: func(t *testing.T, f *File, want []byte) []byte {
			for _, off := range []int{0, 1000, 130_000, 299_990} {
				p := random(500, uint64(off))
				mustWrite(t, f, p, int64(off))
				want = overlay(want, p, off)
			}
			return want
		}},
		"truncated and grown before": {before: func(t *testing.T, f *File, want []byte) []byte {
			for _, n := range []int64{1000, 200_000} {
				if err := f.Truncate(context.Background(), n); err != nil {
					t.Fatal(err)
				}
			}
			return overlay(want[:1000], make([]byte, 199_000), 1000)
		}},
		"written during": {during: func(t *testing.T, f *File, want []byte) []byte {
			p := random(200_000, 7)
			mustWrite(t, f, p, 50_000)
			return overlay(want, p, 50_000)
		}},
		"truncated during": {during: func(t *testing.T, f *File, want []byte) []byte {
			if err := f.Truncate(context.Background(), 10); err != nil {
				t.Fatal(err)
			}
			return want[:10]
		}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, t.TempDir(), 16<<20, nil)
			v := b.s.put("k", base)
			r := &interrupted{BaseReader: &fakeReader{s: b.s, v: v}}
			f := b.Open(OpenInput{Key: "k", Base: &v, Reader: r})
			want := append([]byte(nil), base...)
			if c.before != nil {
				want = c.before(t, f, want)
			}
			if err := f.DetachBase(context.Background()); !errors.Is(err, errNotDiscarded) {
				t.Errorf("of a file that is committed: %v", err)
			}
			f.Discard()
			if c.during != nil {
				r.during = func() { want = c.during(t, f, want) }
			}
			if err := f.DetachBase(context.Background()); err != nil {
				t.Fatal(err)
			}
			b.s.put("k", []byte("another version"))
			sameContent(t, "file", content(t, f), want)
			if err := f.check(); err != nil {
				t.Error(err)
			}
			mustWrite(t, f, []byte("more"), 5)
			sameContent(t, "file that was written", content(t, f), overlay(want, []byte("more"), 5))
			mustClose(t, f)
			b.end(t)
		})
	}
}

// TestDetachBaseFails checks that the file keeps its base after an error.
func TestDetachBaseFails(t *testing.T) {
	b := newBench(t, t.TempDir(), 16<<20, nil)
	v := b.s.put("k", random(300_000, 1))
	f := b.Open(OpenInput{Key: "k", Base: &v, Reader: &fakeReader{s: b.s, v: v}})
	f.Discard()
	b.s.put("k", []byte("another version"))
	if err := f.DetachBase(context.Background()); !errors.Is(err, errGone) {
		t.Errorf("with a base that is gone: %v", err)
	}
	if f.Size() != 300_000 {
		t.Errorf("size %d", f.Size())
	}
	mustClose(t, f)
	b.end(t)
}

// overlay returns a with p at off.
func overlay(a, p []byte, off int) []byte {
	out := make([]byte, max(len(a), off+len(p)))
	copy(out, a)
	copy(out[off:], p)
	return out
}
