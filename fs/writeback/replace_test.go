package writeback

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/s3mount/s3mount/s3"
)

// TestReplaceDuringCommit checks that a file replaces a file whose commit is running, and that a
// replay after a crash knows the object of that commit, whether or not its answer arrived.
func TestReplaceDuringCommit(t *testing.T) {
	for name, answer := range map[string]error{"answered": nil, "answer lost": s3.ErrTransient} {
		dir, dir2 := t.TempDir(), t.TempDir()
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, dir, 16<<20, withLinger(dir))
				b.o.Linger = 1 << 40
				saved := b.s.put("k", []byte("saved"))
				first := b.persisted(t, "k.lock", "first")
				if err := first.Rename("k", false); err != nil {
					t.Fatal(err)
				}
				first.Replaces(saved.ETag)
				mustPersist(t, first)
				second := b.persisted(t, "k.lock", "second")

				g := newGate("put")
				lost := answer != nil
				b.s.hook(g.hook, func(op, _ string) error {
					switch {
					case op == "put" && lost:
						return answer
					case op == "head" && lost:
						return s3.ErrTransient
					}
					return nil
				})
				first.Hurry()
				<-g.reached
				replaced := make(chan error, 1)
				go func() { replaced <- second.Replace(first, "k") }()
				synctest.Wait() // the replaced file is discarded, and its commit is in the request
				close(g.open)
				err := <-replaced
				lost = false
				if answer != nil { // the caller commits and copies
					if !errors.Is(err, ErrBound) {
						t.Fatalf("replaced a file whose object is not known: %v", err)
					}
				} else {
					if err != nil {
						t.Fatal(err)
					}
					mustPersist(t, second)
					sameContent(t, "k before the crash", b.s.object("k"), []byte("first"))
					after := b.crash(t, dir2)
					after.s.objects["k"].modified = time.Now()
					if _, err := after.Replay(context.Background(), noChanges); err != nil {
						t.Fatal(err)
					}
					sameContent(t, "k", after.s.object("k"), []byte("second"))
					after.end(t)
				}
				mustClose(t, second)
				mustClose(t, first)
				b.end(t)
			})
		})
	}
}
