package fs

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/s3mount/s3mount/fs/namespace"
	"github.com/s3mount/s3mount/fs/writeback"
)

// Flags of renameat2(2).
const (
	renameNoReplace = 0x1
	renameExchange  = 0x2
)

// move is one rename under way.
type move struct {
	oldDir, newDir   *inode
	oldName, newName string
	n                *inode // what moves
	target           *inode // what has the new name now, or nil
	yielded          bool   // target lives on under another name
	taken            bool   // target's handles have been given what they need without the name
	flags            uint32
}

// Rename moves a file or a directory (P5).
func (f *filesystem) Rename(cancel <-chan struct{}, in *fuse.RenameIn, oldName, newName string) fuse.Status {
	ctx := newRequest(cancel, &in.InHeader)
	defer ctx.end()
	oldDir, st := f.writableDir(in.NodeId)
	if st != fuse.OK {
		return st
	}
	newDir, st := f.nameIn(in.Newdir, newName)
	if st != fuse.OK {
		return st
	}
	if in.Flags&^(renameNoReplace|renameExchange) != 0 || in.Flags == renameNoReplace|renameExchange {
		return fuse.EINVAL
	}
	return f.status("rename", f.rename(ctx, &move{
		oldDir: oldDir, newDir: newDir, oldName: oldName, newName: newName, flags: in.Flags,
	}))
}

func (f *filesystem) rename(ctx context.Context, m *move) (err error) {
	if m.n, err = f.resolve(ctx, m.oldDir, m.oldName); err != nil {
		return err
	}
	defer f.inodes.unpin(m.n)
	if m.target, err = f.resolveTarget(ctx, m); err != nil {
		return err
	}
	if m.target != nil {
		defer f.inodes.unpin(m.target)
	}
	if m.n == m.target {
		return nil
	}
	release, err := f.takeTurns(ctx, m)
	if err != nil {
		return err
	}
	defer release()
	defer func() {
		if err != nil && m.taken {
			f.cutOff(m.target)
		}
	}()

	if m.n.kind != namespace.Directory && m.flags&renameExchange == 0 {
		var done bool
		if done, err = f.renameUnsaved(ctx, m); done || err != nil {
			m.relisted(err)
			return err
		}
	}
	err = f.renameSaved(ctx, m)
	m.relisted(err)
	return err
}

// relisted notes the change of both directories, if there was one.
func (m *move) relisted(err error) {
	if err == nil {
		m.oldDir.relisted()
		m.newDir.relisted()
	}
}

