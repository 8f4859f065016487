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

// With a journal, what is done to names and attributes is noted there before
// the program is told that it is done, so that the next mount can finish it if
// this one is killed. Nobody waits for the DELETE of an unlink, nor for the
// attributes; a rename of what S3 holds is noted and waited for.

// changeData is what a writeback.Change has for this package.
type changeData struct {
	Kind entry.Kind
	Attr *entry.Attr `json:",omitempty"` // of ChangeAttr
	// Sent are attributes that a request under way was giving the object.
	Sent *entry.Attr `json:",omitempty"`
	// Over is the ETag of the object that a rename may replace.
	Over string `json:",omitempty"`
	// Doubt: a commit of the file was on its way, so that its version is not known.
	Doubt bool `json:",omitempty"`
}

// doubtTime is how long after an unlink was noted its file may seem to have been
// written: a PUT was on its way, and clocks differ.
const doubtTime = time.Minute

// noter keeps changes of names and attributes in the journal until S3 has executed them.
type noter struct{ *services }

// note writes a change into the journal of a mount with --durability=journal. It returns
// nil without one, and logs if the journal cannot be written.
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

// noteRemoval notes that n goes; the caller has its turn.
func (f *noter) noteRemoval(n *inode) *writeback.JournaledChange {
	n.lock()
	e, saved, file := n.Entry(), n.IsStored(), n.file
	n.unlock()
	doubt := file != nil && file.Committing()
	if !saved && !doubt {
		return nil // S3 has never heard of it
	}
	return f.note(writeback.Change{Kind: writeback.ChangeRemove, Key: e.Key, ETag: e.ETag}, changeData{Kind: e.Kind, Doubt: doubt})
}

// whenDeleted ends the note of a removal once S3 has executed it. Without a
// note, but with a journal, it waits for that.
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

// watchDelete ends a note once S3 has executed the delete of e.
func (f *noter) watchDelete(e entry.Entry, noted *writeback.JournaledChange) {
	if noted == nil {
		return
	}
	f.watching.Go(func() {
		// What has failed for good is back, and the namespace has told so.
		if err := f.ns.AwaitDelete(f.life, e); !errors.Is(err, context.Canceled) {
			noted.Done()
		}
	})
}

// noteRename notes a rename of a file that S3 holds. Those of directories have
// a record of their own in the namespace.
func (f *noter) noteRename(in namespace.RenameInput) *writeback.JournaledChange {
	if in.Old.Kind == entry.Directory {
		return nil
	}
	key, err := f.ns.NewFileKey(in.NewDir, in.NewName)
	if err != nil {
		return nil // the rename will fail of the same
	}
	d := changeData{Kind: in.Old.Kind}
	if in.New != nil {
		d.Over = in.New.ETag
	}
	return f.note(writeback.Change{Kind: writeback.ChangeRename, Key: in.Old.Key, To: key, ETag: in.Old.ETag}, d)
}

// noteRest notes what is left of a rename once the copy is there: the removal of
// the old name, whatever is written under the new one from now on.
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

// passing tells whether what failed with err may succeed later, and is in the
// journal until then.
func (f *noter) passing(ctx context.Context, err error) bool {
	return err != nil && f.o.Durability == durabilityJournal && (errors.Is(err, s3.ErrTransient) || ctx.Err() != nil)
}

// finishChange carries out a change that a mount noted and did not live to finish.
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
