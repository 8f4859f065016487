package namespace

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/s3mount/s3mount/fs/entry"
	"github.com/s3mount/s3mount/fs/lockorder"
	"github.com/s3mount/s3mount/s3"
)

// queue sends deletions to S3, many in one DeleteObjects, and keeps their failures until
// somebody hears of them.
type queue struct {
	*bucket
	view       *view
	objects    *objects
	keeper     *keeper
	removals   *removalLog
	permission *permission

	mu      lockorder.Mutex[lockorder.Queue]
	slots   chan struct{} // batches under way
	waiting []*deletion
	timer   *time.Timer
	errs    map[string]error // first failure by directory, until it is reported
}

const (
	// deleteBatches is how many DeleteObjects run at once: each holds up to
	// 1000 keys, so that more would not make rm faster.
	deleteBatches = 4
	// maxQueued is where an unlink waits for the batches before it.
	maxQueued = 20 * s3.MaxListKeys
)

func newQueue(ob *objects, k *keeper) *queue {
	return &queue{
		bucket: ob.bucket, view: ob.view, objects: ob, keeper: k, removals: newRemovalLog(ob.o.StateDir),
		permission: &permission{bucket: ob.bucket}, slots: make(chan struct{}, deleteBatches), errs: map[string]error{},
	}
}

// remove hides a name and queues its deletion. It waits for S3 unless the deletion
// is gathered.
func (q *queue) remove(ctx context.Context, d *deletion) error {
	if !d.gather && d.entry.Kind != entry.Directory { // the removal of a directory is sent with its content
		if err := q.waitAcknowledged(ctx); err != nil {
			return err
		}
	}
	if again := q.hide(d); again != nil {
		if d.gather {
			return nil // what was made again since is not in S3 yet
		}
		return q.waitDeleted(ctx, d.entry.ID())
	}
	if d.acknowledged && q.record(d) {
		return nil
	}
	q.flush()
	err := d.wait(ctx)
	q.reported(d)
	return err
}

// hide queues a deletion, and decides whether it is acknowledged at once. If one of
// the same name is under way, hide returns that.
func (q *queue) hide(d *deletion) (again *deletion) {
	e := d.entry
	d.dir, _ = q.keys.RowOf(e)
	d.done = make(chan struct{})
	q.mu.Lock()
	defer q.mu.Unlock()
	if again := q.view.hide(d); again != nil {
		return again
	}
	if d.none { // a marker that is on its way is known before it is not on its way any more
		d.kept = q.keeper.underWay(e.ID())
		d.none = q.view.known.IsImplicit(e.ID())
	}
	q.view.note(entry.Change{Entry: e, Gone: true, Own: true})
	q.waiting = append(q.waiting, d)
	d.acknowledged = d.gather && !q.o.DeleteSync && (q.permission.isProven() || d.none || q.o.Journaled) && len(q.waiting) <= maxQueued
	if d.acknowledged && d.etag == "" && e.Kind != entry.Directory {
		d.etag = e.ETag // what another client writes from here on must stay
	}
	switch {
	case !d.acknowledged:
	case len(q.waiting) >= s3.MaxListKeys:
		q.jobs.Go(func(context.Context) { q.flush() })
	case q.timer == nil:
		q.timer = time.AfterFunc(q.o.DeleteDelay, q.flush)
	}
	return nil
}

// waitAcknowledged sends the deletions that were acknowledged and waits for them, so
// that other clients see changes in the order in which they were made. With
// Options.Journaled there is no such order.
func (q *queue) waitAcknowledged(ctx context.Context) error {
	if q.o.Journaled {
		return nil
	}
	return q.waitFor(ctx, func(d *deletion) bool { return d.acknowledged })
}

// reported takes back the report of a deletion that the caller hears of.
func (q *queue) reported(d *deletion) {
	q.mu.Lock()
	defer q.mu.Unlock()
	select {
	case <-d.done:
		if d.err != nil && q.errs[d.dir] == d.err {
			delete(q.errs, d.dir)
		}
	default: // the caller has given up
	}
}

// flush sends all that is queued.
func (q *queue) flush() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.timer != nil {
		q.timer.Stop()
		q.timer = nil
	}
	if q.jobs.Context().Err() != nil {
		return
	}
	for len(q.waiting) > 0 {
		k := min(len(q.waiting), s3.MaxListKeys)
		batch := q.waiting[:k:k]
		q.waiting = q.waiting[k:]
		for _, d := range batch {
			d.sent = true
		}
		q.jobs.Go(func(context.Context) {
			q.slots <- struct{}{}
			defer func() { <-q.slots }()
			q.send(q.jobs.Context(), batch)
		})
	}
	q.waiting = nil
}

// send deletes the objects of the batch. Before that it writes the markers of
// directories that would vanish with their last child.
func (q *queue) send(ctx context.Context, batch []*deletion) {
	failed := q.keeper.keepDirs(ctx, batch)
	var objects []s3.ObjectID
	for _, d := range batch {
		if d.kept != nil {
			<-d.kept.done
			d.none = d.none && !d.kept.made
		}
		if !d.none && failed[q.view.keeperOf(d)] == nil {
			objects = append(objects, s3.ObjectID{Key: d.entry.Key, ETag: d.etag})
		}
	}
	indexes := q.indexesOf(batch)
	errs := q.objects.delete(ctx, append(objects, indexes...))
	defer q.recorded(batch)
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, d := range batch {
		err := errs[d.entry.Key]
		if d.etag != "" && errors.Is(err, s3.ErrPreconditionFailed) {
			// Another wrote under the name since: that version stays.
			q.o.Logger.Info("the name was written again since it was removed; the new version stays", "key", d.entry.Key)
			err = nil
			defer q.view.forget(d.entry)
		}
		if kept := failed[q.view.keeperOf(d)]; kept != nil {
			err = kept
		}
		if !q.retryDelete(d, err) {
			q.deleted(d, err)
		}
	}
}

