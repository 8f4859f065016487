package fs

import (
	"context"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
)

const (
	// inodeShare is the part of the memory limit that inodes may take. Names of the
	// namespace have a half, and what both do not take is for data.
	inodeShare = 4
	// pruneDown is the part of the inodes that is forgotten at a time, an eighth:
	// each time costs a look at the table.
	pruneDown = 8
	// pruneBatch is how many inodes one notification names. The kernel drops the
	// dentries of 512 in 0.1 ms.
	pruneBatch = 512
	// pruneWait is how long the kernel is given to send the FORGETs of what it
	// dropped, before it is asked about others.
	pruneWait = 5 * time.Millisecond
	// pruneRest is the pause after the kernel has forgotten nothing because it uses
	// all inodes.
	pruneRest = time.Second
)

// forgetful is the kernel, as far as it can be asked to forget; *fuse.Server is.
type forgetful interface {
	PruneNotify(nodes []uint64) fuse.Status
	EntryNotify(parent uint64, name string) fuse.Status
}

var _ forgetful = (*fuse.Server)(nil)

// pruner asks the kernel to forget inodes when there are too many (P11). It is one
// goroutine that holds no lock while it asks: the kernel may wait for the answer to
// another request before it returns.
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

// prune asks the kernel once to forget what is too much. It reports whether the
// kernel has begun to.
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

// ask names inodes that the kernel need not remember.
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
	// inodeBytes is what an inode takes that was only looked up, with its name and
	// its places in the table, as BenchmarkInodeBytes measures it (274).
	inodeBytes = 280
	// usedBytes is what one takes beside that once it was opened or changed: the size
	// of used, with an ETag.
	usedBytes = 700
	// inodesCharged is how many bytes are charged at a time: so rarely is the budget's
	// lock taken.
	inodesCharged = 64 << 10
)

// bound makes the table tell when its inodes take more than limit bytes, and charge
// for their bytes.
func (t *inodes) bound(limit int64, charge func(delta int64)) { t.limit, t.charge = limit, charge }

// bytes returns what all inodes take. t.mu is held.
func (t *inodes) bytes() int64 { return int64(len(t.byID))*inodeBytes + t.changed.Load()*usedBytes }

// counted charges for the inodes, and tells when there are too many. t.mu is held.
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
		default: // it is known
		}
	}
}

// excess returns how many inodes have to be forgotten.
func (t *inodes) excess() int {
	t.mu.RLock()
	defer t.mu.RUnlock()
	now := t.bytes()
	if now <= t.limit {
		return 0
	}
	// The forgotten ones take as much room as the others.
	return int(float64(now-t.limit+t.limit/pruneDown) / float64(now) * float64(len(t.byID)))
}

// idle returns up to most inodes that only the kernel refers to, and of which
// nothing is lost when it forgets them. They are not among the younger half, which
// the kernel is most likely to name next; of the older ones any may be returned.
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

// forgettable reports whether a lookup finds all again that the inode shows.
func (n *inode) forgettable() bool {
	if !n.isUsed() {
		return true
	}
	n.lock()
	defer n.unlock()
	return n.file == nil && !n.Owes() && n.IsLinked() && n.opens == 0 && n.listed.IsZero() && n.stamped.IsZero()
}
