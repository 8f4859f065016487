package writeback

import (
	"slices"
	"sync"
	"testing"
)

// TestUploads checks that a file is listed with its progress from the start of its commit to the end.
func TestUploads(t *testing.T) {
	b := newBench(t, t.TempDir(), 16<<20, nil)
	g := newGate("put")
	b.s.hook(g.hook, nil)
	f, idle := b.Open(OpenInput{Key: "k"}), b.Open(OpenInput{Key: "idle"})
	mustWrite(t, f, []byte("some bytes"), 0)
	mustWrite(t, idle, []byte("more"), 0)
	if got := b.Uploads(); got != nil {
		t.Errorf("before the commit: %+v", got)
	}
	var wg sync.WaitGroup
	wg.Go(func() { mustCommit(t, f) })
	<-g.reached // the store has the bytes, and has not answered
	if got, want := b.Uploads(), []Upload{{Key: "k", Size: 10, Sent: 10}}; !slices.Equal(got, want) {
		t.Errorf("during the commit: %+v, want %+v", got, want)
	}
	close(g.open)
	wg.Wait()
	if got := b.Uploads(); got != nil {
		t.Errorf("after the commit: %+v", got)
	}
	mustClose(t, f)
	mustClose(t, idle)
	b.end(t)
}

// TestBodySentAgain checks that bytes that a retry sends again are counted once.
func TestBodySentAgain(t *testing.T) {
	b := newBench(t, t.TempDir(), 16<<20, nil)
	f := b.Open(OpenInput{Key: "k"})
	mustWrite(t, f, []byte("0123456789"), 0)
	f.mu.Lock()
	snap := f.snapshot(0, f.size)
	f.mu.Unlock()
	body := snap.body(t.Context(), 0, 10)
	buf := make([]byte, 6)
	for range 3 {
		if _, err := body.Read(buf); err != nil {
			t.Fatal(err)
		}
		if got := f.sent.Load(); got != 6 {
			t.Errorf("%d bytes count as sent, want 6", got)
		}
		if _, err := body.Seek(0, 0); err != nil {
			t.Fatal(err)
		}
	}
	f.mu.Lock()
	done := snap.release()
	f.mu.Unlock()
	done()
	mustClose(t, f)
	b.end(t)
}
