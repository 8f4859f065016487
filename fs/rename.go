package fs

import (
	"context"
	"errors"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/s3mount/s3mount/fs/entry"
	ino "github.com/s3mount/s3mount/fs/inode"
	"github.com/s3mount/s3mount/fs/namespace"
	"github.com/s3mount/s3mount/fs/writeback"
)

// renameNoReplace is the only supported flag of renameat2(2). RENAME_EXCHANGE and other
// flags are refused: S3 cannot swap two objects (P5).
const renameNoReplace = 0x1

// move is one rename in progress.
type move struct {
	oldDir, newDir   *inode
	oldName, newName string
	n                *inode // the inode to move
	target           *inode // the inode that has the new name, or nil
	taken            bool   // target is independent of its name
	flags            uint32
}

// Rename moves a file or a directory (P5).
func (f *filesystem) Rename(cancel <-chan struct{}, in *fuse.RenameIn, oldName, newName string) fuse.Status {
	ctx := newRequest(cancel, &in.InHeader)
	defer ctx.end()
	oldDir, st := f.writableDir(ctx, in.NodeId)
	if st != fuse.OK {
		return st
	}
	newDir, st := f.nameIn(ctx, in.Newdir, newName)
	if st != fuse.OK {
		return st
	}
	if in.Flags&^renameNoReplace != 0 {
		return fuse.EINVAL
	}
	return f.status("rename", f.rename(ctx, &move{
		oldDir: oldDir, newDir: newDir, oldName: oldName, newName: newName, flags: in.Flags,
	}))
}

// renamer renames objects and files without an object.
type renamer struct {
	*services
	*noter
	*saver
	*finder
	*unlinker
	access *access
}

// rename executes m. It starts again if a commit that it waits for is interrupted.
func (f *renamer) rename(ctx *request, m *move) error {
	leave, err := f.gate.enter(ctx, m.oldDir, m.newDir)
	if err != nil {
		return err
	}
	defer leave()
	for {
		err := f.tryRename(ctx, m)
		if !errors.Is(err, writeback.ErrInterrupted) || m.taken {
			return err
		}
	}
}

func (f *renamer) tryRename(ctx *request, m *move) (err error) {
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
	if err := f.mayMove(ctx, m); err != nil {
		return err
	}
	held, err := f.holdMove(ctx, m)
	if err != nil {
		return err
	}
	defer held()
	defer func() {
		if err != nil && m.taken {
			f.cutOff(m.target)
		}
	}()

	if m.n.kind != entry.Directory {
		var done bool
		if done, err = f.renameUnsaved(ctx, m); done || err != nil {
			m.done(err)
			return err
		}
	}
	err = f.renameSaved(ctx, m)
	m.done(err)
	return err
}

// mayMove checks that the caller may move the inode and replace the target. A directory
// that gets another parent must be writable itself.
func (f *renamer) mayMove(ctx *request, m *move) error {
	if err := f.access.confirmSticky(ctx, m.oldDir, m.n, ctx.caller); err != nil {
		return err
	}
	if m.n.kind == entry.Directory && m.oldDir != m.newDir {
		if err := f.access.confirmFile(ctx, m.n, ctx.caller); err != nil {
			return err
		}
	}
	if m.target == nil {
		return nil
	}
	return f.access.confirmSticky(ctx, m.newDir, m.target, ctx.caller)
}

// done updates the times of the moved inode and of both directories after a successful
// rename.
func (m *move) done(err error) {
	if err == nil {
		m.n.stamp()
		m.oldDir.relisted()
		m.newDir.relisted()
	}
}

