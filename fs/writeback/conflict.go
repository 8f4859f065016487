package writeback

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"
)

// meet goes on with a commit that met another version: if that is one of this file's own
// commits, of which no answer came, it is built on.
func (f *File) meet(ctx context.Context, r *run, conflict error) (Version, error) {
	itself, err := f.metItself(ctx, r)
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

// resolve does what the policy says with a commit that met another version.
// Its error is ErrConflict unless the object was overwritten.
func (f *File) resolve(ctx context.Context, r *run, conflict error) (Version, error) {
	f.m.conflicts.Add(1)
	switch f.m.o.Conflict {
	case ConflictOverwrite:
		f.dropStream(r)
		v, err := f.uploadWhole(ctx, r, target{key: r.key, object: r.object})
		if err == nil {
			f.m.o.Logger.Warn("overwrote a version that someone else wrote", "key", r.key)
			return v, nil
		}
		conflict = fmt.Errorf("%w; overwriting failed: %w", conflict, err)
	case ConflictKeepBoth:
		side := fmt.Sprintf("%s.conflict-%s", r.key, time.Now().UTC().Format(stampFormat))
		if _, err := f.uploadWhole(ctx, r, target{key: side, object: r.object, ifNoneMatch: "*"}); err == nil {
			f.m.o.Logger.Warn("someone else wrote the object; the bytes of this mount are beside it",
				"key", r.key, "kept", side)
			if f.stale(r) {
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

// keepStale keeps the content of a file that is stale. If that fails Close tries again.
func (f *File) keepStale(conflict error) error {
	err := f.keep(conflict)
	f.mu.Lock()
	f.unkept = err != nil
	f.mu.Unlock()
	if err == nil {
		f.safe(math.MaxUint64)
	}
	return err
}

// stale marks a file whose bytes are safe elsewhere. It returns false when
// there are newer ones, which are not.
func (f *File) stale(r *run) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.state != stateCommitting || f.seq != r.snap.seq {
		return false
	}
	f.step(eventConflict)
	return true
}

// makeStale ends all writes and commits. It returns false for a discarded file,
// whose bytes nobody wants.
func (f *File) makeStale() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.state == stateDiscarded {
		return false
	}
	f.step(eventConflict)
	return true
}

// staleness returns the error of operations on a file that is stale; the caller
// holds mu.
func (f *File) staleness() error {
	if f.lost != nil {
		return f.lost
	}
	return ErrConflict
}

// Stale tells whether someone else has changed the object, so that the content can
// no longer be committed.
func (f *File) Stale() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.state == stateStale
}

// Keep saves the content in the recovery directory, because cause keeps it from S3,
// and logs how to get it, or that it is lost. What is there already is not saved again.
func (f *File) Keep(cause error) {
	f.mu.Lock()
	kept := f.kept == f.seq
	f.mu.Unlock()
	if !kept {
		_ = f.keep(cause) // logged there
	}
}

// keep saves the content in the recovery directory and logs how to get it.
func (f *File) keep(cause error) error {
	f.mu.Lock()
	snap := f.snapshot(0, f.size)
	key, seq, acknowledged := f.key, f.seq, f.isAcknowledged()
	f.mu.Unlock()
	defer snap.free()
	log := f.m.o.Logger.With("key", key, "bytes", snap.end, "cause", cause)
	path, missing, err := snap.save(f.m.ctx, f.m.o.RecoveryDir, key)
	if err != nil {
		log.Error("bytes could not be committed, and not be kept either", "error", err)
		return err
	}
	f.m.recover.Add(1)
	if acknowledged {
		f.m.broken.Add(1)
	}
	f.mu.Lock()
	f.kept = seq
	f.mu.Unlock()
	if len(missing) > 0 {
		log.Error("bytes could not be committed; what was written is kept, with holes where the replaced version was: copy it from",
			"path", path, "holes", path+missingSuffix)
		return nil
	}
	log.Error("bytes could not be committed; they are kept: copy them back from", "path", path)
	return nil
}
