package writeback

import (
	"context"
	"errors"
	"testing"

	"github.com/s3mount/s3mount/s3"
)

// lostCommit is a commit that S3 executes while its answer and the HEAD after it are lost.
func lostCommit(t tb, b *bench, f *File) {
	t.Helper()
	lost := false
	b.s.hook(func(op, key string) error {
		if lost && op == "head" {
			return errFake
		}
		return nil
	}, func(op, key string) error {
		if op == "put" || op == "complete" {
			lost = true
			return errFake
		}
		return nil
	})
	if _, err := f.Commit(context.Background()); !errors.Is(err, s3.ErrTransient) {
		t.Fatalf("commit without an answer: %v", err)
	}
	b.s.hook(nil, nil)
}

// TestAdoptAttempt checks that a commit of newer bytes that finds the object of the commit before
// it is not a conflict, unless another client wrote since.
func TestAdoptAttempt(t *testing.T) {
	for _, w := range works() {
		for name, foreign := range map[string]bool{"": false, ", and another client": true} {
			dir := t.TempDir()
			b := newBench(t, dir, 16<<20, nil)
			b.shrink(64<<10, 32<<10)
			if w.old != nil {
				b.s.put("k", w.old)
			}
			f, want := w.do(t, b)
			conditional := f.exclusive || f.base != nil
			lostCommit(t, b, f)
			sameContent(t, w.name+": object of the lost commit", b.s.object("k"), want)
			theirs := random(len(want), 77)
			if foreign {
				b.s.put("k", theirs)
			}
			mustWrite(t, f, []byte("newer"), 20)
			want = append(append(append([]byte{}, want[:20]...), "newer"...), want[25:]...)
			_, err := f.Commit(context.Background())
			switch {
			case foreign && conditional:
				if !errors.Is(err, ErrConflict) {
					t.Errorf("%s%s: %v, want a conflict", w.name, name, err)
				}
				sameContent(t, w.name+name, b.s.object("k"), theirs)
			case err != nil:
				t.Errorf("%s%s: %v", w.name, name, err)
			default:
				sameContent(t, w.name+name, b.s.object("k"), want)
				if n := b.Stats().Conflicts; n != 0 {
					t.Errorf("%s%s: %d conflicts", w.name, name, n)
				}
				sameContent(t, w.name+name+": file", content(t, f), want)
			}
			mustClose(t, f)
			b.end(t)
		}
	}
}

// TestAdoptAttemptUnseen checks that a failing HEAD of the object is not a conflict, and that the
// next commit decides.
func TestAdoptAttemptUnseen(t *testing.T) {
	b := newBench(t, t.TempDir(), 16<<20, nil)
	b.s.put("k", random(5000, 1))
	f := b.openKey("k")
	mustWrite(t, f, []byte("first"), 0)
	lostCommit(t, b, f)
	mustWrite(t, f, []byte("second"), 10)
	heads := 0
	b.s.hook(func(op, key string) error {
		if op == "head" {
			if heads++; heads > 1 { // the first HEAD finds another object
				return errFake
			}
		}
		return nil
	}, nil)
	if _, err := f.Commit(context.Background()); !errors.Is(err, s3.ErrTransient) || errors.Is(err, ErrConflict) {
		t.Errorf("commit: %v", err)
	}
	if heads < 2 {
		t.Errorf("%d looks at the object, want two", heads)
	}
	b.s.hook(nil, nil)
	mustCommit(t, f)
	if got := string(b.s.object("k")[:16]); got[:5] != "first" || got[10:] != "second" {
		t.Errorf("object begins with %q", got)
	}
	mustClose(t, f)
	b.end(t)
}

// TestAdoptAttemptMany checks that all of several lost commits are remembered.
func TestAdoptAttemptMany(t *testing.T) {
	b := newBench(t, t.TempDir(), 16<<20, nil)
	f := b.Open(OpenInput{Key: "k", Exclusive: true})
	mustWrite(t, f, []byte("first"), 0)
	lostCommit(t, b, f)
	for range 2 * maxAttempts { // the same bytes each time
		mustWrite(t, f, []byte("later"), 10)
		b.s.hook(func(op, key string) error { return errFake }, nil)
		if _, err := f.Commit(context.Background()); !errors.Is(err, s3.ErrTransient) {
			t.Fatal(err)
		}
		b.s.hook(nil, nil)
	}
	mustWrite(t, f, []byte("last"), 20)
	mustCommit(t, f)
	if got := string(b.s.object("k")); got != "first\x00\x00\x00\x00\x00later\x00\x00\x00\x00\x00last" {
		t.Errorf("object is %q", got)
	}
	mustClose(t, f)
	b.end(t)
}