// resolveTarget returns what has the new name, or nil, and checks what POSIX
// asks of it.
func (f *filesystem) resolveTarget(ctx context.Context, m *move) (*inode, error) {
	t, err := f.resolve(ctx, m.newDir, m.newName)
	if errnoOf(err) == syscall.ENOENT && err != nil {
		if m.flags&renameExchange != 0 {
			return nil, err
		}
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	isDir, targetIsDir := m.n.kind == namespace.Directory, t.kind == namespace.Directory
	switch {
	case m.flags&renameExchange != 0 && (isDir || targetIsDir):
		err = namespace.ErrInvalid // their contents would be missing under both names for a while
	case m.flags&renameExchange != 0:
		return t, nil
	case m.flags&renameNoReplace != 0:
		err = namespace.ErrExists
	case isDir && !targetIsDir:
		err = namespace.ErrNotDir
	case !isDir && targetIsDir:
		err = namespace.ErrIsDir
	}
	if err != nil {
		f.inodes.unpin(t)
		return nil, err
	}
	return t, nil
}

// takeTurns takes the turns of all inodes that the rename touches: of a
// directory, all that are live below it. They are taken in the order of
// nodeids, so that two renames cannot wait for each other.
func (f *filesystem) takeTurns(ctx context.Context, m *move) (release func(), err error) {
	var all []*inode
	for _, n := range []*inode{m.n, m.target} {
		switch {
		case n == nil:
		case n.kind == namespace.Directory:
			all = append(all, f.below(n.snapshot().Key)...)
		default:
			all = append(all, n)
		}
	}
	slices.SortFunc(all, func(a, b *inode) int { return cmp.Compare(a.id, b.id) })
	taken := 0
	release = func() {
		for _, n := range all[:taken] {
			n.commit.give()
			f.inodes.unpin(n)
		}
	}
	for _, n := range all {
		if err := n.commit.take(ctx); err != nil {
			release()
			return nil, err
		}
		f.inodes.pin(n)
		taken++
	}
	return release, nil
}

// below returns the live inodes that have a name below a directory.
func (f *filesystem) below(prefix string) []*inode {
	all := f.inodes.below(prefix)
	for _, n := range f.inodes.grouped() {
		e := n.snapshot()
		if e.Link == nil || strings.HasPrefix(e.Key, prefix) {
			continue
		}
		if slices.ContainsFunc(f.ns.KnownLinks(e.Link.ID), func(k string) bool { return strings.HasPrefix(k, prefix) }) {
			all = append(all, n)
		}
	}
	return all
}

// renameUnsaved renames a file that S3 does not hold: its one PUT will go to
// the new key. It tells whether that was possible.
func (f *filesystem) renameUnsaved(ctx context.Context, m *move) (done bool, err error) {
	n := m.n
	if n.isSaved() {
		return false, nil
	}
	key, err := f.ns.NewFileKey(m.newDir.snapshot(), m.newName)
	if err != nil {
		return false, err
	}
	n.mu.Lock()
	file, old := n.file, n.entry.Key
	n.mu.Unlock()
	if file == nil {
		return false, syscall.ENOENT // it could not be saved and is gone
	}
	over, err := f.overtaken(ctx, m)
	if err != nil {
		return false, err
	}
	if over != nil {
		err = file.Replace(over, key)
	} else {
		err = file.Rename(key, m.flags&renameNoReplace != 0)
	}
	if errors.Is(err, writeback.ErrBound) {
		return false, f.commitNow(ctx, n)
	} else if err != nil {
		return false, err
	}
	if over == nil && m.target != nil && m.target.isSaved() {
		file.Replaces(m.target.snapshot().ETag)
	}
	n.mu.Lock()
	// What the commit will replace, if there is something.
	n.entry.Key, n.saved = key, m.target != nil && (m.target.isSaved() || over != nil && over.Committing())
	n.mu.Unlock()
	f.ns.DropPending(old)
	if f.o.Durability == durabilityJournal {
		err = f.persist(ctx, n) // the journal knows it by the old name
	}
	f.replaceTarget(m)
	f.ns.AddPending(key, n.snapshot)
	return true, err
}

// overtaken makes the file that a rename replaces ready for that, and returns
// its unsaved state, if there is any.
func (f *filesystem) overtaken(ctx context.Context, m *move) (*writeback.File, error) {
	if m.target == nil {
		return nil, nil
	}
	if lives, err := f.yieldTarget(ctx, m); lives || err != nil {
		return nil, err
	}
	if m.target.isOpen() {
		if err := f.savePromised(ctx, m.target); err != nil {
			return nil, err
		}
	}
	m.target.beginTaking()
	m.taken = f.detach(ctx, m.target) || m.taken
	m.target.mu.Lock()
	defer m.target.mu.Unlock()
	return m.target.file, nil
}

// replaceTarget gives the moved inode its new name in the table.
func (f *filesystem) replaceTarget(m *move) {
	if m.target != nil && !m.yielded {
		f.gone(m.target)
	}
	f.inodes.move(m.n, m.oldDir, m.oldName, m.newDir, m.newName)
}

// yieldTarget takes the new name off the file that has it, and tells whether
// that lives on under another.
func (f *filesystem) yieldTarget(ctx context.Context, m *move) (lives bool, err error) {
	if !m.yielded {
		m.yielded, err = f.yield(ctx, m.target, m.newDir, m.newName)
	}
	return m.yielded, err
}

// renameSaved renames what S3 holds, by copy and delete.
func (f *filesystem) renameSaved(ctx context.Context, m *move) error {
	moving, err := f.saveBelow(ctx, m.n)
	if err != nil {
		return err
	}
	old, err := f.nameEntry(ctx, m.n, m.oldDir, m.oldName)
	if err != nil {
		return err
	}
	in := namespace.RenameInput{
		OldDir: m.oldDir.snapshot(), OldName: m.oldName, Old: old,
		NewDir: m.newDir.snapshot(), NewName: m.newName,
		NoReplace: m.flags&renameNoReplace != 0, Exchange: m.flags&renameExchange != 0,
	}
	for _, n := range moving {
		in.Open = append(in.Open, n.snapshot().Key)
	}
	if m.target != nil {
		if in.New, err = f.prepareTarget(ctx, m, in.Exchange); err != nil {
			return err
		}
	}
	noted := f.noteRename(in)
	// After the note: the journal forgets what the target has in it.
	f.takeTarget(ctx, m, in.Exchange)
	out, err := f.ns.Rename(ctx, in)
	if err != nil {
		noted.Done()
		if m.yielded {
			f.forgetDentry(dentry{m.newDir, m.newName}) // a file of its own now
		}
		return err
	}
	f.watchDelete(in.Old, f.noteRest(in.Old, noted))
	if in.Exchange {
		f.exchanged(m, in, out)
		return nil
	}
	f.rekey(in.Old.Key, out)
	f.replaceTarget(m)
	return nil
}

// prepareTarget makes what has the new name ready to lose it, and returns the
// object that will be replaced, or nil.
func (f *filesystem) prepareTarget(ctx context.Context, m *move, exchange bool) (*namespace.Entry, error) {
	t := m.target
	if exchange {
		if _, err := f.saveBelow(ctx, t); err != nil {
			return nil, err
		}
		e, err := f.nameEntry(ctx, t, m.newDir, m.newName)
		return &e, err
	}
	if lives, err := f.yieldTarget(ctx, m); lives || err != nil {
		if err != nil {
			return nil, err
		}
		key, err := f.ns.NewFileKey(m.newDir.snapshot(), m.newName)
		return &namespace.Entry{Key: key, Kind: t.kind}, err
	}
	if !m.taken {
		if err := f.savePromised(ctx, t); err != nil {
			return nil, err
		}
	}
	if !t.isSaved() {
		return nil, nil
	}
	e := t.snapshot()
	return &e, nil
}

// takeTarget cuts what has the new name off it, just before it is replaced.
func (f *filesystem) takeTarget(ctx context.Context, m *move, exchange bool) {
	if m.target == nil || m.yielded || exchange {
		return
	}
	m.target.beginTaking()
	m.taken = f.detach(ctx, m.target) || m.taken
	had, _ := m.target.discard() // a PUT under way must not come after the copy
	m.taken = m.taken || had
}

// savePromised saves what close(2) has promised and only the journal has, before
// its file is cut off its name: the rename that asks for that may fail.
func (f *filesystem) savePromised(ctx context.Context, n *inode) error {
	if f.o.Durability != durabilityJournal {
		return nil
	}
	err := f.commitNow(ctx, n)
	if errors.Is(err, writeback.ErrConflict) {
		return nil // its bytes are kept elsewhere
	}
	return err
}

// saveBelow makes S3 hold what is unsaved of n and below it, and returns the
// live inodes there. The caller has their turns.
func (f *filesystem) saveBelow(ctx context.Context, n *inode) ([]*inode, error) {
	all := []*inode{n}
	if n.kind == namespace.Directory {
		all = f.below(n.snapshot().Key)
	}
	for _, n := range all {
		if err := f.commitNow(ctx, n); err != nil {
			return nil, err
		}
		if err := f.flushAttrsNow(ctx, n); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// rekey gives the inodes that moved with oldKey their new entries.
func (f *filesystem) rekey(oldKey string, out namespace.RenameOutput) {
	dir := strings.HasSuffix(oldKey, "/") || out.Entry.Kind == namespace.Directory
	for _, n := range f.inodes.below(oldKey) {
		e := n.snapshot()
		rest := strings.TrimPrefix(e.Key, oldKey)
		to, told := out.Moved[e.Key]
		switch {
		case rest == "":
			to = out.Entry
		case !dir:
			continue // another key that only begins alike
		case !told:
			to = e
			to.Key = out.Entry.Key + rest
		}
		if !n.isSaved() {
			f.rekeyUnsaved(n, e.Key, to.Key)
			continue
		}
		n.mu.Lock()
		f.moved(n, to)
		n.mu.Unlock()
	}
}

// rekeyUnsaved follows a rename of the directory above a file that was created
// while the rename ran.
func (f *filesystem) rekeyUnsaved(n *inode, from, to string) {
	n.mu.Lock()
	if n.file == nil || n.file.Rename(to, false) != nil {
		n.mu.Unlock()
		return
	}
	n.entry.Key = to
	n.mu.Unlock()
	f.ns.DropPending(from)
	f.ns.AddPending(to, n.snapshot)
}

// exchanged follows a swap of two names.
func (f *filesystem) exchanged(m *move, in namespace.RenameInput, out namespace.RenameOutput) {
	f.exchangedOne(m.n, in.Old.Key, out.Entry)
	f.exchangedOne(m.target, in.New.Key, out.Other)
	f.inodes.swap(m.n, dentry{m.oldDir, m.oldName}, m.target, dentry{m.newDir, m.newName})
}

// exchangedOne gives an inode the entry that it has now in place of the one
// under from, unless it is another of its names that it is read from.
func (f *filesystem) exchangedOne(n *inode, from string, to namespace.Entry) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.entry.Key == from {
		to.Link = n.entry.Link
		f.moved(n, to)
	}
}
