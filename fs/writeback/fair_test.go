package writeback

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/s3mount/s3mount/s3/fair"
)

// TestUsersShareConnections checks that a small commit of one user does not wait for all commits and
// streams of another user.
func TestUsersShareConnections(t *testing.T) {
	for _, size := range []int{100, 400_000} { // one PUT each, and streams
		dir := t.TempDir()
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, dir, 64<<20, func(o *Options) { o.Connections = 2 })
			b.shrink(64<<10, 32<<10)
			open := make(chan struct{})
			var mu sync.Mutex
			var order []string // keys in the order of their requests
			b.s.hook(func(op, key string) error {
				if op != "put" && op != "part" {
					return nil
				}
				<-open
				mu.Lock()
				order = append(order, key)
				mu.Unlock()
				time.Sleep(time.Second) // of the bubble: the next request begins before this one ends
				return nil
			}, nil)
			var wg sync.WaitGroup
			save := func(u fair.User, key string, n int) {
				ctx := fair.WithUser(context.Background(), u)
				f := b.Open(OpenInput{Key: key})
				if _, err := f.WriteAt(ctx, random(n, 1), 0); err != nil {
					t.Error(err)
				}
				wg.Go(func() {
					if _, err := f.Commit(ctx); err != nil {
						t.Error(err)
					}
					mustClose(t, f)
				})
				synctest.Wait()
			}
			for i := range 20 {
				save(1, fmt.Sprint("many ", i), size)
			}
			save(2, "one", 2)
			close(open)
			wg.Wait()
			at := 0
			for order[at] != "one" {
				at++
			}
			if at > 4 { // two are running, and one is before it on each connection
				t.Errorf("the bytes of the second user are sent after %d others, of %d", at, len(order))
			}
			b.end(t)
		})
	}
}
