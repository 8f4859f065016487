package writeback

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/s3mount/s3mount/s3"
)

// attempt is what a commit asked S3 to make of the file when it got no answer, nor
// could find out by a look at the object. S3 may have made it, then or later: the next
// commit, of newer bytes, would take that for the version of someone else.
type attempt struct {
	size   int64
	object s3.ObjectOptions
	print  fingerprint
}

// triedMost is how many attempts are remembered; those with the same bytes, as after a
// longer outage, count once. A program that closes a file so often without an answer has
// had an error from each close.
const triedMost = 16

// judge is the Manager's, and remembers the attempt where the outcome stays open.
func (f *File) judge(ctx context.Context, t target, size int64, out *s3.PutOutput, err error,
	show func() (fingerprint, error)) (Version, error) {
	show = sync.OnceValues(show) // it may read all that was sent
	v, err := f.m.judge(ctx, t, size, out, err, show)
	if err != nil {
		f.remember(ctx, t, size, err, show)
	}
	return v, err
}

// remember notes an attempt that ended with err, if S3 may have made the object
// all the same. show tells by what that can be known.
func (f *File) remember(ctx context.Context, t target, size int64, err error, show func() (fingerprint, error)) {
	if ctx.Err() != nil || errors.Is(err, ErrConflict) || certain(err) {
		return
	}
	p, e := show()
	if e != nil {
		return // then it stays a conflict, for which the bytes are kept
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if slices.ContainsFunc(f.tried, func(a attempt) bool { return a.size == size && a.print == p }) {
		return
	}
	a := attempt{size: size, object: t.object, print: p}
	f.tried = append(f.tried[max(0, len(f.tried)+1-triedMost):], a)
}

// metItself finds out whether the version that r met is one that an earlier commit of
// this file has made. Then that is the base of r: its content is what was written up
// to that commit, over the same ranges of the old base. The error is that the object
// could not be looked at; what it is remains open.
func (f *File) metItself(ctx context.Context, r *run) (bool, error) {
	f.mu.Lock()
	tried := slices.Clone(f.tried)
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
	next := &base{v: v, r: f.m.o.OpenBase(v), owned: true, refs: 2} // the file's and the snapshot's
	f.mu.Lock()
	if f.state == stateDiscarded { // its content stays what it is, over the old base
		f.mu.Unlock()
		next.close()
		return false, nil
	}
	done := []func(){r.snap.base.drop(), f.rebase(next, f.baseLen)}
	if f.stream == r.stream {
		f.abandon() // its copies were of the old base
	}
	r.snap.base, r.stream = next, nil
	f.exclusive, r.exclusive, f.tried = false, false, nil
	f.mu.Unlock()
	for _, d := range done {
		d()
	}
	return true, nil
}

// made tells whether an object is what the attempt was to make.
func (a attempt) made(info *s3.ObjectInfo) bool {
	return info.Size == a.size && carries(info.Metadata, a.object.Metadata) && a.print.match(info)
}
