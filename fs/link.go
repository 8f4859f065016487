package fs

import (
	"context"
	"errors"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/s3mount/s3mount/fs/namespace"
)

// Link gives a file one more name (link(2)). All names that the kernel knows of
// a file are one inode, whose entry is that of one name, which is written;
// the others follow by copies inside S3 (namespace.Spread).
func (f *filesystem) Link(cancel <-chan struct{}, in *fuse.LinkIn, name string, out *fuse.EntryOut) fuse.Status {
	ctx := newRequest(cancel, &in.InHeader)
	defer ctx.end()
	dir, st := f.nameIn(in.NodeId, name)
	if st != fuse.OK {
		return st
	}
	n := f.inodes.get(in.Oldnodeid)
	switch {
	case n == nil:
		return fuse.ENOENT
	case n.kind == namespace.Directory, !f.o.HardLinks:
		return fuse.EPERM // as link(2) says of filesystems without hard links
	}
	if err := f.link(ctx, n, dir, name); err != nil {
		return f.status("link", err)
	}
	f.fillEntry(n, out)
	return fuse.OK
}

func (f *filesystem) link(ctx context.Context, n, dir *inode, name string) error {
	if err := n.commit.take(ctx); err != nil {
		return err
	}
	defer n.commit.give()
	if n.gone() {
		return syscall.ENOENT // link(2): its last name is gone
	}
	// S3 copies what it holds.
	if _, err := f.saveBelow(ctx, n); err != nil {
		return err
	}
	if err := f.lead(ctx, n); err != nil {
		return err
	}
	made, err := f.ns.Link(ctx, n.snapshot(), dir.snapshot(), name)
	if errors.Is(err, namespace.ErrStale) {
		f.ns.Invalidate(n.snapshot().Key)
	}
	if err != nil {
		return err
	}
	n.mu.Lock()
	if n.entry.Link == nil {
		f.moved(n, made.Old)
	}
	n.entry.Link = made.Old.Link
	n.stamped = time.Now()
	if n.file != nil {
		n.file.SetObject(f.objectOptions(n))
	}
	writers := n.writers > 0
	n.mu.Unlock()
	if writers {
		if err := f.change(n); err != nil {
			return err
		}
	}
	f.inodes.join(n, made.Old.Link.ID, dir, name)
	dir.relisted()
	return nil
}

// lead makes the entry of an inode with several names that of the name which is
// written: the first of the group's record, or the one with the newest version.
// The caller has the inode's turn. An inode that has unsaved bytes stays what
// they were written over.
func (f *filesystem) lead(ctx context.Context, n *inode) error {
	n.mu.Lock()
	e, unsaved := n.entry, n.file != nil
	n.mu.Unlock()
	if e.Link == nil || unsaved {
		return nil
	}
	g, err := f.ns.Links(ctx, e.Link.ID)
	if err != nil {
		return err
	}
	for _, key := range g.Keys {
		if key == e.Key {
			break // it is the first that exists
		}
		first := e
		first.Key = key
		got, err := f.ns.Stat(ctx, first)
		switch {
		case absent(err), err == nil && !namespace.SameFile(got, e):
			if g, err = f.leaves(ctx, n, key); err != nil {
				return err
			}
			continue
		case err != nil:
			return err
		case got.Link.Gen < e.Link.Gen:
			g, err = f.ns.Lead(ctx, e.Link.ID, e.Key) // it was written when the mount that wrote it died
			if err != nil {
				return err
			}
		default:
			f.follow(n, got)
		}
		break
	}
	f.regroup(n, g)
	return nil
}

// follow makes another name of the same file the one that is written.
func (f *filesystem) follow(n *inode, to namespace.Entry) {
	n.mu.Lock()
	defer n.mu.Unlock()
	to.Link = to.Link.With(max(n.entry.Link.Count, 2))
	if to.Link.Gen == n.entry.Link.Gen {
		f.moved(n, to)
		return
	}
	if n.attrs {
		to.Attr = n.entry.Attr
	}
	n.entry = to
	n.epoch++
}

// nameEntry is the entry of one name of an inode, in the version that S3 holds.
func (f *filesystem) nameEntry(ctx context.Context, n, dir *inode, name string) (namespace.Entry, error) {
	e := n.snapshot()
	if e.Link == nil {
		return e, nil
	}
	key, err := f.ns.NewFileKey(dir.snapshot(), name)
	if err != nil || key == e.Key {
		return e, err
	}
	other := e
	other.Key = key
	got, err := f.ns.Stat(ctx, other)
	if err != nil {
		return namespace.Entry{}, err
	}
	if !namespace.SameFile(got, e) {
		f.parted(n, key)
		return namespace.Entry{}, syscall.ESTALE
	}
	got.Link = got.Link.With(e.Link.Count)
	return got, nil
}
