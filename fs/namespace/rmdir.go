package namespace

import (
	"context"
	"fmt"
	"time"

	"github.com/s3mount/s3mount/fs/entry"
	"github.com/s3mount/s3mount/fs/listing"
)

// Rmdir removes an empty directory. When it returns, S3 has executed the removal and
// the removals of the directory's content, unless the caller has a journal
// (Options.Journaled). The error is ErrNotEmpty, ErrNotDir, or the error of a delete in
// the directory.
func (r *remover) Rmdir(ctx context.Context, dir entry.Entry, text string, e entry.Entry) error {
	if err := r.rmdir(ctx, text, e, r.o.Journaled); err != nil || r.o.Journaled {
		return err
	}
	err := r.queue.waitAcknowledged(ctx)
	if err == nil {
		err = r.queue.waitBelow(ctx, e.Key)
	}
	if err == nil {
		err = r.queue.takeError(e.Key)
	}
	if err != nil {
		r.view.forget(e) // what could not be deleted keeps it
		return fmt.Errorf("rmdir %q: %w", e.Key, err)
	}
	return nil
}

// RmdirInRun is Rmdir for a directory of many that one program removes, as
// UnlinkInRun is Unlink.
func (r *remover) RmdirInRun(ctx context.Context, dir entry.Entry, text string, e entry.Entry) error {
	return r.rmdir(ctx, text, e, true)
}

func (r *remover) rmdir(ctx context.Context, text string, e entry.Entry, gather bool) error {
	if e.Kind != entry.Directory {
		return fmt.Errorf("rmdir %q: %w", text, ErrNotDir)
	}
	if _, stem := r.keys.Stem(e); stem != "" {
		return r.rmdirCont(ctx, text, e)
	}
	if err := r.queue.takeError(e.Key); err != nil {
		return fmt.Errorf("rmdir %q: an earlier delete in it failed: %w", e.Key, err)
	}
	explicit, err := r.mustBeEmpty(ctx, e.Key)
	if err != nil {
		return fmt.Errorf("rmdir %q: %w", e.Key, err)
	}
	if err := r.queue.remove(ctx, &deletion{entry: e, none: !explicit, gather: gather}); err != nil {
		return fmt.Errorf("rmdir %q: %w", e.Key, err)
	}
	return nil
}

// rmdirCont removes a directory of names that begin alike: it exists through
// them alone.
func (r *remover) rmdirCont(ctx context.Context, text string, e entry.Entry) error {
	l := r.finder.OpenDir(e)
	defer l.Close()
	_, more, err := l.Next(ctx)
	if more {
		err = ErrNotEmpty
	}
	if err != nil {
		return fmt.Errorf("rmdir %q: %w", text, err)
	}
	return nil
}

// emptyTrust is how long a listing proves that a directory is empty. rm -r
// lists, unlinks and removes within it and so needs no request for each
// directory. If another mount fills one in this moment, its files keep it.
const emptyTrust = 2 * time.Second

// mustBeEmpty returns ErrNotEmpty if a directory has children, and otherwise whether it
// has a marker. A complete and recent listing is sufficient if this mount has deleted
// all of its rows. If another mount has added a file in the meantime, only the marker
// is deleted, and the file keeps the directory.
func (r *remover) mustBeEmpty(ctx context.Context, key string) (explicit bool, err error) {
	if r.view.pending.below(key) {
		return false, ErrNotEmpty
	}
	if rows, complete, explicit := r.view.visible(key); complete && rows == 0 && r.view.known.JustListed(key, emptyTrust) {
		return explicit, nil
	}
	if err := r.queue.waitBelow(ctx, key); err != nil {
		return false, err
	}
	got, err := r.objects.fetcher.Ls(ctx, listing.Stretch{Dir: key, Max: 2})
	if err != nil {
		return false, err
	}
	for _, o := range got.Objects {
		if o.Key != key || o.Size > 0 {
			return false, ErrNotEmpty
		}
		explicit = true
	}
	return explicit, nil
}
