package writeback

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"testing"

	"github.com/s3mount/s3mount/s3"
)

// work is a case of a commit: the object before (nil: none) and a change of it.
type work struct {
	name string
	old  []byte
	do   func(t tb, b *bench) (f *File, want []byte)
}

// works are commits of every kind: PUT, stream, stream with a rewritten part, copies.
func works() []work {
	big := random(900_000, 7)
	return []work{
		{"put", nil, func(t tb, b *bench) (*File, []byte) {
			f := b.Open(OpenInput{Key: "k", Exclusive: true})
			p := random(1000, 8)
			mustWrite(t, f, p, 0)
			return f, p
		}},
		{"replace", big, func(t tb, b *bench) (*File, []byte) {
			f := b.Open(OpenInput{Key: "k"})
			p := random(1000, 8)
			mustWrite(t, f, p, 0)
			return f, p
		}},
		{"change small", big[:5000], func(t tb, b *bench) (*File, []byte) {
			f := b.openKey("k")
			mustWrite(t, f, []byte("new"), 100)
			return f, append(append(append([]byte{}, big[:100]...), "new"...), big[103:5000]...)
		}},
		{"change large", big, func(t tb, b *bench) (*File, []byte) {
			f := b.openKey("k")
			mustWrite(t, f, []byte("new"), 500_000)
			return f, append(append(append([]byte{}, big[:500_000]...), "new"...), big[500_003:]...)
		}},
		{"append large", big, func(t tb, b *bench) (*File, []byte) {
			f := b.openKey("k")
			mustWrite(t, f, []byte("new"), int64(len(big)))
			return f, append(append([]byte{}, big...), "new"...)
		}},
		{"long append", big, func(t tb, b *bench) (*File, []byte) {
			f := b.openKey("k")
			p := random(300_000, 9)
			for off := 0; off < len(p); off += 60_000 {
				if _, err := f.WriteAt(context.Background(), p[off:off+60_000], int64(len(big)+off)); err != nil {
					mustWrite(t, f, p[off:off+60_000], int64(len(big)+off)) // the error is reported once
				}
			}
			return f, append(append([]byte{}, big...), p...)
		}},
		{"stream", big[:10], func(t tb, b *bench) (*File, []byte) {
			f := b.Open(OpenInput{Key: "k"})
			p := random(300_000, 9)
			for off := 0; off < len(p); off += 60_000 {
				if _, err := f.WriteAt(context.Background(), p[off:off+60_000], int64(off)); err != nil {
					if !errors.Is(err, s3.ErrTransient) {
						t.Fatalf("write: %v", err)
					}
					mustWrite(t, f, p[off:off+60_000], int64(off)) // the error is reported once
				}
			}
			return f, p
		}},
		{"stream, changed", nil, func(t tb, b *bench) (*File, []byte) {
			f := b.Open(OpenInput{Key: "k", Exclusive: true})
			p := random(300_000, 9)
			for _, off := range []int{0, 100_000, 200_000, 50_000} {
				if _, err := f.WriteAt(context.Background(), p[off:off+100_000], int64(off)); err != nil {
					mustWrite(t, f, p[off:off+100_000], int64(off))
				}
			}
			return f, p
		}},
	}
}

// faulty fails the n-th call of a store, from 1, before or after it is executed.
func faulty(s *fakeStore, n int64, late bool, err error) *atomic.Int64 {
	calls := &atomic.Int64{}
	fault := func(op, key string) error {
		if calls.Add(1) == n && !(late && op == "create") {
			return err
		}
		return nil
	}
	if late {
		s.hook(nil, fault)
	} else {
		s.hook(fault, nil)
	}
	return calls
}

// TestEveryCallFails fails the n-th store call of each kind of commit, for every n. The object must
// be the old one or the new one, success must mean the new one, and the next commit must write it.
func TestEveryCallFails(t *testing.T) {
	for _, w := range works() {
		for _, late := range []bool{false, true} {
			for n := int64(1); ; n++ {
				name := fmt.Sprintf("%s, call %d, late %v", w.name, n, late)
				b := newBench(t, t.TempDir(), 16<<20, nil)
				b.shrink(64<<10, 32<<10)
				if w.old != nil {
					b.s.put("k", w.old)
				}
				calls := faulty(b.s, n, late, errFake)
				f, want := w.do(t, b)
				_, err := f.Commit(context.Background())
				got := b.s.object("k")
				switch {
				case err == nil && string(got) != string(want):
					t.Fatalf("%s: success, but the object is another", name)
				case err != nil && !errors.Is(err, s3.ErrTransient):
					t.Fatalf("%s: %v", name, err)
				case string(got) != string(want) && (string(got) != string(w.old) || (got == nil) != (w.old == nil)):
					t.Fatalf("%s: neither the old object nor the new one", name)
				}
				b.s.hook(nil, nil)
				sameContent(t, name+": file", content(t, f), want)
				mustCommit(t, f)
				sameContent(t, name+": object at last", b.s.object("k"), want)
				mustClose(t, f)
				b.end(t)
				if calls.Load() < n {
					break
				}
			}
		}
	}
}

// TestEveryCallFailsForGood is like TestEveryCallFails with a store that never answers again.
func TestEveryCallFailsForGood(t *testing.T) {
	for _, w := range works() {
		for n := int64(1); ; n++ {
			name := fmt.Sprintf("%s, call %d", w.name, n)
			dir := t.TempDir()
			b := newBench(t, dir, 16<<20, nil)
			b.shrink(64<<10, 32<<10)
			if w.old != nil {
				b.s.put("k", w.old)
			}
			var calls atomic.Int64
			var want []byte
			b.s.hook(func(op, key string) error {
				if calls.Add(1) >= n && op != "abort" {
					return errFake
				}
				return nil
			}, nil)
			f, want := w.do(t, b)
			err := f.Close(context.Background())
			got := b.s.object("k")
			if err == nil {
				sameContent(t, name, got, want)
				b.end(t)
				break
			}
			if string(got) != string(w.old) && string(got) != string(want) {
				t.Fatalf("%s: neither the old object nor the new one", name)
			}
			sameContent(t, name+": recovery file", recovered(t, dir), want)
			b.end(t)
		}
	}
}

// recovered returns the only recovery file.
func recovered(t tb, dir string) []byte {
	t.Helper()
	files, err := os.ReadDir(dir + "/recovery")
	if err != nil || len(files) != 1 {
		t.Fatalf("%d recovery files, %v; want one", len(files), err)
	}
	info, err := files[0].Info()
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("recovery file: %v, %v", info, err)
	}
	p, err := os.ReadFile(dir + "/recovery/" + files[0].Name())
	if err != nil {
		t.Fatal(err)
	}
	return p
}
