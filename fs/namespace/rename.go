package namespace

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/s3mount/s3mount/fs/entry"
	"github.com/s3mount/s3mount/s3"
)

// RenameInput says what to move where.
type RenameInput struct {
	OldDir, NewDir   entry.Entry
	OldName, NewName string
	Old              entry.Entry
	New              *entry.Entry // entry of the new name; nil if it is absent
	NoReplace        bool
	Open             []string // IDs of the entries below Old for RenameOutput.Moved
}

// RenameOutput contains the new entries.
type RenameOutput struct {
	Entry entry.Entry
	Moved map[string]entry.Entry // of RenameInput.Open, by the old Entry.ID
}

// renamer is the part of a Namespace that renames files and directories.
type renamer struct {
	*bucket
	view       *view
	objects    *objects
	attributes *attributes
	keeper     *keeper
	queue      *queue
	remover    *remover
}

// Rename renames a file or a directory. At every moment each object exists under at
// least one of its names. The errors correspond to rename(2): ErrExists for NoReplace,
// ErrNotEmpty, ErrIsDir, ErrNotDir, ErrInvalid if a directory is moved into itself, and
// ErrStale if the source has changed.
func (r *renamer) Rename(ctx context.Context, in RenameInput) (RenameOutput, error) {
	out, err := r.rename(ctx, in)
	if err != nil {
		return RenameOutput{}, fmt.Errorf("rename %q to %q: %w", in.Old.Key, in.NewName, err)
	}
	return out, nil
}

func (r *renamer) rename(ctx context.Context, in RenameInput) (RenameOutput, error) {
	nm, err := r.newName(in.NewDir, in.NewName)
	if err != nil {
		return RenameOutput{}, err
	}
	isDir := in.Old.Kind == entry.Directory
	switch _, stem := r.keys.Stem(in.Old); {
	case in.NoReplace && in.New != nil:
		return RenameOutput{}, ErrExists
	case isDir && stem != "", isDir && !nm.directory(), !isDir && !nm.file():
		return RenameOutput{}, ErrInvalidName
	case in.New != nil && isDir && in.New.Kind != entry.Directory:
		return RenameOutput{}, ErrNotDir
	case in.New != nil && !isDir && in.New.Kind == entry.Directory:
		return RenameOutput{}, ErrIsDir
	case isDir:
		return r.renameDir(ctx, in, nm.key()+"/")
	}
	return r.renameFile(ctx, in, nm.key())
}

// renameFile copies the version that was seen and then deletes exactly it.
func (r *renamer) renameFile(ctx context.Context, in RenameInput, key string) (RenameOutput, error) {
	old := in.Old
	if key == old.Key {
		return RenameOutput{Entry: old, Moved: map[string]entry.Entry{}}, nil
	}
	if err := r.queue.WaitDeleted(ctx, key); err != nil {
		return RenameOutput{}, err
	}
	if old, err := r.attributes.completeEntry(ctx, old); err == nil && entry.SameVersion(&old, &in.Old, true) {
		in.Old = old
	}
	old = in.Old
	if !old.Exact {
		from, _ := r.keys.SplitFile(old.Key)
		to, _ := r.keys.SplitFile(key)
		r.view.index.Follow(from, to)
	}
	if in.NoReplace {
		// Few servers enforce a condition on the target of a copy, so it is
		// looked at as late as can be.
		if _, err := r.objects.head(ctx, key, false); err == nil {
			return RenameOutput{}, ErrExists
		} else if !errors.Is(err, s3.ErrNotFound) {
			return RenameOutput{}, err
		}
	}
	if in.New != nil {
		if err := r.queue.permission.toReplace(ctx, old.Key); err != nil {
			return RenameOutput{}, err
		}
	} else if err := r.queue.permission.toDelete(ctx, key); err != nil {
		return RenameOutput{}, err
	}
	e, err := r.objects.copyTo(ctx, old, key, in.NoReplace)
	if err != nil {
		return RenameOutput{}, err
	}
	r.view.Committed(e)
	// The caller cannot interrupt the rename at once, because the file has two names now.
	ctx, stop := r.finishing(ctx)
	defer stop()
	// The first delete in a directory is waited for, so that the caller hears of a refusal.
	gather := r.o.Journaled && r.queue.permission.isProvenIn(old.Key)
	if err := r.queue.remove(ctx, &deletion{entry: old, etag: old.ETag, gather: gather}); err != nil {
		if in.New == nil && errors.Is(err, s3.ErrForbidden) {
			r.undoCopy(e)
		}
		return RenameOutput{}, fmt.Errorf("delete the old name: %w", err)
	}
	return RenameOutput{Entry: e, Moved: map[string]entry.Entry{in.Old.ID(): e}}, nil
}

// undoTime is how long the removal of a copy may take after a rename was refused.
const undoTime = time.Minute

// undoCopy removes the copy that a rename has made, in exactly that version, after S3
// has refused to delete the old name.
func (r *renamer) undoCopy(e entry.Entry) {
	ctx, stop := context.WithTimeout(r.jobs.Context(), undoTime)
	defer stop()
	for _, err := range r.objects.delete(ctx, []s3.ObjectID{{Key: e.Key, ETag: e.ETag}}) {
		r.o.Logger.Warn("the copy of a rename that was refused is left behind", "key", e.Key, "err", err)
	}
	r.view.forget(e)
}
