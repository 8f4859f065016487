package writeback

import (
	"context"
	"errors"
	"io"
	"slices"
	"time"
)

// journaled describes what the journal has of a file. The file's mu guards it.
type journaled struct {
	id       uint64 // 0: none yet
	seq      uint64 // of the content in the journal
	outdated bool   // the key or the properties have changed since
	// ends are files that f has replaced (Replace) and that no record has ended yet.
	ends []uint64
	// contains are changes that the next record ends (Contain).
	contains []uint64
}

// holds reports whether the journal has the content of seq.
func (j journaled) holds(seq uint64) bool { return j.id != 0 && j.seq >= seq && !j.outdated }

// Persist returns when the content survives the death of this process: it is in the journal, from which
// a commit soon carries it to S3 (linger.go), or in S3. Without a journal it is Commit. With
// --durability=journal, close(2) waits for Persist, and fsync(2) waits for Commit. Persist waits for a
// running commit of older content, so that the journal record builds on the content in S3. Persist
// returns the errors of Commit.
func (f *File) Persist(ctx context.Context) error {
	for {
		r, data, older, err := f.nextRecord()
		switch {
		case err != nil:
			return err
		case older != nil:
			select {
			case <-older.done: // nextRecord reports its error
			case <-ctx.Done():
				return ctx.Err()
			}
		case r != nil:
			return f.persist(ctx, r, data)
		default:
			return nil
		}
	}
}

// persist writes r to the journal, or commits the content if that fails.
func (f *File) persist(ctx context.Context, r *record, data *snapshot) error {
	err := errJournalFull
	if data != nil {
		err = f.m.journal.put(ctx, r, data.reader())
		data.free()
		f.persisted(r, err == nil)
	}
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case !errors.Is(err, errJournalFull):
		f.m.o.Logger.Warn("cannot write to the journal; this close waits for S3", "key", f.Key(), "error", err)
	}
	_, err = f.Commit(ctx)
	return err
}

// endReplaced ends the journal records of the files that f has replaced, when no record of f does: S3 has
// f, or nobody needs it.
func (f *File) endReplaced() {
	f.mu.Lock()
	ends := f.journal.ends
	f.journal.ends = nil
	f.mu.Unlock()
	for _, id := range ends {
		f.m.forget(id, f.Key())
	}
}

// nextRecord returns the record of the content and a snapshot with its data. It returns a commit of
// older content that must end first in older, and nothing if there is nothing to do. A record
// without data means that the file must go to S3 at once: there is no journal, the file is large or
// streams already, it is a copy of another object, or it has an SSE-C key, which must not be
// written to the disk.
func (f *File) nextRecord() (r *record, data *snapshot, older *run, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.takeErr(); err != nil {
		return nil, nil, nil, err
	}
	switch {
	case f.state == stateClean, f.state == stateDiscarded, f.journal.holds(f.seq):
		return nil, nil, nil, nil
	case f.state == stateStale:
		return nil, nil, nil, f.staleness()
	case f.state == stateClosed:
		return nil, nil, nil, ErrClosed
	case f.refusal != nil:
		return nil, nil, nil, f.refusal.err
	case f.m.journal == nil, f.stream != nil, f.base != nil && f.base.foreign, f.ext.total > journalMost, f.object.SSE.Customer != nil:
		return &record{}, nil, nil, nil
	case f.run != nil:
		return nil, nil, f.run, nil
	}
	if f.journal.id == 0 {
		f.journal.id = f.m.journal.newFile()
	}
	r = &record{Kind: recordFile, File: f.journal.id, Seq: f.seq, Time: time.Now(), Bucket: f.m.o.Bucket,
		Key: []byte(f.key), Replaces: f.replaces, BaseLen: f.baseLen, Size: f.size, Exclusive: f.exclusive, Object: f.object}
	if f.base != nil {
		v := f.base.v
		r.Base = &Version{ETag: v.ETag, Size: v.Size, VersionID: v.VersionID}
	}
	for _, a := range f.attempts {
		r.Attempts = append(r.Attempts, a.record())
	}
	data = f.snapshot(0, f.size)
	for _, e := range data.exts {
		r.Extents = append(r.Extents, recordExtent{Off: e.off, N: e.n, Zero: e.c == nil})
	}
	r.Ends = slices.Concat(f.journal.ends, f.journal.contains)
	f.journal.outdated = false
	return r, data, nil, nil
}

// persisted records whether the journal has r, and starts the commit of its content.
func (f *File) persisted(r *record, ok bool) {
	seq := r.Seq
	f.mu.Lock()
	if !ok {
		f.journal.outdated = true
		f.mu.Unlock()
		return
	}
	f.journal.seq = max(f.journal.seq, seq)
	ended := func(id uint64) bool { return slices.Contains(r.Ends, id) }
	f.journal.ends = slices.DeleteFunc(f.journal.ends, ended)
	f.journal.contains = slices.DeleteFunc(f.journal.contains, ended)
	saved := f.savedSeq
	if f.state == stateDirty {
		f.startSoon()
	}
	f.mu.Unlock()
	if saved >= seq { // a commit has finished earlier
		f.safe(saved)
	}
}

// reader returns a reader of the written bytes of all extents, in order.
func (s *snapshot) reader() io.Reader {
	var all []io.Reader
	for _, e := range s.exts {
		if e.c != nil {
			all = append(all, s.body(context.Background(), e.off, e.n))
		}
	}
	return io.MultiReader(all...)
}

// safe records in the journal that content up to seq is in S3 or in the recovery directory.
func (f *File) safe(seq uint64) {
	f.mu.Lock()
	j := f.journal
	f.mu.Unlock()
	if j.id == 0 || j.seq > seq {
		return
	}
	if err := f.m.journal.done(j.id, seq); err != nil {
		f.m.o.Logger.Warn("cannot record in the journal that a file was committed", "key", f.Key(), "error", err)
	}
}

// forgotten records in the journal that the file was unlinked.
func (f *File) forgotten() {
	f.endReplaced()
	f.mu.Lock()
	j := f.journal
	f.mu.Unlock()
	f.m.forget(j.id, f.Key())
}

// forget records in the journal that a file must not be committed any more.
func (m *Manager) forget(id uint64, key string) {
	if id == 0 {
		return
	}
	if err := m.journal.drop(id); err != nil {
		m.o.Logger.Error("cannot record in the journal that a file was deleted; the file may reappear after a crash",
			"key", key, "error", err)
	}
}
