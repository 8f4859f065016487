package namespace

import (
	"context"
	"fmt"

	"github.com/s3mount/s3mount/fs/entry"
	"github.com/s3mount/s3mount/fs/listing"
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
	entry entry.Entry
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

// wait waits until the deletion is in S3, or failed.
func (d *deletion) wait(ctx context.Context) error {
	select {
	case <-d.done:
		return d.err
	case <-ctx.Done():
		return fmt.Errorf("wait for delete: %w", context.Cause(ctx))
	}
}

// hide lets a name disappear until unhide. If it is hidden already, hide returns the
// deletion that hides it.
func (v *view) hide(d *deletion) (again *deletion) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if again := v.hidden[d.entry.ID()]; again != nil {
		return again
	}
	v.hidden[d.entry.ID()] = d
	return nil
}

// unhide ends hide. The name is shown again if S3 still has it.
func (v *view) unhide(d *deletion) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.hidden, d.entry.ID())
}

// deletionOf returns the deletion that hides the name with an Entry.ID, or nil.
func (v *view) deletionOf(id string) *deletion {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.hidden[id]
}

// deletions returns the deletions that match.
func (v *view) deletions(match func(*deletion) bool) []*deletion {
	v.mu.Lock()
	defer v.mu.Unlock()
	var out []*deletion
	for _, d := range v.hidden {
		if match(d) {
			out = append(out, d)
		}
	}
	return out
}

// isHidden reports whether an entry is gone in this mount.
func (v *view) isHidden(e entry.Entry) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.hidden[e.ID()] == nil {
		return false
	}
	dir, rel := v.keys.RowOf(e)
	return v.pending.get(dir, rel) == nil // made again since
}

// keeperOf returns the nearest directory above a deletion that stays.
func (v *view) keeperOf(d *deletion) string {
	v.mu.Lock()
	defer v.mu.Unlock()
	dir := d.dir
	for dir != v.o.Prefix && v.hidden[dir] != nil {
		dir, _ = v.keys.Split(dir)
	}
	return dir
}

// take returns the next chunk of a directory, and the rows of it that are not hidden. The
// rows take the space of buf.
func (v *view) take(r *listing.Reader, dir string, buf []listing.Row) (listing.Chunk, []line, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	chunk, ok := r.Take(buf)
	if !ok {
		return listing.Chunk{}, nil, false
	}
	lines := make([]line, 0, len(chunk.Rows))
	for i := range chunk.Rows {
		row := &chunk.Rows[i]
		if len(v.hidden) == 0 || v.hidden[entry.RowID(dir, row.Rel)] == nil {
			lines = append(lines, line{rel: row.Rel, entry: row.Entry})
		}
	}
	return chunk, lines, true
}
