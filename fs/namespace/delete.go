package namespace

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/s3mount/s3mount/fs/entry"
	"github.com/s3mount/s3mount/s3"
)

// deletion is a name that is gone in this mount and may still be in S3.
//
//	queued ──flush──> sent ──ok──> done
//	   ↑                   ├─failed─> done, the name is back
//	   └────later──────────┴─for a passing reason, with Options.Journaled
//
// One that is gathered is acknowledged when it is recorded, and is sent with the
// next batch; for any other the caller waits until it is done.
type deletion struct {
	entry Entry
	dir   string   // where a failure is reported
	etag  string   // if set, only this version is to go
	none  bool     // a directory without marker: nothing to delete
	kept  *keeping // its marker was on its way when it was removed
	// gather says that the caller does not wait: S3 gets it with the next batch.
	gather bool
	// acknowledged says that the caller has been told that the name is gone. Changes
	// that come after that wait until S3 has executed it.
	acknowledged bool
	sent         bool
	done         chan struct{}
	err          error // set before done is closed
}

// deleter gathers deletions into DeleteObjects.
type deleter struct {
	n      *Namespace
	slots  chan struct{} // batches under way
	queue  []*deletion
	timer  *time.Timer
	proven proven
	errs   map[string]error // first failure by directory, until it is reported
}

const (
	// deleteBatches is how many DeleteObjects run at once: each holds up to
	// 1000 keys, so that more would not make rm faster.
	deleteBatches = 4
	// maxQueued is where an unlink waits for the batches before it.
	maxQueued = 20 * s3.MaxListKeys
)

func (d *deleter) init(n *Namespace) {
	d.n = n
	d.slots = make(chan struct{}, deleteBatches)
	d.errs = map[string]error{}
}

// Unlink removes a file. S3 has executed the delete when it returns, unless the
// caller keeps the removal in a journal (Options.Journaled). The error is ErrIsDir
// for a directory.
func (n *Namespace) Unlink(ctx context.Context, dir Entry, text string, e Entry) error {
	return n.unlink(ctx, text, &deletion{entry: e, gather: n.o.Journaled})
}

// UnlinkInRun is Unlink for a file of many that one program removes one after the
// other: S3 gets the delete with the next batch. The removal is recorded in the state
// directory. Every later change of the mount waits for it, as do Rmdir, FlushDir
// and Drain, which report what fails. The first delete of a mount waits for S3, so
// that a missing permission shows at once, and so does each with Options.DeleteSync.
// Each waits as well where the server does not compare versions: a delete that
// comes later could hit what another client has written since.
func (n *Namespace) UnlinkInRun(ctx context.Context, dir Entry, text string, e Entry) error {
	return n.unlink(ctx, text, &deletion{entry: e, gather: n.o.Journaled || n.store.DeletesCompare(ctx, n.o.Bucket)})
}

func (n *Namespace) unlink(ctx context.Context, text string, d *deletion) error {
	if d.entry.Kind == Directory {
		return fmt.Errorf("unlink %q: %w", text, ErrIsDir)
	}
	if err := n.remove(ctx, d); err != nil {
		return fmt.Errorf("unlink %q: %w", d.entry.Key, err)
	}
	return nil
}

// remove hides a name and queues its deletion. It waits for S3 unless the deletion
// is gathered.
func (n *Namespace) remove(ctx context.Context, d *deletion) error {
	if !d.gather && d.entry.Kind != Directory { // that of a directory goes with its content
		if err := n.waitAcknowledged(ctx); err != nil {
			return err
		}
	}
	if again := n.hide(d); again != nil {
		if d.gather {
			return nil // what was made again since is not in S3 yet
		}
		return n.waitDeleted(ctx, d.entry.ID())
	}
	if d.acknowledged && n.record(d) {
		return nil
	}
	n.flushDeletes()
	err := d.wait(ctx)
	n.reported(d)
	return err
}

// hide queues a deletion, and decides whether it is acknowledged at once. If one of
// the same name is under way, hide returns that.
func (n *Namespace) hide(d *deletion) (again *deletion) {
	e := d.entry
	d.dir, _ = n.keys.RowOf(e)
	d.done = make(chan struct{})
	n.mu.Lock()
	defer n.mu.Unlock()
	if again := n.hidden[e.ID()]; again != nil {
		return again
	}
	n.hidden[e.ID()] = d
	if d.none {
		d.none = n.known.IsImplicit(e.ID())
		d.kept = n.keeping[e.ID()]
	}
	n.note(entry.Change{Entry: e, Gone: true, Own: true})
	q := &n.deletes
	q.queue = append(q.queue, d)
	d.acknowledged = d.gather && !n.o.DeleteSync && (q.proven.anywhere || d.none || n.o.Journaled) && len(q.queue) <= maxQueued
	if d.acknowledged && d.etag == "" && e.Kind != Directory {
		d.etag = e.ETag // what another client writes from here on must stay
	}
	switch {
	case !d.acknowledged:
	case len(q.queue) >= s3.MaxListKeys:
		n.jobs.Go(func(context.Context) { n.flushDeletes() })
	case q.timer == nil:
		q.timer = time.AfterFunc(n.o.DeleteDelay, n.flushDeletes)
	}
	return nil
}

