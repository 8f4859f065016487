package namespace

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/s3mount/s3mount/s3"
)

// deleteRetry is the pause before a delete that failed is tried again: s3 has
// tried for its own deadline before.
const deleteRetry = time.Second

// retryDelete puts a delete that failed for a passing reason back into the
// queue, if the caller keeps it on disk: its name is gone for good. n.mu is held.
func (n *Namespace) retryDelete(d *deletion, err error) bool {
	if err == nil || !n.o.Journaled || !d.gather || !errors.Is(err, s3.ErrTransient) || n.jobs.Context().Err() != nil {
		return false
	}
	n.o.Logger.Warn("delete failed, trying again", "key", d.entry.Key, "err", err)
	d.sent = false
	q := &n.deletes
	q.queue = append(q.queue, d)
	if q.timer == nil {
		q.timer = time.AfterFunc(deleteRetry, n.flushDeletes)
	}
	return true
}

// AwaitDelete returns when the delete of an entry that is under way has ended,
// with its error, or nil if there is none under way.
func (n *Namespace) AwaitDelete(ctx context.Context, e Entry) error {
	n.mu.Lock()
	d := n.hidden[e.ID()]
	n.mu.Unlock()
	if d == nil {
		return nil
	}
	select {
	case <-d.done:
	default:
		select {
		case <-d.done:
		case <-ctx.Done():
			return fmt.Errorf("wait for delete of %q: %w", e.Key, context.Cause(ctx))
		}
	}
	return d.err
}

// FinishRemove removes what a mount that died has removed, if it is still the
// version of e, or any if that has no ETag. What was written after until, and a
// directory that was filled, stays.
func (n *Namespace) FinishRemove(ctx context.Context, e Entry, until time.Time) error {
	if e.Kind == Directory {
		explicit, err := n.mustBeEmpty(ctx, e.Key)
		if errors.Is(err, ErrNotEmpty) {
			return nil
		}
		if err == nil {
			err = n.remove(ctx, &deletion{entry: e, none: !explicit})
		}
		return err
	}
	now, err := n.head(ctx, e.Key, false)
	switch {
	case isAbsent(err):
		return nil
	case err != nil:
		return fmt.Errorf("look at what was removed: %w", err)
	case e.ETag != "" && now.ETag != e.ETag, now.LastModified.After(until):
		n.o.Logger.Info("what was removed was written again, it stays", "key", e.Key)
		return nil
	}
	if err := n.remove(ctx, &deletion{entry: now, etag: now.ETag}); err != nil {
		return fmt.Errorf("remove %q: %w", e.Key, err)
	}
	return nil
}

// FinishRename moves a file that a mount that died was renaming: the version of
// old goes to the key, where it may replace the version over. What was written
// since under either name stays.
func (n *Namespace) FinishRename(ctx context.Context, old Entry, key, over string) error {
	now, err := n.head(ctx, old.Key, false)
	switch {
	case isAbsent(err):
		return nil // it was finished
	case err != nil:
		return fmt.Errorf("look at what was renamed: %w", err)
	case now.ETag != old.ETag:
		n.o.Logger.Info("the old name of a rename was written again, it stays", "key", old.Key)
		return nil
	}
	there, err := n.head(ctx, key, false)
	if err != nil && !isAbsent(err) {
		return fmt.Errorf("look at the new name: %w", err)
	}
	copied := err == nil && sameBytes(now, there)
	if err == nil && !copied && there.ETag != over {
		n.o.Logger.Warn("the new name of a rename was written again, both stay", "old", old.Key, "new", key)
		return nil
	}
	if !copied {
		got, err := n.copyTo(ctx, now, key, false)
		if err != nil {
			return fmt.Errorf("copy %q to %q: %w", old.Key, key, err)
		}
		n.Committed(got)
	}
	if err := n.remove(ctx, &deletion{entry: now, etag: now.ETag}); err != nil {
		return fmt.Errorf("delete the old name %q: %w", old.Key, err)
	}
	return nil
}

// sameBytes tells whether there may be a copy of e: as large, not older, and
// with the same ETag unless one of the two was uploaded in parts.
func sameBytes(e, there Entry) bool {
	multipart := strings.Contains(e.ETag, "-") || strings.Contains(there.ETag, "-")
	return there.Size == e.Size && (there.ETag == e.ETag || multipart) && !there.LastModified.Before(e.LastModified)
}

// isAbsent tells whether err says that an object is not there.
func isAbsent(err error) bool {
	return errors.Is(err, s3.ErrNotFound) && !errors.Is(err, s3.ErrNoSuchBucket)
}
