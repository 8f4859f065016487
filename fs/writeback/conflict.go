package writeback

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"
)

// adoptOrResolve continues a commit that found another version. If an earlier commit of this file
// without an answer made that version, the commit builds on it.
func (f *File) adoptOrResolve(ctx context.Context, r *run, conflict error) (Version, error) {
	itself, err := f.adoptAttempt(ctx, r)
	if err != nil {
		return Version{}, err
	}
	if itself {
		v, err := f.upload(ctx, r)
		if !errors.Is(err, ErrConflict) {
			return v, err
		}
		conflict = err
	}
	return f.resolve(ctx, r, conflict)
}

// resolve applies the conflict policy to a commit that found another version. It returns
// ErrConflict unless the policy has overwritten the object.
func (f *File) resolve(ctx context.Context, r *run, conflict error) (Version, error) {
	f.m.conflicts.Add(1)
	switch f.m.o.Conflict {
	case ConflictOverwrite:
		f.dropStream(r)
		v, err := f.uploadWhole(ctx, r, target{key: r.key, object: r.object})
		if err == nil {
			f.m.o.Logger.Warn("a commit has overwritten the version of another client", "key", r.key)
			return v, nil
		}
		conflict = fmt.Errorf("%w; cannot overwrite it: %w", conflict, err)
	case ConflictKeepBoth:
		side := fmt.Sprintf("%s.conflict-%s", r.key, time.Now().UTC().Format(stampFormat))
		if _, err := f.uploadWhole(ctx, r, target{key: side, object: r.object, ifNoneMatch: "*"}); err == nil {
			f.m.o.Logger.Warn("another client has changed the object; the bytes of this mount are stored under another key",
				"key", r.key, "kept", side)
			if f.markStale(r) {
				f.safe(r.snap.seq)
				return Version{}, conflict
			}
		}
	}
	if f.makeStale() {
		if err := f.keepStale(conflict); err != nil {
			conflict = fmt.Errorf("%w; %w: %w", conflict, errNotKept, err)
		}
	}
	return Version{}, conflict
}

// keepStale keeps the content of a stale file. If that fails, Close tries again.
func (f *File) keepStale(conflict error) error {
	err := f.keep(conflict)
	f.mu.Lock()
	f.notSaved = err != nil
	f.mu.Unlock()
	if err == nil {
		f.safe(math.MaxUint64)
	}
	return err
}

// markStale marks a file whose bytes are safe elsewhere. It returns false if there are newer
// bytes, which are not safe.
func (f *File) markStale(r *run) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.state != stateCommitting || f.seq != r.snap.seq {
		return false
	}
	f.step(eventConflict)
	return true
}

// makeStale ends all writes and commits. It returns false for a discarded file, whose bytes
// nobody needs.
func (f *File) makeStale() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.state == stateDiscarded {
		return false
	}
	f.step(eventConflict)
	return true
}

// staleness returns the error of operations on a stale file. The caller holds mu.
func (f *File) staleness() error {
	if f.staleCause != nil {
		return f.staleCause
	}
	return ErrConflict
}

// Stale reports whether another client has changed the object, so that the content can no
// longer be committed.
func (f *File) Stale() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.state == stateStale
}

// Keep saves the content in the recovery directory because of cause, and logs the path or the
// loss. It does nothing if the content is saved already.
func (f *File) Keep(cause error) {
	f.mu.Lock()
	kept := f.keptSeq == f.seq
	f.mu.Unlock()
	if !kept {
		_ = f.keep(cause) // keep logs its result
	}
}

// keep saves the content in the recovery directory and logs the path.
func (f *File) keep(cause error) error {
	f.mu.Lock()
	snap := f.snapshot(0, f.size)
	key, seq, acknowledged := f.key, f.seq, f.isAcknowledged()
	f.mu.Unlock()
	defer snap.free()
	log := f.m.o.Logger.With("key", key, "bytes", snap.end, "cause", cause)
	path, missing, err := snap.save(f.m.ctx, f.m.o.RecoveryDir, key)
	if err != nil {
		log.Error("cannot commit the bytes and cannot save them in the recovery directory", "error", err)
		return err
	}
	f.m.recover.Add(1)
	if acknowledged {
		f.m.broken.Add(1)
	}
	f.mu.Lock()
	f.keptSeq = seq
	f.mu.Unlock()
	if len(missing) > 0 {
		log.Error("cannot commit the bytes; the written ranges are saved in a recovery file, with holes for the ranges of the replaced version",
			"path", path, "holes", path+missingSuffix)
		return nil
	}
	log.Error("cannot commit the bytes; they are saved in a recovery file", "path", path)
	return nil
}
