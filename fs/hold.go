package fs

import (
	"cmp"
	"context"
	"slices"

	"github.com/s3mount/s3mount/fs/entry"
)

// hold holds the turns of the inodes that a rename affects. For a directory it has the
// turns of all inodes below, including inodes that enter the table during the hold. So
// nothing commits under a key that is about to change.
type hold struct {
	inodes *inodes
	dirs   []*inode
	waits  []*inode // pinned inodes whose turns must still be taken
	taken  []*inode // pinned; guarded by inodes.mu once the hold is in the table
}

// newHold pins the inodes that a rename affects. take takes their turns.
func (t *inodes) newHold(roots ...*inode) *hold {
	t.mu.Lock()
	defer t.mu.Unlock()
	h := &hold{inodes: t}
	for _, root := range roots {
		if root == nil {
			continue
		}
		h.waits = append(h.waits, t.subtree(root)...)
		if root.kind == entry.Directory {
			h.dirs = append(h.dirs, root)
		}
	}
	for _, n := range h.waits {
		n.pinned++
	}
	if len(h.dirs) > 0 {
		t.holds = append(t.holds, h)
	}
	return h
}

// take takes the turns in the order of node ids, so that two renames cannot wait for
// each other. It interrupts a commit of the replaced inode.
func (h *hold) take(ctx context.Context, replaced *inode) error {
	slices.SortFunc(h.waits, func(a, b *inode) int { return cmp.Compare(a.id, b.id) })
	for len(h.waits) > 0 {
		n := h.waits[0]
		take := n.turns().commit.take
		if n == replaced {
			take = n.claim
		}
		if err := take(ctx); err != nil {
			return err
		}
		h.inodes.mu.Lock()
		h.taken, h.waits = append(h.taken, n), h.waits[1:]
		h.inodes.mu.Unlock()
	}
	return nil
}

// adopt takes the turn of an inode that has just got its first name, if it is below a
// held directory. t.mu is held.
func (t *inodes) adopt(n *inode) {
	for _, h := range t.holds {
		for _, dir := range h.dirs {
			if !isBelow(n, dir) {
				continue
			}
			if _, ok := n.turns().commit.try(); ok {
				n.pinned++
				h.taken = append(h.taken, n)
			}
			return
		}
	}
}

// release gives the turns back and unpins the inodes.
func (h *hold) release() {
	t := h.inodes
	t.mu.Lock()
	defer t.mu.Unlock()
	t.holds = slices.DeleteFunc(t.holds, func(other *hold) bool { return other == h })
	for _, n := range h.taken {
		n.turns().commit.give()
	}
	for _, n := range append(h.taken, h.waits...) {
		n.pinned--
		t.reap(n)
	}
}
