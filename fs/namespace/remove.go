package namespace

import (
	"context"
	"fmt"

	"github.com/s3mount/s3mount/fs/entry"
)

// remover is the part of a Namespace that removes files and directories. It checks what
// may be removed, and the queue sends the deletions.
type remover struct {
	*bucket
	view    *view
	objects *objects
	finder  *finder
	queue   *queue
}

// Unlink removes a file. S3 has executed the delete when it returns, unless the
// caller keeps the removal in a journal (Options.Journaled). The error is ErrIsDir
// for a directory.
func (r *remover) Unlink(ctx context.Context, dir entry.Entry, text string, e entry.Entry) error {
	return r.unlink(ctx, text, &deletion{entry: e, gather: r.o.Journaled})
}

// UnlinkInRun is Unlink for a file of many that one program removes one after the
// other: S3 gets the delete with the next batch. The removal is recorded in the state
// directory. Every later change of the mount waits for it, as do Rmdir, FlushDir
// and Drain, which report what fails. The first delete of a mount waits for S3, so
// that a missing permission shows at once, and so does each with Options.DeleteSync.
// Each waits as well where the server does not compare versions: a delete that
// comes later could hit what another client has written since.
func (r *remover) UnlinkInRun(ctx context.Context, dir entry.Entry, text string, e entry.Entry) error {
	return r.unlink(ctx, text, &deletion{entry: e, gather: r.o.Journaled || r.store.DeletesCompare(ctx, r.o.Bucket)})
}

func (r *remover) unlink(ctx context.Context, text string, d *deletion) error {
	if d.entry.Kind == entry.Directory {
		return fmt.Errorf("unlink %q: %w", text, ErrIsDir)
	}
	if err := r.queue.remove(ctx, d); err != nil {
		return fmt.Errorf("unlink %q: %w", d.entry.Key, err)
	}
	return nil
}

// FlushDir waits for the deletes in a directory and reports the first failure
// since the last report.
func (r *remover) FlushDir(ctx context.Context, dir entry.Entry) error {
	base, _ := r.keys.Stem(dir)
	if err := r.queue.waitBelow(ctx, base); err != nil {
		return fmt.Errorf("flush directory %q: %w", base, err)
	}
	if err := r.queue.takeError(base); err != nil {
		return fmt.Errorf("flush directory %q: %w", base, err)
	}
	return nil
}
