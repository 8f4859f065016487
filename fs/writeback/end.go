package writeback

import (
	"context"
	"slices"
)

// Discard ends all commits because the file has no name any more (P7). It aborts running
// uploads, and later writes never reach S3. It waits for a request that may have made the
// object, so the caller must call Discard before the DELETE. The file stays readable and
// writable. Discard reports whether a commit may have made an object under the key.
func (f *File) Discard() (written bool) {
	written, closed := f.retire()
	if !closed {
		f.forgotten()
	}
	return written
}

// Interrupt ends the running commit, unless the request that makes the object may have been
// sent. Every Commit fails with ErrInterrupted until resume is called. Interrupt is for a
// caller that is about to Discard the file and has to wait for the commit.
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

// retire is like Discard, but it does not change the journal.
func (f *File) retire() (written, closed bool) {
	f.mu.Lock()
	if f.state == stateClosed || f.state == stateDiscarded {
		defer f.mu.Unlock()
		return false, f.state == stateClosed
	}
	written = f.base != nil && !f.base.foreign || f.outcomeUnknown
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
		written = written || f.outcomeUnknown
		f.mu.Unlock()
	}
	return written, false
}

// Rename changes the key of a file without an object or upload under its key. exclusive
// requires the first commit to create the object (RENAME_NOREPLACE). Rename returns ErrBound
// if there is an object or an upload. The caller must then commit, copy the object and call
// Rebase.
func (f *File) Rename(key string, exclusive bool) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.bound() {
		return ErrBound
	}
	f.key, f.exclusive, f.replaces, f.journal.outdated = key, exclusive, "", true
	f.attempts = nil
	return nil
}

// Replaces sets the version that the first commit replaces as a whole, like
// OpenInput.Replaces. It is called after Rename.
func (f *File) Replaces(etag string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.replaces = etag
}

// Replace renames the file to a key that the file over was to create. It discards over, and the
// next Persist of f replaces the record of over in the journal atomically. If Replace returns
// ErrBound, over may be discarded already.
func (f *File) Replace(over *File, key string) error {
	f.mu.Lock()
	bound := f.bound()
	f.mu.Unlock()
	if bound {
		return ErrBound
	}
	over.retire() // before any request to the key; it may wait for a request
	over.mu.Lock()
	ends := over.journal.ends
	if over.journal.id != 0 {
		ends = append(slices.Clone(ends), over.journal.id)
	}
	replaces, known := over.objectLeft()
	over.mu.Unlock()
	if !known {
		return ErrBound
	}
	if err := f.Rename(key, false); err != nil {
		return err
	}
	f.mu.Lock()
	f.replaces = replaces
	f.journal.ends = append(f.journal.ends, ends...)
	f.mu.Unlock()
	return nil
}

// objectLeft returns the ETag of the object that a retired file leaves under its key, or "" if it
// leaves none. known is false if the answer of a commit was lost. The caller holds mu.
func (f *File) objectLeft() (etag string, known bool) {
	switch {
	case f.madeLast != "":
		return f.madeLast, true
	case f.outcomeUnknown:
		return "", false
	case f.base != nil && !f.base.foreign:
		return f.base.v.ETag, true
	}
	return f.replaces, true
}

// bound reports whether the file has an object or an upload under its key, or may have an object there
// because the answer of a commit was lost. The caller holds mu.
func (f *File) bound() bool {
	unseen := slices.ContainsFunc(f.attempts, func(a attempt) bool { return a.unseen })
	return f.base != nil && !f.base.foreign || f.stream != nil || f.run != nil || unseen
}

// Rebase replaces the base by v, which r reads. The caller has copied the object or has changed
// its metadata, so that v has the bytes of the version that the last Commit returned. The file
// closes r. A background commit may have written newer bytes under the old key. They stay the
// content, and the next commit writes them to v.Key.
func (f *File) Rebase(v Version, r BaseReader) {
	f.mu.Lock()
	f.awaitRun()
	f.abandon() // it goes to the old key, or uses the old base
	f.key, f.attempts = v.Key, nil
	next := &base{v: v, r: r, owned: true, refs: 1}
	done := next.close // replaced below if next is used
	switch {
	case f.state != stateClean && f.state != stateDirty:
	case f.baseUnseen:
		f.base.foreign, f.replaces = true, v.ETag
		f.seq++
		f.step(eventWrite)
	default:
		done = f.rebase(next, min(f.baseLen, v.Size))
	}
	f.mu.Unlock()
	done()
}

// Close commits a dirty file and releases its memory. If the commit fails, Close returns the
// error, and the bytes go to the recovery directory unless the journal has them. Close logs their
// path. If ctx ends, Close returns its error and continues in the background, where Drain waits
// for it. After Close only Version may be called.
func (f *File) Close(ctx context.Context) error {
	f.mu.Lock()
	if f.state == stateClosed {
		f.mu.Unlock()
		return ErrClosed
	}
	unreported := f.takeErr()
	dirty, notSaved := f.state == stateDirty || f.state.running(), f.notSaved
	f.mu.Unlock()
	if unreported != nil {
		f.m.o.Logger.Warn("a background upload failed, and no operation has reported it; the close tries again",
			"key", f.Key(), "error", unreported)
	}
	if notSaved {
		_ = f.keepStale(ErrConflict) // keepStale logs its result
	}
	if !dirty {
		f.shut()
		return nil
	}
	_, err := f.commit(ctx, false) // the caller has the turn, and keeps it until Close returns
	if err != nil && ctx.Err() != nil && f.m.ctx.Err() == nil {
		f.m.background(func() { _ = f.Close(f.m.ctx) })
		return ctx.Err()
	}
	if err != nil && !isAny(err, ErrConflict, ErrKept) && !f.InJournal() {
		_ = f.keep(err) // keep logs its result
	}
	f.shut()
	return err
}

// rescue closes a file that cannot be committed any more.
func (f *File) rescue() {
	f.mu.Lock()
	lost := f.notSaved || f.state == stateDirty && !f.journal.holds(f.seq)
	f.mu.Unlock()
	if lost {
		_ = f.keep(ErrClosed) // keep logs its result
	}
	f.shut()
}

// InJournal reports whether the journal has the whole content, so that the next mount can
// commit it.
func (f *File) InJournal() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.journal.holds(f.seq)
}

// Recorded reports whether the journal has some content of the file.
func (f *File) Recorded() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.journal.seq != 0
}

// awaitRun waits until no commit runs. The caller holds mu, which awaitRun releases during the
// wait.
func (f *File) awaitRun() {
	for f.run != nil {
		run := f.run
		f.mu.Unlock()
		<-run.done
		f.mu.Lock()
	}
}

// shut releases all memory and closes the base.
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
