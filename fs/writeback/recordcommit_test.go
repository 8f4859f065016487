package writeback

import (
	"os"
	"testing"
	"time"
)

// TestReplayAfterDirectCommit checks that the replay knows the object of a commit that S3 executed just
// before the kill, if only an older content had been persisted.
func TestReplayAfterDirectCommit(t *testing.T) {
	dir, dir2 := t.TempDir(), t.TempDir()
	b := newBench(t, dir, 16<<20, withLinger(dir))
	b.o.Linger = 1 << 40
	f := b.Open(OpenInput{Key: "k"})
	mustWrite(t, f, []byte("persisted"), 0)
	mustPersist(t, f)
	mustTruncate(t, f, 20)
	g := newGate("put")
	b.s.hook(nil, g.hook)
	done := make(chan error, 1)
	go func() {
		_, err := f.Commit(t.Context())
		done <- err
	}()
	<-g.reached // S3 has executed the PUT, and the mount does not know it
	want := b.s.object("k")
	after := b.crash(t, dir2)
	after.s.objects["k"].modified = time.Now()
	mustReplay(t, after, 1)
	sameContent(t, "k", after.s.object("k"), want)
	if left, _ := os.ReadDir(dir2 + "/recovery"); len(left) > 0 {
		t.Errorf("kept in the recovery directory: %v", left)
	}
	after.end(t)
	close(g.open)
	if err := <-done; err != nil {
		t.Error(err)
	}
	mustClose(t, f)
	b.end(t)
}
