package fs

import (
	"context"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
)

const (
	// inodeShare is the part of the memory limit for inodes, a quarter. The names of
	// the namespace may take a half, and the rest is for data.
	inodeShare = 4
	// pruneDown is the part of the inodes to forget at a time, an eighth. Each time
	// costs a scan of the table.
	pruneDown = 8
	// pruneBatch is the number of inodes in one notification. The kernel drops 512
	// dentries in 0.1 ms.
	pruneBatch = 512
	// pruneWait is the pause in which the kernel sends FORGETs for the dropped inodes,
	// before the next notification.
	pruneWait = 5 * time.Millisecond
	// pruneRest is the pause after a notification without effect, because all inodes
	// are in use.
	pruneRest = time.Second
)

// forgetful contains the methods of *fuse.Server that make the kernel forget inodes.
type forgetful interface {
	PruneNotify(nodes []uint64) fuse.Status
	EntryNotify(parent uint64, name string) fuse.Status
}

var _ forgetful = (*fuse.Server)(nil)

// pruner asks the kernel to forget inodes when there are too many (P11). It is one
// goroutine and holds no lock while it asks, because the kernel may wait for the answer
// to another request before it returns.
type pruner struct {
	inodes *inodes
	kernel forgetful
	byName bool // the kernel does not know FUSE_NOTIFY_PRUNE (Linux before 6.18)
}

// run prunes until ctx ends.
func (p *pruner) run(ctx context.Context) {
	for {
		select {
		case <-p.inodes.crowded:
		case <-ctx.Done():
			return
		}
		for p.inodes.excess() > 0 {
			wait := pruneWait
			if !p.prune(ctx) {
				wait = pruneRest
			}
			select {
			case <-time.After(wait):
			case <-ctx.Done():
				return
			}
		}
	}
}

// prune asks the kernel once to forget the excess. It reports whether the kernel has
// begun to forget.
func (p *pruner) prune(ctx context.Context) bool {
	before := p.inodes.count()
	victims := p.inodes.idle(p.inodes.excess())
	for len(victims) > 0 && ctx.Err() == nil {
		n := min(len(victims), pruneBatch)
		p.ask(victims[:n])
		victims = victims[n:]
	}
	return p.inodes.count() < before
}

// ask asks the kernel to forget these inodes.
func (p *pruner) ask(victims []*inode) {
	if !p.byName {
		ids := make([]uint64, len(victims))
		for i, n := range victims {
			ids[i] = n.id
		}
		p.byName = p.kernel.PruneNotify(ids) == fuse.ENOSYS
	}
	if !p.byName {
		return
	}
	for _, n := range victims {
		if dir, name := p.inodes.parentOf(n); dir != nil {
			p.kernel.EntryNotify(dir.id, name)
		}
	}
}

const (
	// inodeBytes is the memory of an inode that was only looked up, with its name and
	// its places in the table. BenchmarkInodeBytes measures 274.
	inodeBytes = 280
	// usedBytes is the additional memory of an inode that was opened or changed: the
	// size of used, with an ETag.
	usedBytes = 700
	// inodesCharged is the granularity in bytes with which the budget is charged, so
	// that its lock is rarely taken.
	inodesCharged = 64 << 10
)

// bound sets the limit of the inodes in bytes and the function that is charged for
// them.
func (t *inodes) bound(limit int64, charge func(delta int64)) { t.limit, t.charge = limit, charge }

// bytes returns the memory of all inodes. t.mu is held.
func (t *inodes) bytes() int64 { return int64(len(t.byID))*inodeBytes + t.changed.Load()*usedBytes }

// counted charges for the inodes, and signals crowded if there are too many. t.mu is
// held.
func (t *inodes) counted() {
	if t.charge == nil {
		return
	}
	now := t.bytes()
	if step := now / inodesCharged * inodesCharged; step != t.charged {
		t.charge(step - t.charged)
		t.charged = step
	}
	if now > t.limit {
		select {
		case t.crowded <- struct{}{}:
		default: // the signal is pending
		}
	}
}

// excess returns the number of inodes to forget.
func (t *inodes) excess() int {
	t.mu.RLock()
	defer t.mu.RUnlock()
	now := t.bytes()
	if now <= t.limit {
		return 0
	}
	// This assumes that all inodes take the same memory.
	return int(float64(now-t.limit+t.limit/pruneDown) / float64(now) * float64(len(t.byID)))
}

// idle returns up to most inodes to which only the kernel refers and that can be
// forgotten without a loss. It skips the younger half, which the kernel is most likely
// to use next. It selects the others in no order.
func (t *inodes) idle(most int) []*inode {
	t.mu.RLock()
	var found []*inode
	young := t.born - uint32(len(t.byID)/2)
	for _, n := range t.byID { // begins anywhere
		if len(found) >= most {
			break
		}
		if n != t.root && n.pinned == 0 && n.children.len() == 0 && int32(n.born-young) < 0 {
			found = append(found, n)
		}
	}
	t.mu.RUnlock()
	kept := found[:0]
	for _, n := range found {
		if n.forgettable() {
			kept = append(kept, n)
		}
	}
	return kept
}

// forgettable reports whether a lookup can restore everything that the inode shows.
func (n *inode) forgettable() bool {
	if !n.isUsed() {
		return true
	}
	n.lock()
	defer n.unlock()
	return n.file == nil && !n.Owes() && n.IsLinked() && n.opens == 0 && n.listed.IsZero() && n.stamped.IsZero()
}
