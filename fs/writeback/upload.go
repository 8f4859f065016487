package writeback

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/s3mount/s3mount/s3"
)

// target is the destination of a commit and its conditions.
type target struct {
	key                  string
	object               s3.ObjectOptions
	ifMatch, ifNoneMatch string
}

// target returns the destination of r. The condition is the version of the base, the absence of the
// object, or none (P3).
func (r *run) target() target {
	t := target{key: r.key, object: r.object}
	switch {
	case r.snap.base != nil && !r.snap.base.foreign:
		t.ifMatch = r.snap.base.v.ETag
	case r.exclusive:
		t.ifNoneMatch = "*"
	}
	return t
}

// upload writes the object of r. A missing upload or part does not mean that the file is absent (P10).
func (f *File) upload(ctx context.Context, r *run) (Version, error) {
	v, err := f.choose(ctx, r)
	if errors.Is(err, s3.ErrNotFound) && !errors.Is(err, s3.ErrNoSuchBucket) && !errors.Is(err, ErrConflict) {
		err = fmt.Errorf("%w: %v", s3.ErrTransient, err)
	}
	return v, err
}

// choose writes the object of r in the way that moves the fewest bytes.
func (f *File) choose(ctx context.Context, r *run) (Version, error) {
	t := r.target()
	if r.stream != nil {
		return f.finishStream(ctx, r, t)
	}
	if r.snap.base == nil {
		return f.uploadWhole(ctx, r, t)
	}
	return f.uploadChanged(ctx, r, t)
}

// uploadChanged writes content that is built on a base. S3 copies the long unchanged ranges.
func (f *File) uploadChanged(ctx context.Context, r *run, t target) (Version, error) {
	size := r.size()
	parts, z, err := f.layOut(ctx, r, t, func(holes []span) []part {
		return f.m.limits.planParts(size, r.snap.kept(), holes)
	})
	if err != nil {
		return Version{}, err
	}
	defer z.free()
	if saved := size - sent(parts); size <= 2*f.m.limits.part && saved <= f.m.limits.part {
		return f.put(ctx, r, t) // one request; an upload takes three round trips
	}
	v, err := f.multipart(ctx, r, t, parts)
	return v, f.lostBase(ctx, r, err)
}

// uploadWhole sends all bytes of r except long holes. It copies nothing from the base.
func (f *File) uploadWhole(ctx context.Context, r *run, t target) (Version, error) {
	if r.size() <= f.m.limits.size(1) {
		return f.put(ctx, r, t)
	}
	parts, z, err := f.layOut(ctx, r, t, func(holes []span) []part {
		if holes == nil {
			return f.m.limits.streamParts(r.size())
		}
		return f.m.limits.planParts(r.size(), nil, holes)
	})
	if err != nil {
		return Version{}, err
	}
	defer z.free()
	return f.multipart(ctx, r, t, parts)
}

// lostBase sends a HEAD to find out whether err is the result of a replaced base, because the error
// of a copy or a read does not show it reliably.
func (f *File) lostBase(ctx context.Context, r *run, err error) error {
	var read *baseError
	if err == nil || errors.Is(err, ErrConflict) || ctx.Err() != nil || r.snap.base == nil ||
		!errors.As(err, &read) && !errors.Is(err, s3.ErrPreconditionFailed) && !errors.Is(err, s3.ErrNotFound) {
		return err
	}
	at := r.target()
	at.key = r.snap.base.v.Key
	info, headErr := f.m.headKey(ctx, at)
	switch {
	case errors.Is(headErr, s3.ErrNotFound) && !errors.Is(headErr, s3.ErrNoSuchBucket),
		headErr == nil && info.ETag != r.snap.base.v.ETag:
		return fmt.Errorf("%w: %w", ErrConflict, err)
	}
	return err
}

// put writes r with one PUT. It first reads the bytes of the base that r keeps.
func (f *File) put(ctx context.Context, r *run, t target) (Version, error) {
	if err := r.snap.fetchKept(ctx); err != nil {
		return Version{}, f.lostBase(ctx, r, fmt.Errorf("read the content of %q: %w", t.key, err))
	}
	defer r.snap.freeKept()
	if err := f.enter(r); err != nil {
		return Version{}, err
	}
	var out *s3.PutOutput
	b := r.snap.body(ctx, 0, r.size())
	err := f.m.data(ctx, b, func(ctx context.Context) (err error) {
		out, err = f.m.store.Put(ctx, &s3.PutInput{Bucket: f.m.o.Bucket, Key: t.key, Body: b, Size: r.size(),
			ObjectOptions: t.object, IfMatch: t.ifMatch, IfNoneMatch: t.ifNoneMatch})
		return err
	})
	if err != nil && b.err != nil { // the error is ours: the server never had the bytes
		return Version{}, f.lostBase(ctx, r, fmt.Errorf("read the content of %q: %w", t.key, b.err))
	}
	return f.outcome(ctx, t, r.size(), out, err, func() (s3.Fingerprint, error) {
		return s3.FingerprintOf(r.snap.body(ctx, 0, r.size()))
	})
}

// metTries is the number of uploads whose completion may collide with another writer. The server
// then reports a failed condition.
const metTries = 3