// resolveTarget returns the inode that has the new name, or nil, and checks the
// requirements of POSIX.
func (f *renamer) resolveTarget(ctx context.Context, m *move) (*inode, error) {
	t, err := f.resolve(ctx, m.newDir, m.newName)
	if err != nil && errnoOf(err) == syscall.ENOENT {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	isDir, targetIsDir := m.n.kind == entry.Directory, t.kind == entry.Directory
	switch {
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

// holdMove prevents changes of the inodes that the rename affects: nothing commits, and
// no names are created below a directory that moves.
func (f *renamer) holdMove(ctx context.Context, m *move) (release func(), err error) {
	reopen := func() {}
	if m.n.kind == entry.Directory {
		if f.inodes.isBelow(m.newDir, m.n) {
			return nil, namespace.ErrInvalid
		}
		if reopen, err = f.gate.close(ctx, m.n); err != nil {
			return nil, err
		}
	}
	h := f.inodes.newHold(m.n, m.target)
	release = func() {
		h.release()
		reopen()
	}
	if err = h.take(ctx, m.target); err == nil && m.n.gone() {
		err = syscall.ENOENT // its data could not be saved in the meantime
	}
	if err != nil {
		release()
		return nil, err
	}
	return release, nil
}

// renameUnsaved renames a file without an object: its PUT will go to the new key. It
// returns false if the file must be saved first.
func (f *renamer) renameUnsaved(ctx context.Context, m *move) (done bool, err error) {
	n := m.n
	if n.isSaved() {
		return false, nil
	}
	key, err := f.ns.NewFileKey(m.newDir.snapshot(), m.newName)
	if err != nil {
		return false, err
	}
	n.lock()
	file, old := n.file, n.Key()
	n.unlock()
	if file == nil {
		return false, syscall.ENOENT // its data could not be saved
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
	if m.target != nil {
		file.Contain(m.target.attrsNoted())
	}
	// saved means here that the commit may replace an object.
	replaces := m.target != nil && (m.target.isSaved() || over != nil && over.Committing())
	n.lock()
	e := n.Entry()
	e.Key = key
	n.Learn(ino.Rekeyed, e, ino.Situation{Over: replaces})
	n.unlock()
	f.ns.DropPending(old, n)
	if f.o.Durability == durabilityJournal {
		err = f.persist(ctx, n) // the journal has the old name
	}
	f.replaceTarget(m)
	f.showPending(n, key)
	return true, err
}

// overtaken prepares the file that a rename replaces, and returns its unsaved state, or
// nil.
func (f *renamer) overtaken(ctx context.Context, m *move) (*writeback.File, error) {
	if m.target == nil {
		return nil, nil
	}
	if m.target.isOpen() {
		if err := f.savePromised(ctx, m.target); err != nil {
			return nil, err
		}
	}
	m.target.beginTaking()
	m.taken = f.detach(ctx, m.target) || m.taken
	m.target.lock()
	defer m.target.unlock()
	return m.target.file, nil
}

// replaceTarget sets the new name of the moved inode in the table.
func (f *renamer) replaceTarget(m *move) {
	if m.target != nil {
		f.gone(m.target)
	}
	f.inodes.move(m.n, m.newDir, m.newName)
}

// renameSaved renames objects in S3 by copy and delete.
func (f *renamer) renameSaved(ctx context.Context, m *move) error {
	moving, err := f.saveBelow(ctx, m.n)
	if err != nil {
		return err
	}
	in := namespace.RenameInput{
		OldDir: m.oldDir.snapshot(), OldName: m.oldName, Old: m.n.snapshot(),
		NewDir: m.newDir.snapshot(), NewName: m.newName,
		NoReplace: m.flags&renameNoReplace != 0,
	}
	for _, n := range moving {
		in.Open = append(in.Open, n.snapshot().ID())
	}
	if m.target != nil {
		if in.New, err = f.prepareTarget(ctx, m); err != nil {
			return err
		}
	}
	noted := f.noteRename(in)
	// After the record, because this removes the records of the target from the
	// journal.
	f.takeTarget(ctx, m)
	out, err := f.ns.Rename(ctx, in)
	if err != nil {
		noted.Done()
		return err
	}
	f.watchDelete(in.Old, f.noteRest(in.Old, noted))
	f.permits.wrote(out.Entry.Key)
	f.rekey(m.n, out)
	f.replaceTarget(m)
	return nil
}

// prepareTarget prepares the target and returns the object that will be replaced, or
// nil.
func (f *renamer) prepareTarget(ctx context.Context, m *move) (*entry.Entry, error) {
	t := m.target
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

// takeTarget detaches the target from its name, just before it is replaced.
func (f *renamer) takeTarget(ctx context.Context, m *move) {
	if m.target == nil {
		return
	}
	m.target.beginTaking()
	m.taken = f.detach(ctx, m.target) || m.taken
	had, _ := m.target.discard() // a PUT in progress must end before the copy
	m.taken = m.taken || had
}

// savePromised uploads acknowledged data that only the journal has, before their file
// loses its name. The rename may still fail.
func (f *saver) savePromised(ctx context.Context, n *inode) error {
	if f.o.Durability != durabilityJournal {
		return nil
	}
	err := f.commitNow(ctx, n)
	if errors.Is(err, writeback.ErrConflict) {
		return nil // its data are saved locally
	}
	return err
}

// saveBelow uploads the unsaved data of n and of the inodes below it, and returns these
// inodes. The caller has their turns.
func (f *saver) saveBelow(ctx context.Context, n *inode) ([]*inode, error) {
	all := []*inode{n}
	if n.kind == entry.Directory {
		all = f.inodes.below(n)
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
