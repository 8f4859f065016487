package writeback

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/s3mount/s3mount/s3"
)

// attempt is an object that a commit may have made. The commit got no answer, and the HEAD after it
// failed, too. Without the attempt, the next commit would take that object for the version of
// another client.
type attempt struct {
	size   int64
	object s3.ObjectOptions
	print  s3.Fingerprint
	unseen bool // no HEAD has shown the object after the attempt
}

// record returns the attempt as the journal holds it.
func (a attempt) record() recordAttempt {
	return recordAttempt{Size: a.size, Object: a.object, Print: a.print}
}

// made reports whether the object is the result of the attempt.
func (r recordAttempt) made(info *s3.ObjectInfo) bool {
	return attempt{size: r.Size, object: r.Object, print: r.Print}.made(info)
}

// maxAttempts bounds the number of remembered attempts. Attempts with the same bytes count once.
// The program has got an error for each of them.
const maxAttempts = 16

// outcome calls Manager.outcome and remembers the attempt if its result is unknown.
func (f *File) outcome(ctx context.Context, t target, size int64, out *s3.PutOutput, err error,
	show func() (s3.Fingerprint, error)) (Version, error) {
	show = sync.OnceValues(show) // it may read all bytes that were sent
	v, err := f.m.outcome(ctx, t, size, out, err, show)
	if err != nil {
		f.remember(ctx, t, size, err, show)
	}
	return v, err
}

// remember adds an attempt that ended with err, if S3 may have made the object. show returns the
// fingerprint of the object.
func (f *File) remember(ctx context.Context, t target, size int64, err error, show func() (s3.Fingerprint, error)) {
	if ctx.Err() != nil || errors.Is(err, ErrConflict) || s3.IsCertain(err) {
		return
	}
	p, e := show()
	if e != nil {
		return // without a fingerprint it stays a conflict, and the bytes are kept
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	var unseen *unseenError
	a := attempt{size: size, object: t.object, print: p, unseen: errors.As(err, &unseen)}
	if i := slices.IndexFunc(f.attempts, func(b attempt) bool { return b.size == size && b.print == p }); i >= 0 {
		f.attempts[i].unseen = f.attempts[i].unseen || a.unseen
		return
	}
	f.attempts = append(f.attempts[max(0, len(f.attempts)+1-maxAttempts):], a)
}

// adoptAttempt reports whether an earlier commit of this file has made the version that r found. If
// so, it makes that version the base of r, because it has the content up to that commit, over the
// same ranges of the old base. It returns an error if the HEAD of the object fails.
func (f *File) adoptAttempt(ctx context.Context, r *run) (bool, error) {
	f.mu.Lock()
	tried := slices.Clone(f.attempts)
	f.mu.Unlock()
	if len(tried) == 0 {
		return false, nil
	}
	t := r.target()
	info, err := f.m.headKey(ctx, t)
	switch {
	case errors.Is(err, s3.ErrNotFound) && !errors.Is(err, s3.ErrNoSuchBucket):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("look at %q, which an earlier commit may have made: %w", t.key, err)
	}
	i := slices.IndexFunc(tried, func(a attempt) bool { return a.made(info) })
	if i < 0 {
		return false, nil
	}
	v := Version{Key: t.key, ETag: info.ETag, Size: info.Size, VersionID: info.VersionID,
		Date: info.LastModified, Object: tried[i].object}
	next := &base{v: v, r: f.m.o.OpenBase(v), owned: true, refs: 2} // references of the file and the snapshot
	f.mu.Lock()
	if f.state == stateDiscarded { // its content stays unchanged, over the old base
		f.mu.Unlock()
		next.close()
		return false, nil
	}
	done := []func(){r.snap.base.drop(), f.rebase(next, f.baseLen)}
	if f.stream == r.stream {
		f.abandon() // its copies come from the old base
	}
	r.snap.base, r.stream = next, nil
	f.exclusive, r.exclusive, f.attempts = false, false, nil
	f.mu.Unlock()
	for _, d := range done {
		d()
	}
	return true, nil
}

// made reports whether the object is the result of the attempt.
func (a attempt) made(info *s3.ObjectInfo) bool {
	made, _ := s3.Made(info, a.size, a.object.Metadata, func() (s3.Fingerprint, error) { return a.print, nil })
	return made
}
