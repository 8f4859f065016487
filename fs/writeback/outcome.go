package writeback

import (
	"context"
	"errors"
	"fmt"

	"github.com/s3mount/s3mount/s3"
)

// outcome returns the version that the request t has made, from the answer of S3. An error does not
// prove that the object was not made: the answer may have been lost, and the retry of a conditional
// request then finds the object of the first attempt. Therefore outcome sends a HEAD and compares the
// object with the fingerprint that show returns.
func (m *Manager) outcome(ctx context.Context, t target, size int64, out *s3.PutOutput, err error,
	show func() (s3.Fingerprint, error)) (Version, error) {
	if err == nil && out.ETag != "" {
		return Version{Key: t.key, ETag: out.ETag, Size: size, VersionID: out.VersionID, Date: out.Date, Object: t.object}, nil
	}
	if err != nil && (ctx.Err() != nil || s3.IsCertain(err)) {
		return Version{}, fmt.Errorf("write %q: %w", t.key, err)
	}
	conditional := t.ifMatch != "" || t.ifNoneMatch != ""
	refused := conditional && (errors.Is(err, s3.ErrPreconditionFailed) || errors.Is(err, s3.ErrNotFound))
	info, headErr := m.headKey(ctx, t)
	switch {
	case errors.Is(headErr, s3.ErrNotFound) && !errors.Is(headErr, s3.ErrNoSuchBucket) && refused && t.ifMatch != "":
		return Version{}, fmt.Errorf("%w: %q was deleted", ErrConflict, t.key)
	case headErr != nil && err == nil:
		return Version{}, fmt.Errorf("the server answered without an ETag, look at %q: %w", t.key, headErr)
	case errors.Is(headErr, s3.ErrNotFound):
		return Version{}, fmt.Errorf("write %q: %w", t.key, err)
	case headErr != nil:
		return Version{}, fmt.Errorf("write %q: %w", t.key, &unseenError{err})
	}
	if err == nil {
		show = nil // the server has confirmed the bytes
	}
	made, printErr := s3.Made(info, size, t.object.Metadata, show)
	switch {
	case printErr != nil:
		return Version{}, fmt.Errorf("compare %q with the sent bytes: %w", t.key, printErr)
	case made:
		return Version{Key: t.key, ETag: info.ETag, Size: size, VersionID: info.VersionID, Date: info.LastModified, Object: t.object}, nil
	}
	if errors.Is(err, s3.ErrPreconditionFailed) && info.ETag != t.ifMatch {
		return Version{}, fmt.Errorf("%w: %q is %s now", ErrConflict, t.key, info.ETag)
	}
	if err == nil {
		err = errors.New("the server answered without an ETag and shows another object")
	}
	return Version{}, fmt.Errorf("write %q: %w", t.key, err)
}

// unseenError is the error of a request after which S3 could not show what is under the key.
type unseenError struct{ err error }

func (e *unseenError) Error() string { return e.err.Error() }
func (e *unseenError) Unwrap() error { return e.err }

// headKey sends a HEAD for the object at t.
func (m *Manager) headKey(ctx context.Context, t target) (info *s3.ObjectInfo, err error) {
	err = m.call(ctx, nil, func(ctx context.Context) (err error) {
		info, err = m.store.Head(ctx, &s3.HeadInput{Bucket: m.o.Bucket, Key: t.key, SSE: t.object.SSE.Customer})
		return err
	})
	return info, err
}
