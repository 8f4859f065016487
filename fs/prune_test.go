package fs

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/s3mount/s3mount/cache"
)

// forgetfulKernel is a kernel that forgets the inodes that it is asked to forget,
// unless it uses all inodes.
type forgetfulKernel struct {
	t      *inodes
	old    bool        // it does not know FUSE_NOTIFY_PRUNE
	inUse  atomic.Bool // it uses all inodes
	asked  atomic.Int64
	byName atomic.Int64
}

func (k *forgetfulKernel) PruneNotify(nodes []uint64) fuse.Status {
	if k.old {
		return fuse.ENOSYS
	}
	k.asked.Add(int64(len(nodes)))
	for _, id := range nodes {
		if !k.inUse.Load() {
			k.t.forget(id, 1)
		}
	}
	return fuse.OK
}

func (k *forgetfulKernel) EntryNotify(parent uint64, name string) fuse.Status {
	k.byName.Add(1)
	dir := k.t.get(parent)
	k.t.mu.RLock()
	n := dir.children.get(name)
	k.t.mu.RUnlock()
	if n != nil && !k.inUse.Load() {
		k.t.forget(n.id, 1)
	}
	return fuse.OK
}

// TestInodesAreBounded checks that the kernel is asked to forget inodes beyond the
// limit, only from the older half, and that the budget is charged for inodes.
func TestInodesAreBounded(t *testing.T) {
	for _, old := range []bool{false, true} {
		t.Run(fmt.Sprintf("old kernel %v", old), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const most = 4 * inodesCharged / inodeBytes
				tab := newInodes(dirEntry(""))
				budget := cache.NewBudget(1 << 30)
				tab.bound(most*inodeBytes, chargeTo(budget))
				k := &forgetfulKernel{t: tab, old: old}
				ctx, stop := context.WithCancel(context.Background())
				done := make(chan struct{})
				go func() {
					defer close(done)
					(&pruner{inodes: tab, kernel: k}).run(ctx)
				}()
				highest := 0
				for i := range 20 * most {
					name := fmt.Sprint(i)
					tab.enter(tab.root, name, fileEntry(name))
					if i%50 == 0 {
						time.Sleep(2 * pruneWait) // of the test's clock
					}
					highest = max(highest, tab.count())
				}
				if n := tab.count(); n > most || n < most/2 || highest > most+50 {
					t.Errorf("%d inodes at the end, %d at most, want up to %d", n, highest, most)
				}
				if used := budget.Used(); used < tab.bytes()-inodesCharged || used > tab.bytes() {
					t.Errorf("%d bytes are charged for %d inodes", used, tab.count())
				}
				if old == (k.asked.Load() > 0) || old != (k.byName.Load() > 0) {
					t.Errorf("the kernel was asked by node %d times, by name %d times", k.asked.Load(), k.byName.Load())
				}
				tab.check(t)
				stop()
				<-done
			})
		})
	}
}

// TestPruningRests checks that the kernel is not asked repeatedly while it uses all
// inodes, and not asked to forget inodes with state.
func TestPruningRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most = 1000
		tab := newInodes(dirEntry(""))
		tab.bound(most*inodeBytes, func(int64) {})
		k := &forgetfulKernel{t: tab}
		k.inUse.Store(true)
		ctx, stop := context.WithCancel(context.Background())
		done := make(chan struct{})
		go func() {
			defer close(done)
			(&pruner{inodes: tab, kernel: k}).run(ctx)
		}()
		for i := range 2 * most {
			name := fmt.Sprint(i)
			n := tab.enter(tab.root, name, fileEntry(name))
			if i < 10 {
				n.stamp()
			}
		}
		synctest.Wait()
		if k.asked.Load() == 0 || k.asked.Load() > most {
			t.Errorf("the kernel was asked for %d inodes, want one look at the older half", k.asked.Load())
		}
		k.inUse.Store(false)
		time.Sleep(2 * pruneRest) // of the test's clock
		synctest.Wait()
		if n := tab.count(); n > most {
			t.Errorf("%d inodes are left after the kernel has stopped to use them, want %d", n, most)
		}
		for i := range 10 {
			if tab.root.children.get(fmt.Sprint(i)) == nil {
				t.Errorf("inode %d is forgotten, which shows a time of this mount", i)
			}
		}
		stop()
		<-done
	})
}
