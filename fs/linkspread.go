package fs

import (
	"context"
	"log/slog"

	"github.com/s3mount/s3mount/fs/namespace"
)

// change notes that an inode with several names is about to be written: if this
// mount dies before all names have the new version, the next one sees to it.
func (f *filesystem) change(n *inode) error {
	n.mu.Lock()
	l, begun := n.entry.Link, n.linking
	n.mu.Unlock()
	if l == nil || begun {
		return nil
	}
	if err := f.ns.BeginLinks(l.ID); err != nil {
		return err
	}
	n.mu.Lock()
	again := n.linking
	n.linking = true
	n.mu.Unlock()
	if again {
		f.ns.EndLinks(l.ID)
	}
	return nil
}

// beginChange makes an inode with several names ready to be written.
func (f *filesystem) beginChange(ctx context.Context, n *inode) error {
	if !n.linked() || n.private() {
		return nil
	}
	if err := n.commit.take(ctx); err != nil {
		return err
	}
	defer n.commit.give()
	return f.leadChange(ctx, n)
}

// leadChange is beginChange for callers that have the inode's turn.
func (f *filesystem) leadChange(ctx context.Context, n *inode) error {
	if !n.linked() {
		return nil
	}
	if err := f.lead(ctx, n); err != nil {
		return err
	}
	return f.change(n)
}

// linked: the inode is known to have several names.
func (n *inode) linked() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.entry.Link != nil
}

// unchanged ends change, when nobody writes and all names are the same.
func (f *filesystem) unchanged(n *inode) {
	n.mu.Lock()
	l := n.entry.Link
	done := n.linking && l != nil && n.file == nil && n.behind == nil
	n.linking = n.linking && !done
	n.mu.Unlock()
	if done {
		f.ns.EndLinks(l.ID)
	}
}

// newer notes that the entry gets a version that the other names do not have
// yet; l is the mark that its object carries. n.mu is held.
func (n *inode) newer(l *namespace.Link) {
	if n.entry.Link == nil {
		return
	}
	if n.behind == nil {
		old := n.entry
		n.behind = &old
	}
	n.unmarked = l == nil || l.ID != n.entry.Link.ID
	if !n.unmarked {
		n.entry.Link = l.With(n.entry.Link.Count)
	}
}

// spread brings all names of an inode to the version that was written. The
// caller has the inode's turn.
func (f *filesystem) spread(ctx context.Context, n *inode) error {
	n.mu.Lock()
	e, old, unmarked := n.entry, n.behind, n.unmarked
	if e.Link == nil {
		n.behind, old = nil, nil
	}
	n.attrs = n.attrs || old != nil && unmarked
	n.mu.Unlock()
	switch {
	case old == nil:
		return nil
	case unmarked:
		return f.flushAttrsNow(ctx, n) // which writes the mark and comes back
	}
	out, err := f.ns.Spread(ctx, e, *old)
	if err != nil {
		return err
	}
	n.mu.Lock()
	if n.entry.Link != nil && n.entry.Link.Gen == e.Link.Gen {
		n.behind = nil
	}
	n.mu.Unlock()
	if len(out.Left) > 0 {
		f.log.Info("names of a file were changed elsewhere and are files of their own now",
			slog.String("key", e.Key), slog.Any("names", out.Left))
		f.parted(n, out.Left...)
	}
	f.regroup(n, out.Links)
	return nil
}
