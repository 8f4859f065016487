package writeback

import (
	"context"
	"slices"
)

// Discard ends all commits, because the file has no name any more (P7): running
// uploads are aborted, and nothing is ever written again. A request that may
// have made the object already is waited for: call Discard before the DELETE.
// The file stays readable and writable. It tells whether there may be an object
// of the file under its key: a commit can have made one that nobody has asked
// for yet.
func (f *File) Discard() (written bool) {
	written, closed := f.retire()
	if !closed {
		f.forgotten()
	}
	return written
}

// Interrupt ends the commit that runs, unless the request that makes the object
// may be on its way. Until resume is called every Commit fails with
// ErrInterrupted. It is for a caller that waits for the turn in which a commit
// runs, to call Discard.
func (f *File) Interrupt() (resume func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.interrupts++
	f.run.stop(ErrInterrupted)
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.interrupts--
	}
}

// retire is Discard that leaves the journal as it is.
func (f *File) retire() (written, closed bool) {
	f.mu.Lock()
	if f.state == stateClosed || f.state == stateDiscarded {
		defer f.mu.Unlock()
		return false, f.state == stateClosed
	}
	written = f.base != nil && !f.base.foreign || f.doubt
	f.step(eventDiscard)
	f.endLinger()
	f.err = nil
	r := f.run
	if r == nil {
		f.abandon()
	} else if !r.final {
		r.cancel(errDiscarded)
	}
	f.mu.Unlock()
	if r != nil {
		<-r.done
		f.mu.Lock()
		f.abandon()
		written = written || f.doubt
		f.mu.Unlock()
	}
	return written, false
}

// Rename gives a file that nothing binds to its key another key, and says
// whether its first commit must create the object there (RENAME_NOREPLACE).
// ErrBound says that there is an object or an upload: commit, copy the object,
// then Rebase.
func (f *File) Rename(key string, exclusive bool) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.bound() {
		return ErrBound
	}
	f.key, f.exclusive, f.replaces, f.journal.stale = key, exclusive, "", true
	f.tried = nil
	return nil
}

// Replaces says which version the first commit replaces as a whole, as
// OpenInput.Replaces does: after Rename.
func (f *File) Replaces(etag string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.replaces = etag
}

// Replace is Rename to a key whose object over would have made: it is discarded,
// and the next Persist of f takes its place in the journal at one stroke. With
// ErrBound over may be discarded already.
func (f *File) Replace(over *File, key string) error {
	f.mu.Lock()
	bound := f.bound()
	f.mu.Unlock()
	if bound {
		return ErrBound
	}
	over.retire() // before anything goes to the key; it may wait for a request
	over.mu.Lock()
	ends, replaces := over.journal.ends, over.replaces
	if over.base != nil && !over.base.foreign {
		replaces = over.base.v.ETag
	}
	if over.journal.id != 0 {
		ends = append(slices.Clone(ends), over.journal.id)
	}
	over.mu.Unlock()
	if err := f.Rename(key, false); err != nil {
		return err
	}
	f.mu.Lock()
	f.replaces = replaces
	f.journal.ends = append(f.journal.ends, ends...)
	f.mu.Unlock()
	return nil
}

// bound tells whether something binds the file to its key; the caller holds mu.
func (f *File) bound() bool {
	return f.base != nil && !f.base.foreign || f.stream != nil || f.run != nil
}

// Rebase says that the file's base has become v, read by r: the caller has
// copied it, or has written its metadata. The bytes of v are those of the base
// that the last Commit returned. r is closed when it is of no more use. A commit
// in the background may have written newer bytes under the old key meanwhile:
// they stay the content, and the next commit brings them to v.Key.
func (f *File) Rebase(v Version, r BaseReader) {
	f.mu.Lock()
	f.awaitRun()
	f.abandon() // it goes to the old key, or rests on the old base
	f.key, f.tried = v.Key, nil
	next := &base{v: v, r: r, owned: true, refs: 1}
	done := next.close // unless it is used
	switch {
	case f.state != stateClean && f.state != stateDirty:
	case f.unseen:
		f.base.foreign = true
		f.seq++
		f.step(eventWrite)
	default:
		done = f.rebase(next, min(f.baseLen, v.Size))
	}
	f.mu.Unlock()
	done()
}

// Close commits a dirty file and releases its memory. If the commit fails, Close
// returns the error, and the bytes go to the recovery directory unless the journal
// has them; the log says where they are. If ctx ends, Close returns its error, and
// the rest happens in the background, where Drain waits for it. No method but
// Version may be called after Close.
func (f *File) Close(ctx context.Context) error {
	f.mu.Lock()
	if f.state == stateClosed {
		f.mu.Unlock()
		return ErrClosed
	}
	unreported := f.takeErr()
	dirty, unkept := f.state == stateDirty || f.state.running(), f.unkept
	f.mu.Unlock()
	if unreported != nil {
		f.m.o.Logger.Warn("error of a background upload that no operation reported; trying again",
			"key", f.Key(), "error", unreported)
	}
	if unkept {
		_ = f.keepStale(ErrConflict) // it logs what becomes of them
	}
	if !dirty {
		f.shut()
		return nil
	}
	_, err := f.commit(ctx, false) // the caller has the turn, and does not give it back before
	if err != nil && ctx.Err() != nil && f.m.ctx.Err() == nil {
		f.m.background(func() { _ = f.Close(f.m.ctx) })
		return ctx.Err()
	}
	if err != nil && !isAny(err, ErrConflict, ErrKept) && !f.InJournal() {
		_ = f.keep(err) // it logs what becomes of them
	}
	f.shut()
	return err
}

// rescue is Close when nothing can be committed any more.
func (f *File) rescue() {
	f.mu.Lock()
	lost := f.unkept || f.state == stateDirty && !f.journal.holds(f.seq)
	f.mu.Unlock()
	if lost {
		_ = f.keep(ErrClosed) // it logs what becomes of them
	}
	f.shut()
}

// InJournal tells whether the journal has all of the content, so that the next mount
// carries it out if this one does not.
func (f *File) InJournal() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.journal.holds(f.seq)
}

// awaitRun waits until no commit runs; the caller holds mu, which is let go meanwhile.
func (f *File) awaitRun() {
	for f.run != nil {
		run := f.run
		f.mu.Unlock()
		<-run.done
		f.mu.Lock()
	}
}

// shut releases everything.
func (f *File) shut() {
	f.mu.Lock()
	f.awaitRun() // the manager has ended it, or it has ended
	f.step(eventClose)
	f.endLinger()
	f.abandon()
	f.cut(0, f.size)
	f.last = f.version()
	done := f.base.drop()
	f.base = nil
	f.mu.Unlock()
	done()
	f.m.mu.Lock()
	delete(f.m.files, f)
	f.m.mu.Unlock()
	f.m.spool.trim()
	f.m.kick()
}