// waitAcknowledged sends the deletions that were acknowledged and waits for them, so
// that other clients see changes in the order in which they were made. With
// Options.Journaled there is no such order.
func (n *Namespace) waitAcknowledged(ctx context.Context) error {
	if n.o.Journaled {
		return nil
	}
	return n.waitFor(ctx, func(d *deletion) bool { return d.acknowledged })
}

// reported takes back the report of a deletion that the caller hears of.
func (n *Namespace) reported(d *deletion) {
	n.mu.Lock()
	defer n.mu.Unlock()
	select {
	case <-d.done:
		if d.err != nil && n.deletes.errs[d.dir] == d.err {
			delete(n.deletes.errs, d.dir)
		}
	default: // the caller has given up
	}
}

// wait waits until the deletion is in S3, or failed.
func (d *deletion) wait(ctx context.Context) error {
	select {
	case <-d.done:
		return d.err
	case <-ctx.Done():
		return fmt.Errorf("wait for delete: %w", context.Cause(ctx))
	}
}

// flushDeletes sends all that is queued.
func (n *Namespace) flushDeletes() {
	n.mu.Lock()
	defer n.mu.Unlock()
	q := &n.deletes
	if q.timer != nil {
		q.timer.Stop()
		q.timer = nil
	}
	if n.jobs.Context().Err() != nil {
		return
	}
	for len(q.queue) > 0 {
		k := min(len(q.queue), s3.MaxListKeys)
		batch := q.queue[:k:k]
		q.queue = q.queue[k:]
		for _, d := range batch {
			d.sent = true
		}
		n.jobs.Go(func(context.Context) {
			q.slots <- struct{}{}
			defer func() { <-q.slots }()
			n.deleteBatch(n.jobs.Context(), batch)
		})
	}
	q.queue = nil
}

// deleteBatch deletes in S3 what the batch holds. Before that it writes the
// markers of directories that would vanish with their last child.
func (n *Namespace) deleteBatch(ctx context.Context, batch []*deletion) {
	failed := n.keepDirs(ctx, batch)
	var objects []s3.ObjectID
	for _, d := range batch {
		if d.kept != nil {
			<-d.kept.done
			d.none = d.none && !d.kept.made
		}
		if !d.none && failed[n.keeper(d)] == nil {
			objects = append(objects, s3.ObjectID{Key: d.entry.Key, ETag: d.etag})
		}
	}
	indexes := n.indexesOf(batch)
	errs := n.deleteObjects(ctx, append(objects, indexes...))
	defer n.recorded(batch)
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, d := range batch {
		err := errs[d.entry.Key]
		if d.etag != "" && errors.Is(err, s3.ErrPreconditionFailed) {
			// Another wrote under the name since: that version stays.
			n.o.Logger.Info("the name was written again since it was removed; the new version stays", "key", d.entry.Key)
			err = nil
			defer n.forget(d.entry)
		}
		if kept := failed[n.keeperLocked(d)]; kept != nil {
			err = kept
		}
		if !n.retryDelete(d, err) {
			n.deleted(d, err)
		}
	}
}

// indexesOf returns the attribute indexes of the directories in a batch: they
// go together with them. One that could not be deleted does no harm.
func (n *Namespace) indexesOf(batch []*deletion) []s3.ObjectID {
	n.mu.Lock()
	defer n.mu.Unlock()
	var ids []s3.ObjectID
	for _, d := range batch {
		if d.entry.Kind == Directory {
			if key := n.index.Drop(d.entry.Key); key != "" {
				ids = append(ids, s3.ObjectID{Key: key})
			}
		}
	}
	return ids
}

// deleteObjects deletes objects and returns what failed, by key.
func (n *Namespace) deleteObjects(ctx context.Context, objects []s3.ObjectID) map[string]error {
	errs := map[string]error{}
	switch len(objects) {
	case 0:
	case 1:
		o := objects[0]
		_, err := n.store.Delete(ctx, &s3.DeleteInput{Bucket: n.o.Bucket, Key: o.Key, IfMatch: o.ETag})
		if err != nil && !errors.Is(err, s3.ErrNotFound) {
			errs[o.Key] = err
		}
	default:
		results, err := n.store.DeleteMulti(ctx, &s3.DeleteMultiInput{Bucket: n.o.Bucket, Objects: objects})
		told := make(map[string]bool, len(results))
		for _, r := range results {
			told[r.Key] = true
			if r.Err != nil && !errors.Is(r.Err, s3.ErrNotFound) {
				errs[r.Key] = r.Err
			}
		}
		for _, o := range objects {
			if err != nil && !told[o.Key] {
				errs[o.Key] = err
			}
		}
	}
	return errs
}

