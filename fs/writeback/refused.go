package writeback

import (
	"errors"
	"slices"

	"github.com/s3mount/s3mount/s3"
)

// refusedForGood tells whether err is an answer with which S3 refuses this one
// object, so that the same request would be refused again. An answer that concerns
// the credentials, the clock or the bucket is none: somebody will repair that.
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

// isKept tells whether err says that the bytes of a file are in the recovery directory.
func isKept(err error) bool {
	return isAny(err, ErrConflict, ErrKept) && !errors.Is(err, errNotKept)
}

// giveUp ends a commit that S3 refuses for good, if close(2) has acknowledged the
// content: nobody else would hear of it. The content goes to the recovery directory,
// and no later commit is tried. All other content is left to its close, which reports
// cause.
func (f *File) giveUp(r *run, cause error) error {
	f.mu.Lock()
	ours := f.state == stateCommitting && f.seq == r.snap.seq && f.isAcknowledged()
	if ours {
		f.step(eventConflict)
		f.lost = ErrKept
	}
	f.mu.Unlock()
	if !ours {
		return cause
	}
	if err := f.keepStale(cause); err != nil {
		return errors.Join(ErrKept, errNotKept, err, cause)
	}
	return errors.Join(ErrKept, cause)
}

// isAcknowledged tells whether close(2) has returned 0 for the content; the caller
// holds mu.
func (f *File) isAcknowledged() bool { return f.acknowledged || f.journal.holds(f.seq) }
