package fs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/s3mount/s3mount/fs/entry"
	"github.com/s3mount/s3mount/fs/namespace"
	"github.com/s3mount/s3mount/fs/writeback"
	"github.com/s3mount/s3mount/s3"
)

// With a journal, changes of names and attributes are recorded in it before they are
// acknowledged, so that the next mount can finish them if this one is killed. The
// program then does not wait for the DELETE of an unlink or for attributes. A rename of
// an object in S3 is recorded, but the program waits for it.

// changeData is the part of a writeback.Change that belongs to this package.
type changeData struct {
	Kind entry.Kind
	Attr *entry.Attr `json:",omitempty"` // of ChangeAttr
	// Sent are attributes that a request under way was giving the object.
	Sent *entry.Attr `json:",omitempty"`
	// Over is the ETag of the object that a rename may replace.
	Over string `json:",omitempty"`
	// Doubt is set if a commit of the file was in progress, so that its version is not
	// known.
	Doubt bool `json:",omitempty"`
}

// doubtTime is how long after the record of an unlink the object may have been written
// by a PUT that was in progress. It allows for clocks that differ.
const doubtTime = time.Minute

// noter keeps changes of names and attributes in the journal until S3 has executed them.
type noter struct{ *services }

// note records a change in the journal. It returns nil if the mount has no journal, or
// if the journal cannot be written, which it logs.
func (f *noter) note(c writeback.Change, d changeData) *writeback.JournaledChange {
	if f.o.Durability != durabilityJournal {
		return nil
	}
	return f.record(c, d)
}

// record writes a change into the journal. It logs an error and then returns nil.
func (f *noter) record(c writeback.Change, d changeData) *writeback.JournaledChange {
	var noted *writeback.JournaledChange
	var err error
	if c.Data, err = json.Marshal(d); err == nil {
		noted, err = f.writes.JournalChange(c)
	}
	if err != nil {
		f.log.Warn("cannot write to the journal; a change waits for S3", slog.String("key", c.Key), slog.Any("error", err))
	}
	return noted
}

// noteRemoval records the removal of n. The caller has the turn of n.
func (f *noter) noteRemoval(n *inode) *writeback.JournaledChange {
	n.lock()
	e, saved, file := n.Entry(), n.IsStored(), n.file
	n.unlock()
	doubt := file != nil && file.Committing()
	if !saved && !doubt {
		return nil // there is no object
	}
	return f.note(writeback.Change{Kind: writeback.ChangeRemove, Key: e.Key, ETag: e.ETag}, changeData{Kind: e.Kind, Doubt: doubt})
}

// whenDeleted ends the record of a removal when S3 has executed it. If the mount has a
// journal, but the removal has no record, whenDeleted waits for S3.
func (f *noter) whenDeleted(ctx context.Context, e entry.Entry, noted *writeback.JournaledChange) error {
	switch {
	case f.o.Durability != durabilityJournal:
		return nil
	case noted == nil:
		return f.ns.AwaitDelete(ctx, e)
	}
	f.watchDelete(e, noted)
	return nil
}

// watchDelete ends a record when S3 has executed the delete of e.
func (f *noter) watchDelete(e entry.Entry, noted *writeback.JournaledChange) {
	if noted == nil {
		return
	}
	f.watching.Go(func() {
		// If the delete has failed permanently, the name exists again, and the
		// namespace has logged the error.
		if err := f.ns.AwaitDelete(f.life, e); !errors.Is(err, context.Canceled) {
			noted.Done()
		}
	})
}

// noteRename records the rename of a file in S3. The namespace records renames of
// directories.
func (f *noter) noteRename(in namespace.RenameInput) *writeback.JournaledChange {
	if in.Old.Kind == entry.Directory {
		return nil
	}
	key, err := f.ns.NewFileKey(in.NewDir, in.NewName)
	if err != nil {
		return nil // the rename will return the same error
	}
	d := changeData{Kind: in.Old.Kind}
	if in.New != nil {
		d.Over = in.New.ETag
	}
	return f.note(writeback.Change{Kind: writeback.ChangeRename, Key: in.Old.Key, To: key, ETag: in.Old.ETag}, d)
}

// noteRest replaces the record of a rename after the copy. The rest is the removal of
// the old name, which does not depend on later writes to the new one.
func (f *noter) noteRest(old entry.Entry, noted *writeback.JournaledChange) *writeback.JournaledChange {
	if noted == nil {
		return nil
	}
	rest := f.note(writeback.Change{Kind: writeback.ChangeRemove, Key: old.Key, ETag: old.ETag}, changeData{Kind: old.Kind})
	if rest == nil {
		return noted
	}
	noted.Done()
	return rest
}

// isRetryable reports whether an operation that failed with err is in the journal and
// may succeed later.
func (f *noter) isRetryable(ctx context.Context, err error) bool {
	return err != nil && f.o.Durability == durabilityJournal && (errors.Is(err, s3.ErrTransient) || ctx.Err() != nil)
}

// finishChange executes a change that a killed mount has recorded.
func (f *noter) finishChange(ctx context.Context, c writeback.Change) error {
	var d changeData
	if err := json.Unmarshal(c.Data, &d); err != nil {
		return fmt.Errorf("decode a change of %q: %w", c.Key, err)
	}
	e := entry.Entry{Key: c.Key, Kind: d.Kind, ETag: c.ETag}
	switch c.Kind {
	case writeback.ChangeRemove:
		if d.Doubt {
			e.ETag = ""
		}
		return f.ns.FinishRemove(ctx, e, c.Time.Add(doubtTime))
	case writeback.ChangeRename:
		return f.ns.FinishRename(ctx, e, c.To, d.Over)
	case writeback.ChangeAttr:
		if d.Attr == nil {
			return nil
		}
		return f.finishAttrs(ctx, e, d)
	}
	return fmt.Errorf("change of %q: unknown kind %q", c.Key, c.Kind)
}
