package attrs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/s3mount/s3mount/fs/background"
	"github.com/s3mount/s3mount/fs/entry"
	"github.com/s3mount/s3mount/s3"
)

const (
	// indexIdle is how long a directory must be quiet before its index is written. It
	// is also long enough that the index is younger by a second than all objects that
	// its rows may stand for (dateLag), so that agedRows keeps the rows.
	indexIdle = 2100 * time.Millisecond
	// indexLast is the same for the last index of a mount. The next mount learns the
	// true Last-Modified, which is younger by a second than all objects.
	indexLast = 1100 * time.Millisecond
	// indexBusy is the longest time that changes wait in a directory that is never quiet.
	indexBusy = 15 * time.Second
	// indexTries is how often an index is merged again that another mount has written
	// meanwhile. After that the changes are dropped: they are hints.
	indexTries = 5
	// indexWriters is how many indexes are written at once. It is small, since files
	// that wait for their commit are more urgent.
	indexWriters = 8
)

// schedule makes sure that the timer looks after the changes. x.mu is held.
func (x *Index) schedule() {
	if x.timer != nil || x.jobs.Context().Err() != nil {
		return
	}
	x.timer = time.AfterFunc(indexIdle, func() {
		x.mu.Lock()
		defer x.mu.Unlock()
		x.timer = nil
		due := x.due(false)
		if len(x.pending) > 0 {
			x.schedule()
		}
		x.jobs.Go(func(ctx context.Context) { x.writeAll(ctx, due) })
	})
}

// due returns the directories whose index is to be written now. x.mu is held.
func (x *Index) due(all bool) []string {
	now := time.Now()
	var due []string
	for dir, p := range x.pending {
		if !p.writing && (all || now.Sub(p.last) >= indexIdle || now.Sub(p.first) >= indexBusy) {
			p.writing = true
			due = append(due, dir)
		}
	}
	return due
}

// writeAll writes the indexes of some directories. It logs and drops changes that it
// cannot write: the attributes are on the objects.
func (x *Index) writeAll(ctx context.Context, dirs []string) {
	_ = background.Each(ctx, indexWriters, dirs, func(ctx context.Context, dir string) error {
		if err := x.write(ctx, dir); err != nil && ctx.Err() == nil {
			x.o.Logger.Info("attribute index not written", "dir", dir, "err", err)
			if errors.Is(err, s3.ErrForbidden) {
				x.mu.Lock()
				x.refused = true
				clear(x.pending)
				x.mu.Unlock()
			}
		}
		return nil
	})
}

// write merges the changes of a directory into its index.
func (x *Index) write(ctx context.Context, dir string) error {
	x.mu.Lock()
	p := x.pending[dir]
	if p == nil {
		x.mu.Unlock()
		return nil
	}
	rows := maps.Clone(p.rows)
	busy := time.Since(p.last) < indexLast
	x.mu.Unlock()
	t, err := x.merge(ctx, dir, rows)
	x.mu.Lock()
	defer x.mu.Unlock()
	if err == nil {
		x.reader.hold(dir, t)
		if !t.sealed {
			x.catalogue.wrote(dir, t.etag)
		}
	}
	p.writing = false
	p.first = time.Now()
	for rel, r := range rows {
		young := busy && err == nil && r != nil && r.latest() >= t.mod
		if p.rows[rel] == r && !young { // a young row is written again, so that it is believed
			delete(p.rows, rel)
		}
	}
	if len(p.rows) == 0 && x.pending[dir] == p {
		delete(x.pending, dir)
	}
	return err
}

// merge reads the index that exists, applies the changes and writes it, on the
// condition that no other mount has written it meanwhile.
func (x *Index) merge(ctx context.Context, dir string, rows map[string]*Row) (*Table, error) {
	old, err := x.Table(ctx, dir, time.Time{})
	for try := 0; ; try++ {
		if err != nil {
			return nil, err
		}
		if old != nil && old.sealed {
			return old, nil
		}
		t, merged := &Table{}, map[string]Row{}
		if old != nil {
			merged, t.etag = old.agedRows(), old.etag
		}
		prune(x.listing, dir, merged)
		for rel, r := range rows {
			switch had, ok := merged[rel]; {
			case r == nil:
				delete(merged, rel)
			case !ok || had.mod <= r.latest():
				merged[rel] = *r
			} // otherwise another mount has written a later version
		}
		t.setRows(merged)
		err = x.put(ctx, dir, t)
		if !errors.Is(err, s3.ErrPreconditionFailed) && !errors.Is(err, s3.ErrConflict) || try == indexTries {
			return t, err
		}
		old, err = x.reader.read(ctx, dir)
	}
}

// put writes an index in place of the version t.etag.
func (x *Index) put(ctx context.Context, dir string, t *Table) error {
	data := EncodeIndex(strings.TrimPrefix(dir, string(x.o.Root)), t.rows)
	in := &s3.PutInput{Bucket: x.o.Bucket, Key: x.Key(dir), Body: bytes.NewReader(data), Size: int64(len(data))}
	in.ContentType = "application/octet-stream"
	in.IfMatch = t.etag
	if t.etag == "" {
		in.IfNoneMatch = "*"
	}
	out, err := x.store.Put(ctx, in)
	if err != nil {
		return fmt.Errorf("write attribute index of %q: %w", dir, err)
	}
	t.etag, t.mod = out.ETag, entry.WriteTime(out.Date).Unix()
	return nil
}

// Announce makes sure that the index of a directory says that there are special files,
// before the directory gets its first one. No mount then takes that file for a plain one
// on the word of a listing alone, even if this mount dies now. The row of the file
// stands for no version yet.
func (x *Index) Announce(ctx context.Context, dir, rel string, k entry.Kind) error {
	if x.o.Posix == PosixOff || x.o.ReadOnly {
		return nil
	}
	t, err := x.Table(ctx, dir, time.Time{})
	if err != nil {
		return err
	}
	x.mu.Lock()
	if t != nil && t.special || x.refused {
		x.mu.Unlock()
		return nil
	}
	x.change(dir).rows[rel] = noVersion(k)
	x.mu.Unlock()
	err = x.write(ctx, dir)
	if errors.Is(err, s3.ErrForbidden) {
		return nil // then there is no index anywhere, and nothing to lose
	}
	return err
}

// Drain writes all changes, once they are old enough to be believed.
func (x *Index) Drain(ctx context.Context) error {
	for {
		wait, due := x.drainStep()
		if wait < 0 {
			return nil
		}
		if wait == 0 {
			x.writeAll(ctx, due)
			if len(due) == 0 {
				wait = indexLast / 10 // the timer writes them already
			}
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return fmt.Errorf("write attribute indexes: %w", context.Cause(ctx))
		case <-x.jobs.Context().Done():
			return nil
		}
	}
}

// drainStep returns how long to wait until all changes may be written, or a negative
// time if there are none, and for no time the directories to write.
func (x *Index) drainStep() (wait time.Duration, due []string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	wait = -1
	for _, p := range x.pending {
		wait = max(wait, indexLast-time.Since(p.last), 0)
	}
	if wait == 0 {
		due = x.due(true)
	}
	return wait, due
}