// indexesOf returns the attribute indexes of the directories in a batch: they
// go together with them. One that could not be deleted does no harm.
func (q *queue) indexesOf(batch []*deletion) []s3.ObjectID {
	var ids []s3.ObjectID
	for _, d := range batch {
		if d.entry.Kind == entry.Directory {
			if key := q.view.index.Drop(d.entry.Key); key != "" {
				ids = append(ids, s3.ObjectID{Key: key})
			}
		}
	}
	return ids
}

// deleted ends a deletion. If it failed, the name is back. q.mu is held.
func (q *queue) deleted(d *deletion, err error) {
	d.err = err
	defer close(d.done)
	defer q.view.unhide(d) // when what S3 holds is known
	if err == nil {
		if !d.none {
			q.permission.proveIn(d.dir)
		}
		q.view.note(entry.Change{Entry: d.entry, Gone: true, Own: true})
		return
	}
	q.o.Logger.Warn("delete failed, the name is back", "key", d.entry.Key, "err", err)
	if q.errs[d.dir] == nil {
		q.errs[d.dir] = err
	}
	q.view.forget(d.entry)
}

// waitBelow sends all deletions below a directory and waits for them.
func (q *queue) waitBelow(ctx context.Context, prefix string) error {
	return q.waitFor(ctx, func(d *deletion) bool { return strings.HasPrefix(d.entry.Key, prefix) })
}

// waitFor sends all deletions and waits for the matching ones.
func (q *queue) waitFor(ctx context.Context, match func(*deletion) bool) error {
	q.mu.Lock() // match may access fields that q.mu guards
	wait := q.view.deletions(match)
	q.mu.Unlock()
	if len(wait) == 0 {
		return nil
	}
	q.flush()
	for _, d := range wait {
		select {
		case <-d.done: // a failure is reported by takeError
		case <-ctx.Done():
			return fmt.Errorf("wait for deletes: %w", context.Cause(ctx))
		}
	}
	return nil
}

// takeError returns the first failure of a delete in a directory, once.
func (q *queue) takeError(dir string) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	err := q.errs[dir]
	delete(q.errs, dir)
	return err
}

// WaitDeleted waits until S3 has executed all removals that were acknowledged, and
// no delete of a file's key is under way. fs calls it before it commits a file. The
// same goes for the marker of a directory of that name: servers that keep
// objects in files have no place for both.
func (q *queue) WaitDeleted(ctx context.Context, key string) error {
	if err := q.waitAcknowledged(ctx); err != nil {
		return err
	}
	dir, rel := q.keys.SplitFile(key)
	if err := q.waitDeleted(ctx, entry.RowID(dir, rel)); err != nil {
		return err
	}
	return q.waitDeleted(ctx, key+"/")
}

func (q *queue) waitDeleted(ctx context.Context, id string) error {
	d := q.view.deletionOf(id)
	if d == nil {
		return nil
	}
	q.kickDeleted(id)
	select {
	case <-d.done:
		return nil // if it failed, the object is replaced all the same
	case <-ctx.Done():
		return fmt.Errorf("wait for delete of %q: %w", d.entry.Key, context.Cause(ctx))
	}
}

// kickDeleted sends the queue if it contains the deletion of id.
func (q *queue) kickDeleted(id string) {
	q.mu.Lock()
	d := q.view.deletionOf(id)
	queued := d != nil && !d.sent
	q.mu.Unlock()
	if queued {
		q.flush()
	}
}

// takeErrors returns the first failure in each directory, once.
func (q *queue) takeErrors() error {
	q.mu.Lock()
	errs := q.errs
	q.errs = map[string]error{}
	q.mu.Unlock()
	var all []error
	for dir, err := range errs {
		all = append(all, fmt.Errorf("delete in %q: %w", dir, err))
	}
	return errors.Join(all...)
}

// deleteRetry is the pause before a delete that failed is tried again: s3 has
// tried for its own deadline before.
const deleteRetry = time.Second

// retryDelete puts a delete that failed for a passing reason back into the
// queue, if the caller keeps it on disk: its name is gone for good. q.mu is held.
func (q *queue) retryDelete(d *deletion, err error) bool {
	if err == nil || !q.o.Journaled || !d.gather || !errors.Is(err, s3.ErrTransient) || q.jobs.Context().Err() != nil {
		return false
	}
	q.o.Logger.Warn("delete failed, trying again", "key", d.entry.Key, "err", err)
	d.sent = false
	q.waiting = append(q.waiting, d)
	if q.timer == nil {
		q.timer = time.AfterFunc(deleteRetry, q.flush)
	}
	return true
}

// AwaitDelete returns when the delete of an entry that is under way has ended,
// with its error, or nil if there is none under way.
func (q *queue) AwaitDelete(ctx context.Context, e entry.Entry) error {
	if d := q.view.deletionOf(e.ID()); d != nil {
		return d.wait(ctx)
	}
	return nil
}
