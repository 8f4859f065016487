package fs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"github.com/s3mount/s3mount/fs/writeback"
)

// lifetime begins a mount with the replay of the journals, and ends it when S3 holds
// everything.
type lifetime struct {
	*services
	*noter
	*saver
	// gaveUp is the work that the last drain has left in the journal, or nil.
	gaveUp   atomic.Pointer[error]
	waiting  []writeback.Waiting // journals that recover has left; set before the first request
	patience time.Duration       // of drainAtEnd
}

// recover finishes the work of dead mounts before the first request: files and changes
// in their journals, and then their renames. So no program sees a state without
// something that was acknowledged. An error means that S3 does not accept the journals
// now. They stay for the next mount.
func (f *lifetime) recover(ctx context.Context) error {
	if !f.o.ReadOnly {
		if err := f.replay(ctx); err != nil {
			return err
		}
		if err := f.ns.Recover(ctx); err != nil {
			f.log.Warn("cannot finish the renames of an earlier mount yet", slog.Any("error", err))
		}
		// Listings that were made between two of these changes are outdated.
		f.ns.InvalidateAll()
		f.watching.Go(func() { f.abortOrphans(f.life) })
	}
	f.reportWaiting()
	return ctx.Err()
}

// replay executes the journals of dead mounts.
func (f *lifetime) replay(ctx context.Context) error {
	n, err := f.writes.Replay(ctx, f.finishChange)
	if n > 0 {
		f.log.Info("wrote the journal of an earlier mount to S3", slog.Int("records", n))
	}
	if err != nil {
		return fmt.Errorf("write the journal of an earlier mount to S3; it is kept: %w", err)
	}
	return nil
}

// abortOrphans aborts the uploads of dead mounts.
func (f *lifetime) abortOrphans(ctx context.Context) {
	n, err := f.writes.AbortOrphans(ctx)
	if err != nil {
		f.log.Warn("cannot abort uploads of an earlier mount yet", slog.Any("error", err))
	}
	if n > 0 {
		f.log.Info("aborted uploads that an earlier mount left behind", slog.Int("uploads", n))
	}
}

// reportWaiting logs the journals that this mount does not replay, and how to upload
// them.
func (f *lifetime) reportWaiting() {
	waiting, err := f.writes.Waiting()
	if err != nil {
		f.log.Warn("cannot read the journal of an earlier mount", slog.Any("error", err))
	}
	f.waiting = waiting
	for _, w := range waiting {
		f.log.Warn("files of an earlier mount wait in its journal, and this mount does not show them; to upload them, "+
			"mount the source that this line names, writable and with the same --state-dir",
			slog.Int("records", w.Records), slog.Int64("bytes", w.Bytes), slog.String("source", f.o.sourceOf(w.Prefix)), slog.String("journal", w.Dir))
	}
	if k := f.writes.Kept(); k.Files > 0 {
		f.log.Warn("files that could not be written to S3 are kept in the recovery directory until they are removed",
			slog.Int("files", k.Files), slog.Int64("bytes", k.Bytes), slog.String("path", k.Dir))
	}
}

// sourceOf returns the source of a mount of a prefix in the form of the command line.
func (o Options) sourceOf(prefix string) string {
	if prefix == "" {
		return o.Bucket
	}
	return o.Bucket + ":" + prefix
}

// stillWaiting returns the journals of dead mounts that are not replayed, without those
// that another mount has replayed since.
func (f *lifetime) stillWaiting() []writeback.Waiting {
	var left []writeback.Waiting
	for _, w := range f.waiting {
		if _, err := os.Stat(w.Dir); err == nil {
			left = append(left, w)
		}
	}
	return left
}

// unlessKept returns err, or nil if err means that S3 has refused data that were saved
// locally. Nothing is left to upload then, and kept reports them.
func unlessKept(err error) error {
	if errors.Is(err, writeback.ErrKept) {
		return nil
	}
	return err
}

// KeptError describes acknowledged data that S3 does not have although the mount has
// nothing left to upload. They are in the recovery directory, or in a journal that this
// mount does not replay.
type KeptError struct {
	Files   int // in the recovery directory
	Dir     string
	Waiting []writeback.Waiting
}

func (e *KeptError) Error() string {
	var errs []error
	if e.Files > 0 {
		errs = append(errs, fmt.Errorf("S3 does not take %d files that were closed; they are kept in %s", e.Files, e.Dir))
	}
	for _, w := range e.Waiting {
		errs = append(errs, fmt.Errorf("%d records of an earlier mount wait in the journal %s", w.Records, w.Dir))
	}
	return errors.Join(errs...).Error()
}

// kept returns a KeptError, or nil if S3 has everything.
func (f *lifetime) kept(waiting []writeback.Waiting) *KeptError {
	e := &KeptError{Files: int(f.writes.Stats().Broken), Dir: f.writes.Kept().Dir, Waiting: waiting}
	if e.Files == 0 && len(e.Waiting) == 0 {
		return nil
	}
	return e
}
