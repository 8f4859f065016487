package writeback

import (
	"errors"
	"slices"

	"github.com/s3mount/s3mount/s3"
)

// refusedForGood reports whether S3 refuses this object permanently, so that the same request would be
// refused again. An error of the credentials, the clock or the bucket is not permanent, because somebody
// can repair it.
func refusedForGood(err error) bool {
	if err == nil || isAny(err, s3.ErrTransient, s3.ErrConflict, s3.ErrNoSuchBucket, s3.ErrExpiredCredentials,
		s3.ErrNoCredentials, s3.ErrClockSkew, s3.ErrRedirect) {
		return false
	}
	var answer *s3.Error
	if errors.As(err, &answer) {
		if slices.Contains([]string{"InvalidAccessKeyId", "InvalidToken", "SignatureDoesNotMatch"}, answer.Code) {
			return false
		}
		if answer.Status >= 400 && answer.Status < 500 {
			return true
		}
	}
	return isAny(err, ErrTooLarge, s3.ErrPreconditionFailed, s3.ErrForbidden, s3.ErrInvalidInput, s3.ErrTooLarge, s3.ErrNotImplemented)
}

func isAny(err error, targets ...error) bool {
	return slices.ContainsFunc(targets, func(target error) bool { return errors.Is(err, target) })
}

// isKept reports whether err means that the bytes of a file are in the recovery directory.
func isKept(err error) bool {
	return isAny(err, ErrConflict, ErrKept) && !errors.Is(err, errNotKept)
}

// giveUp ends a commit that S3 refuses permanently, if close(2) has acknowledged the content, so that no
// caller would get the error. It saves the content in the recovery directory, and no later commit is
// tried: every later call gets the same error, with cause in it. Otherwise it returns cause, which the
// close reports.
func (f *File) giveUp(r *run, cause error) error {
	kept := errors.Join(ErrKept, cause)
	f.mu.Lock()
	ours := f.state == stateCommitting && f.seq == r.snap.seq && f.isAcknowledged()
	if ours {
		f.step(eventConflict)
		f.staleCause = kept
	}
	f.mu.Unlock()
	if !ours {
		return cause
	}
	if err := f.keepStale(cause); err != nil {
		return errors.Join(kept, errNotKept, err)
	}
	return kept
}

// isAcknowledged reports whether close(2) has returned 0 for the content. The caller holds mu.
func (f *File) isAcknowledged() bool { return f.acknowledged || f.journal.holds(f.seq) }
