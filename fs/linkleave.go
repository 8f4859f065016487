package fs

import (
	"context"
	"syscall"

	"github.com/s3mount/s3mount/fs/namespace"
)

// leaves takes a name out of its group that is no longer one of the file's.
func (f *filesystem) leaves(ctx context.Context, n *inode, key string) (*namespace.Links, error) {
	id := n.snapshot().Link.ID
	g, err := f.ns.Unlinked(ctx, id, key)
	if err != nil {
		return nil, err
	}
	f.ns.Invalidate(key)
	f.parted(n, key)
	return g, nil
}

// parted takes names off an inode in the table, and makes the kernel look them
// up again: they are other files now.
func (f *filesystem) parted(n *inode, keys ...string) {
	for _, d := range f.inodes.names(n) {
		key, err := f.ns.NewFileKey(d.dir.snapshot(), d.name)
		for _, k := range keys {
			if err == nil && k == key {
				f.inodes.unname(n, d.dir, d.name)
				f.forgetDentry(d)
			}
		}
	}
}

// regroup takes over what has become of the group of an inode: with one name
// left there is none.
func (f *filesystem) regroup(n *inode, g *namespace.Links) {
	n.mu.Lock()
	if n.entry.Link == nil || n.entry.Link.ID != g.ID {
		n.mu.Unlock()
		return
	}
	n.entry.Link = n.entry.Link.With(len(g.Keys))
	single := n.entry.Link == nil
	begun := n.linking && single
	n.linking = n.linking && !begun
	n.mu.Unlock()
	if single {
		f.inodes.single(n, g.ID)
	}
	if begun {
		f.ns.EndLinks(g.ID)
	}
}

// yield takes one of several names off an inode, whose object is about to be
// deleted or replaced, and tells whether the inode lives on under another. The
// caller has the inode's turn.
func (f *filesystem) yield(ctx context.Context, n, dir *inode, name string) (bool, error) {
	if n.snapshot().Link == nil {
		return false, nil
	}
	key, err := f.ns.NewFileKey(dir.snapshot(), name)
	if err != nil {
		return false, err
	}
	if key == n.snapshot().Key {
		// Its last version must be under the other names before it goes.
		if _, err := f.saveBelow(ctx, n); err != nil {
			return false, err
		}
		if done, err := f.moveOn(ctx, n, key, false); !done || err != nil {
			return false, err
		}
	}
	g, err := f.ns.Unlinked(ctx, n.snapshot().Link.ID, key)
	if err != nil {
		return false, err
	}
	f.inodes.unname(n, dir, name)
	n.stamp()
	f.regroup(n, g)
	return true, nil
}

// broken: the object that a file with several names is read from was replaced
// or deleted elsewhere. The inode goes on with another name, and the kernel looks
// up again the one that was asked for: the error is ESTALE.
func (f *filesystem) broken(ctx context.Context, n *inode, key string) error {
	if err := n.commit.take(ctx); err != nil {
		return err
	}
	defer n.commit.give()
	if n.private() || !n.linked() {
		return syscall.ESTALE
	}
	if _, err := f.leaves(ctx, n, key); err != nil {
		return err
	}
	if n.snapshot().Key == key {
		if _, err := f.moveOn(ctx, n, key, true); err != nil {
			return err
		}
	}
	return syscall.ESTALE
}

// moveOn makes another name the one that is written. It returns false if there
// is none: the group was one no more. lost says that the bytes under from are
// no longer those of the file.
func (f *filesystem) moveOn(ctx context.Context, n *inode, from string, lost bool) (bool, error) {
	e := n.snapshot()
	if e.Link == nil {
		return false, nil
	}
	g, err := f.ns.Links(ctx, e.Link.ID)
	for err == nil {
		var next string
		for _, k := range g.Keys {
			if k != from {
				next = k
				break
			}
		}
		if next == "" {
			f.regroup(n, g)
			return false, nil
		}
		to := e
		to.Key = next
		to, err = f.ns.Stat(ctx, to)
		switch {
		case err == nil && namespace.SameFile(to, e) && (lost || to.Link.Gen >= e.Link.Gen):
			f.follow(n, to)
			return true, nil
		case err == nil && namespace.SameFile(to, e): // the mount that wrote the last version died
			if _, err = f.ns.Spread(ctx, e, e); err == nil {
				g, err = f.ns.Links(ctx, e.Link.ID)
			}
		case err == nil, absent(err):
			g, err = f.leaves(ctx, n, next)
		}
	}
	return false, err
}