// deleted ends a deletion. If it failed, the name is back. n.mu is held.
func (n *Namespace) deleted(d *deletion, err error) {
	id := d.entry.ID()
	delete(n.hidden, id)
	d.err = err
	defer close(d.done)
	if err == nil {
		if !d.none {
			n.deletes.proven.in(d.dir)
		}
		n.note(entry.Change{Entry: d.entry, Gone: true, Own: true})
		return
	}
	n.o.Logger.Warn("delete failed, the name is back", "key", d.entry.Key, "err", err)
	if n.deletes.errs[d.dir] == nil {
		n.deletes.errs[d.dir] = err
	}
	n.forget(d.entry)
}

// waitBelow sends all deletions below a directory and waits for them.
func (n *Namespace) waitBelow(ctx context.Context, prefix string) error {
	return n.waitFor(ctx, func(d *deletion) bool { return strings.HasPrefix(d.entry.Key, prefix) })
}

// waitFor sends all deletions and waits for those that match.
func (n *Namespace) waitFor(ctx context.Context, match func(*deletion) bool) error {
	n.mu.Lock()
	var wait []*deletion
	for _, d := range n.hidden {
		if match(d) {
			wait = append(wait, d)
		}
	}
	n.mu.Unlock()
	if len(wait) == 0 {
		return nil
	}
	n.flushDeletes()
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
func (n *Namespace) takeError(dir string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	err := n.deletes.errs[dir]
	delete(n.deletes.errs, dir)
	return err
}

// WaitDeleted waits until S3 has executed all removals that were acknowledged, and
// no delete of a file's key is under way. fs calls it before it commits a file. The
// same goes for the marker of a directory of that name: servers that keep
// objects in files have no place for both.
func (n *Namespace) WaitDeleted(ctx context.Context, key string) error {
	if err := n.waitAcknowledged(ctx); err != nil {
		return err
	}
	dir, rel := n.keys.SplitFile(key)
	if err := n.waitDeleted(ctx, entry.RowID(dir, rel)); err != nil {
		return err
	}
	return n.waitDeleted(ctx, key+"/")
}

func (n *Namespace) waitDeleted(ctx context.Context, id string) error {
	n.mu.Lock()
	d := n.hidden[id]
	n.mu.Unlock()
	if d == nil {
		return nil
	}
	n.kickDeleted(id)
	select {
	case <-d.done:
		return nil // if it failed, the object is replaced all the same
	case <-ctx.Done():
		return fmt.Errorf("wait for delete of %q: %w", d.entry.Key, context.Cause(ctx))
	}
}

// kickDeleted sends what is queued if the deletion of id is part of it.
func (n *Namespace) kickDeleted(id string) {
	n.mu.Lock()
	d := n.hidden[id]
	queued := d != nil && !d.sent
	n.mu.Unlock()
	if queued {
		n.flushDeletes()
	}
}

// isHidden reports whether an entry is gone in this mount.
func (n *Namespace) isHidden(e Entry) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.hidden[e.ID()] == nil {
		return false
	}
	dir, rel := n.keys.RowOf(e)
	return n.pending.get(dir, rel) == nil // made again since
}

// FlushDir waits for the deletes in a directory and reports the first failure
// since the last report.
func (n *Namespace) FlushDir(ctx context.Context, dir Entry) error {
	base, _ := n.keys.Stem(dir)
	if err := n.waitBelow(ctx, base); err != nil {
		return fmt.Errorf("flush directory %q: %w", base, err)
	}
	if err := n.takeError(base); err != nil {
		return fmt.Errorf("flush directory %q: %w", base, err)
	}
	return nil
}

// Drain waits for everything that this package still has to write.
func (n *Namespace) Drain(ctx context.Context) error {
	if err := n.waitBelow(ctx, ""); err != nil {
		return fmt.Errorf("drain: %w", err)
	}
	if err := n.index.Drain(ctx); err != nil {
		return fmt.Errorf("drain: %w", err)
	}
	n.mu.Lock()
	errs := n.deletes.errs
	n.deletes.errs = map[string]error{}
	n.mu.Unlock()
	var all []error
	for dir, err := range errs {
		all = append(all, fmt.Errorf("delete in %q: %w", dir, err))
	}
	return errors.Join(all...)
}
