package namespace

import (
	"context"
	"errors"
	"fmt"

	"github.com/s3mount/s3mount/fs/entry"
	"github.com/s3mount/s3mount/s3"
)

// RenameInput says what to move where.
type RenameInput struct {
	OldDir, NewDir   Entry
	OldName, NewName string
	Old              Entry
	New              *Entry // what is there now, nil if nothing
	NoReplace        bool
	Open             []string // IDs of the entries below Old whose new entries are wanted
}

// RenameOutput tells what became of the source.
type RenameOutput struct {
	Entry Entry
	Moved map[string]Entry // of RenameInput.Open, by the old Entry.ID
}

// Rename moves a file or a directory. At every moment each object exists under
// at least one of its names. The errors are those of rename(2): ErrExists for
// NoReplace, ErrNotEmpty, ErrIsDir, ErrNotDir, ErrInvalid for a directory
// moved into itself, ErrStale if the source changed.
func (n *Namespace) Rename(ctx context.Context, in RenameInput) (RenameOutput, error) {
	out, err := n.rename(ctx, in)
	if err != nil {
		return RenameOutput{}, fmt.Errorf("rename %q to %q: %w", in.Old.Key, in.NewName, err)
	}
	return out, nil
}

func (n *Namespace) rename(ctx context.Context, in RenameInput) (RenameOutput, error) {
	nm, err := n.newName(in.NewDir, in.NewName)
	if err != nil {
		return RenameOutput{}, err
	}
	isDir := in.Old.Kind == Directory
	switch _, stem := n.keys.Stem(in.Old); {
	case in.NoReplace && in.New != nil:
		return RenameOutput{}, ErrExists
	case isDir && stem != "", isDir && !nm.directory(), !isDir && !nm.file():
		return RenameOutput{}, ErrInvalidName
	case in.New != nil && isDir && in.New.Kind != Directory:
		return RenameOutput{}, ErrNotDir
	case in.New != nil && !isDir && in.New.Kind == Directory:
		return RenameOutput{}, ErrIsDir
	case isDir:
		return n.renameDir(ctx, in, nm.key()+"/")
	}
	return n.renameFile(ctx, in, nm.key())
}

// renameFile copies the version that was seen and then deletes exactly it.
func (n *Namespace) renameFile(ctx context.Context, in RenameInput, key string) (RenameOutput, error) {
	old := in.Old
	if key == old.Key {
		return RenameOutput{Entry: old, Moved: map[string]Entry{}}, nil
	}
	if err := n.WaitDeleted(ctx, key); err != nil {
		return RenameOutput{}, err
	}
	if old, err := n.completeEntry(ctx, old); err == nil && entry.SameVersion(&old, &in.Old, true) {
		in.Old = old
	}
	old = in.Old
	if !old.Exact {
		from, _ := n.keys.SplitFile(old.Key)
		to, _ := n.keys.SplitFile(key)
		n.index.Follow(from, to)
	}
	if in.NoReplace {
		// Few servers enforce a condition on the target of a copy, so it is
		// looked at as late as can be.
		if _, err := n.head(ctx, key, false); err == nil {
			return RenameOutput{}, ErrExists
		} else if !errors.Is(err, s3.ErrNotFound) {
			return RenameOutput{}, err
		}
	}
	if in.New != nil {
		if err := n.mayReplace(ctx, old.Key); err != nil {
			return RenameOutput{}, err
		}
	} else if err := n.mayDelete(ctx, key); err != nil {
		return RenameOutput{}, err
	}
	e, err := n.copyTo(ctx, old, key, in.NoReplace)
	if err != nil {
		return RenameOutput{}, err
	}
	n.Committed(e)
	// A caller that does not want to wait any more is not heard at once: the file
	// has two names now.
	ctx, stop := n.settling(ctx)
	defer stop()
	// The first delete in a directory is waited for, so that the caller hears of a refusal.
	gather := n.o.Journaled && n.deletesIn(old.Key)
	if err := n.remove(ctx, &deletion{entry: old, etag: old.ETag, gather: gather}); err != nil {
		if in.New == nil && errors.Is(err, s3.ErrForbidden) {
			n.undoCopy(e)
		}
		return RenameOutput{}, fmt.Errorf("delete the old name: %w", err)
	}
	return RenameOutput{Entry: e, Moved: map[string]Entry{in.Old.ID(): e}}, nil
}

// copyTo copies the version of an entry to another key.
func (n *Namespace) copyTo(ctx context.Context, e Entry, key string, fresh bool) (Entry, error) {
	in := &s3.CopyInput{
		SrcBucket: n.o.Bucket, SrcKey: e.Key, SrcIf: s3.Conditions{IfMatch: e.ETag}, SrcSize: e.Size,
		Bucket: n.o.Bucket, Key: key,
	}
	if fresh {
		in.IfNoneMatch = "*"
	}
	out, err := n.store.Copy(ctx, in)
	switch {
	case err == nil:
		return n.copied(e, key, out), nil
	case !refused(err): // it may have been done, but for the answer
		n.mu.Lock()
		n.forget(Entry{Key: key, Kind: e.Kind})
		n.mu.Unlock()
		return Entry{}, err
	case !errors.Is(err, s3.ErrPreconditionFailed):
		return Entry{}, err
	case fresh:
		if _, herr := n.head(ctx, key, false); herr == nil {
			return Entry{}, ErrExists
		}
	}
	n.mu.Lock()
	n.forget(e)
	n.mu.Unlock()
	return Entry{}, ErrStale
}