// multipart writes r as parts. After a completion that collided with another writer, S3 requires a
// new upload (https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html).
func (f *File) multipart(ctx context.Context, r *run, t target, parts []part) (Version, error) {
	for try := 1; ; try++ {
		v, err := f.uploadParts(ctx, r, t, parts)
		if try == metTries || ctx.Err() != nil || !errors.Is(err, s3.ErrConflict) {
			return v, err
		}
	}
}

// uploadParts uploads the parts, in parallel as far as the connections allow.
func (f *File) uploadParts(ctx context.Context, r *run, t target, parts []part) (Version, error) {
	if parts == nil {
		return Version{}, ErrTooLarge
	}
	copies := slices.ContainsFunc(parts, func(p part) bool { return p.copied || p.zero })
	id, err := f.m.createUpload(ctx, t.key, t.object, copies)
	if err != nil {
		return Version{}, err
	}
	sent, err := f.m.sendParts(ctx, id, r.snap, parts, nil, t.object.SSE.Customer)
	if err == nil {
		err = f.enter(r)
	}
	if err != nil {
		f.m.background(func() { f.m.abortUpload(id) })
		return Version{}, err
	}
	v, err := f.complete(ctx, id, t, r.size(), sent)
	if err != nil {
		f.m.background(func() { f.m.abortUpload(id) })
	}
	return v, err
}

// complete makes the object from the parts.
func (f *File) complete(ctx context.Context, id s3.UploadID, t target, size int64, parts []s3.Part) (Version, error) {
	m := f.m
	var out *s3.PutOutput
	err := m.call(ctx, nil, func(ctx context.Context) (err error) {
		out, err = m.store.CompleteUpload(ctx, &s3.CompleteUploadInput{Upload: id, Parts: slices.Clone(parts),
			IfMatch: t.ifMatch, IfNoneMatch: t.ifNoneMatch, SSE: t.object.SSE.Customer})
		return err
	})
	v, err := f.outcome(ctx, t, size, out, err, func() (s3.Fingerprint, error) { return s3.FingerprintOfParts(parts), nil })
	if err == nil {
		m.uploads.Add(-1)
		m.notes.remove(id)
	}
	return v, err
}

// finishStream completes the upload of a file that was being written. It sends the last part and
// the rewritten parts.
func (f *File) finishStream(ctx context.Context, r *run, t target) (Version, error) {
	s := r.stream
	<-s.created
	if s.failed != nil {
		return f.restart(ctx, r, t, s.failed)
	}
	if err := f.waitParts(ctx, s); err != nil {
		return Version{}, err
	}
	parts, z, err := f.layOut(ctx, r, t, func(holes []span) []part {
		return s.layout(f.m.limits, r.size(), r.streamed, holes)
	})
	if err != nil {
		return Version{}, err
	}
	defer z.free()
	if parts == nil {
		return Version{}, ErrTooLarge
	}
	r.own(parts)
	sent, err := f.m.sendParts(ctx, s.id, r.snap, parts, r.usable(parts), s.object.SSE.Customer)
	if err != nil {
		if errors.Is(err, s3.ErrNotFound) { // another client aborted the upload
			return f.restart(ctx, r, t, err)
		}
		return Version{}, f.lostBase(ctx, r, err)
	}
	if err := f.enter(r); err != nil {
		return Version{}, err
	}
	upload := t
	upload.object = s.object // the caller updates later properties: Version.Object
	v, err := f.complete(ctx, s.id, upload, r.size(), sent)
	switch {
	case errors.Is(err, ErrConflict), ctx.Err() != nil:
		return v, err
	case errors.Is(err, s3.ErrNotFound), errors.Is(err, s3.ErrInvalidInput), errors.Is(err, s3.ErrLostUpload), errors.Is(err, s3.ErrConflict):
		// The upload is gone, a part has been replaced by a late attempt, or the completion
		// collided with another writer.
		return f.restart(ctx, r, t, err)
	}
	return v, err
}

// own marks the parts that can no longer be copied because their range was written.
func (r *run) own(parts []part) {
	for i := range parts {
		if p := &parts[i]; p.copied {
			for _, e := range r.snap.exts {
				p.copied = p.copied && (e.end() <= p.off || e.off >= p.end())
			}
		}
	}
}

// usable returns the parts of the stream that hold r's bytes. No part is being sent.
func (r *run) usable(parts []part) map[int]s3.Part {
	r.snap.f.mu.Lock()
	defer r.snap.f.mu.Unlock()
	have := map[int]s3.Part{}
	for _, p := range parts {
		if sp := r.fresh[p.number]; sp != nil && sp.result != nil && sp.n == p.n {
			have[p.number] = *sp.result
		}
	}
	return have
}

// restart abandons the stream and sends all bytes again. It logs cause, which no caller gets.
func (f *File) restart(ctx context.Context, r *run, t target, cause error) (Version, error) {
	if ctx.Err() != nil {
		return Version{}, context.Cause(ctx)
	}
	f.m.o.Logger.Warn("an upload was lost; the whole file is sent again", "key", t.key, "error", cause)
	f.dropStream(r)
	if r.snap.base == nil {
		return f.uploadWhole(ctx, r, t)
	}
	return f.uploadChanged(ctx, r, t)
}

// dropStream ends the stream, because r uses another way.
func (f *File) dropStream(r *run) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.stream == r.stream {
		f.abandon()
	}
}
