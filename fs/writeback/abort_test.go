package writeback

import (
	"context"
	"testing"
)

// TestAbortedUploadIsGone checks that an upload that a late part has revived is aborted again.
func TestAbortedUploadIsGone(t *testing.T) {
	b := newBench(t, t.TempDir(), 16<<20, nil)
	b.shrink(64<<10, 32<<10)
	b.s.revive = 2
	f := b.Open(OpenInput{Key: "k"})
	mustWrite(t, f, random(300_000, 1), 0)
	f.Discard()
	mustClose(t, f)
	b.end(t) // fails if uploads are left
}

// TestAbortThatFailedIsTriedAgain checks that the next Drain aborts an upload whose abort failed.
func TestAbortThatFailedIsTriedAgain(t *testing.T) {
	b := newBench(t, t.TempDir(), 16<<20, nil)
	b.shrink(64<<10, 32<<10)
	b.s.hook(func(op, key string) error {
		if op == "complete" || op == "abort" {
			return errFake
		}
		return nil
	}, nil)
	f := b.Open(OpenInput{Key: "k"})
	mustWrite(t, f, random(300_000, 1), 0)
	if _, err := f.Commit(context.Background()); err == nil {
		t.Error("committed through a store that completes nothing")
	}
	f.Discard()
	mustClose(t, f)
	<-b.quiet()
	if n := b.Stats().Uploads; n != 1 {
		t.Errorf("%d uploads are told of while one could not be aborted", n)
	}
	b.s.hook(nil, nil)
	b.end(t) // fails if uploads are left
}
