package fs

import (
	"errors"
	"log/slog"
	"sync"
	"syscall"

	"github.com/s3mount/s3mount/s3"
)

// errnoArchived is returned by all operations that need the bytes of an archived object:
// reading, appending and renaming. It differs from EACCES, because no permission helps.
const errnoArchived = syscall.ENODATA

// archiveHint logs the remedy for archived objects once.
type archiveHint struct{ once sync.Once }

// note logs the remedy if err is about an archived object.
func (h *archiveHint) note(log *slog.Logger, op string, err error) {
	var e *s3.Error
	if !errors.Is(err, s3.ErrArchived) || !errors.As(err, &e) {
		return
	}
	h.once.Do(func() {
		log.Warn("an object is archived: programs cannot read, change or rename it (ENODATA) until s3mount restore PATH has restored it",
			slog.String("op", op), slog.String("key", e.Key), slog.Any("error", err))
	})
}
