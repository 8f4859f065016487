package namespace

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/s3mount/s3mount/fs/background"
	"github.com/s3mount/s3mount/fs/entry"
)

// recovery is the part of a Namespace that finishes the work of dead mounts.
type recovery struct {
	*bucket
	view    *view
	objects *objects
	finder  *finder
	queue   *queue
	remover *remover
	renamer *renamer
}

// Recover finishes the directory renames of mounts that died. It is called
// once, before the first operation.
func (r *recovery) Recover(ctx context.Context) error {
	if r.o.StateDir == "" {
		return nil
	}
	found, err := os.ReadDir(r.o.StateDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read state directory: %w", err)
	}
	var errs []error
	for _, d := range found {
		path := filepath.Join(r.o.StateDir, d.Name())
		switch {
		case strings.HasSuffix(d.Name(), recordSuffix):
			errs = append(errs, r.recoverOne(ctx, path))
		case strings.HasSuffix(d.Name(), removalSuffix):
			errs = append(errs, r.recoverRemovals(ctx, path))
		}
	}
	return errors.Join(errs...)
}

// recoverOne finishes one rename, unless it is another bucket's or a mount
// that lives is at it.
func (r *recovery) recoverOne(ctx context.Context, path string) error {
	it := &renameRecord{}
	var err error
	if it.file, err = r.takeRecord(path, it); it.file == nil {
		return err
	}
	mine := it.Bucket == r.o.Bucket && strings.HasPrefix(it.Old, r.o.Prefix) && strings.HasPrefix(it.New, r.o.Prefix)
	if !mine || !strings.HasSuffix(it.Old, "/") || !strings.HasSuffix(it.New, "/") || strings.HasPrefix(it.New, it.Old) {
		return it.end(false)
	}
	r.o.Logger.Info("finishing a rename that was interrupted", "old", it.Old, "new", it.New)
	m := r.renamer.newMove(it.Old, it.New, nil)
	m.careful = true
	if !it.When.IsZero() {
		m.until = it.When.Add(clockSkew)
	}
	err = m.run(ctx)
	r.finder.InvalidateAll() // what stays under the old name keeps its directory
	if endErr := it.end(err == nil); err == nil {
		err = endErr
	}
	if err != nil {
		return fmt.Errorf("finish rename of %q to %q: %w", it.Old, it.New, err)
	}
	return nil
}

// takeRecord reads and locks the record of an unfinished operation of a dead mount. The
// file is nil if there is nothing to do: because a living mount has locked it, or
// because it cannot be read and was dropped.
func (r *recovery) takeRecord(path string, into any) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("open rename record: %w", err)
	}
	if lockFile(f) != nil {
		return nil, f.Close()
	}
	data, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(data, into)
	}
	if err != nil {
		r.o.Logger.Warn("a rename record cannot be read and is dropped", "path", path, "err", err)
		return nil, (&renameRecord{file: f}).end(true)
	}
	return f, nil
}

// recoverRemovals finishes the removals of a mount that died.
func (r *recovery) recoverRemovals(ctx context.Context, path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open the record of removals: %w", err)
	}
	if lockFile(f) != nil {
		return f.Close() // its mount lives
	}
	files, dirs, err := r.readRemovals(f)
	if err == nil {
		err = background.Each(ctx, r.o.Connections, files, r.finishRecorded)
	}
	for _, rec := range dirs {
		if err == nil {
			err = r.finishRecorded(ctx, rec)
		}
	}
	if err != nil {
		return errors.Join(fmt.Errorf("finish removals: %w", err), f.Close())
	}
	if k := len(files) + len(dirs); k > 0 {
		r.o.Logger.Info("finished the removals of an earlier mount", slog.Int("names", k))
	}
	return removeRecord(f)
}

// readRemovals reads the records for this mount, of files and of directories with
// the deepest first. A last line that is torn belongs to a removal that was not
// acknowledged.
func (r *recovery) readRemovals(f *os.File) (files, dirs []removalRecord, err error) {
	data, err := os.ReadFile(f.Name())
	if err != nil {
		return nil, nil, err
	}
	for lines := bufio.NewScanner(bytes.NewReader(data)); lines.Scan(); {
		var rec removalRecord
		if json.Unmarshal(lines.Bytes(), &rec) != nil || rec.Bucket != r.o.Bucket || !strings.HasPrefix(string(rec.Key), r.o.Prefix) {
			continue
		}
		if rec.Dir {
			dirs = append(dirs, rec)
		} else {
			files = append(files, rec)
		}
	}
	slices.SortStableFunc(dirs, func(a, b removalRecord) int { return len(b.Key) - len(a.Key) })
	return files, dirs, nil
}

// finishRecorded removes the object of a record if it still has the recorded version.
func (r *recovery) finishRecorded(ctx context.Context, rec removalRecord) error {
	e := entry.Entry{Key: string(rec.Key), Kind: entry.File, ETag: rec.ETag}
	if rec.Dir {
		e.Kind = entry.Directory
	} else if !rec.Modified.IsZero() {
		now, err := r.objects.head(ctx, e.Key, false)
		if isAbsent(err) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("check the object of a removal: %w", err)
		}
		if now.LastModified.Sub(rec.Modified).Abs() > removalSlack {
			r.o.Logger.Info("an object was written after its removal and stays", "key", e.Key)
			return nil
		}
	}
	return r.FinishRemove(ctx, e, rec.When.Add(clockSkew))
}

// FinishRemove finishes a removal of a dead mount. It removes the object if it still
// has the version of e, or any version if e has no ETag. It keeps objects that were
// written after until, and directories that have children.
func (r *recovery) FinishRemove(ctx context.Context, e entry.Entry, until time.Time) error {
	if e.Kind == entry.Directory {
		explicit, err := r.remover.mustBeEmpty(ctx, e.Key)
		if errors.Is(err, ErrNotEmpty) {
			return nil
		}
		if err == nil {
			err = r.queue.remove(ctx, &deletion{entry: e, none: !explicit})
		}
		return err
	}
	now, err := r.objects.head(ctx, e.Key, false)
	switch {
	case isAbsent(err):
		return nil
	case err != nil:
		return fmt.Errorf("check the object of a removal: %w", err)
	case e.ETag != "" && now.ETag != e.ETag, now.LastModified.After(until):
		r.o.Logger.Info("an object was written after its removal and stays", "key", e.Key)
		return nil
	}
	if err := r.queue.remove(ctx, &deletion{entry: now, etag: now.ETag}); err != nil {
		return fmt.Errorf("remove %q: %w", e.Key, err)
	}
	return nil
}

// FinishRename finishes the rename of a file by a dead mount. It moves the version of
// old to key, where it may replace the version over. It keeps objects that were written
// since under either name.
func (r *recovery) FinishRename(ctx context.Context, old entry.Entry, key, over string) error {
	now, err := r.objects.head(ctx, old.Key, false)
	switch {
	case isAbsent(err):
		return nil // it was finished
	case err != nil:
		return fmt.Errorf("check the object of a rename: %w", err)
	case now.ETag != old.ETag:
		r.o.Logger.Info("the old name of a rename was written again and stays", "key", old.Key)
		return nil
	}
	there, err := r.objects.head(ctx, key, false)
	if err != nil && !isAbsent(err) {
		return fmt.Errorf("look at the new name: %w", err)
	}
	copied := err == nil && sameBytes(now, there)
	if err == nil && !copied && there.ETag != over {
		r.o.Logger.Warn("the new name of a rename was written again, both stay", "old", old.Key, "new", key)
		return nil
	}
	if !copied {
		got, err := r.objects.copyTo(ctx, now, key, false)
		if err != nil {
			return fmt.Errorf("copy %q to %q: %w", old.Key, key, err)
		}
		r.view.Committed(got)
	}
	if err := r.queue.remove(ctx, &deletion{entry: now, etag: now.ETag}); err != nil {
		return fmt.Errorf("delete the old name %q: %w", old.Key, err)
	}
	return nil
}

// sameBytes reports whether there may be a copy of e: it has the same size, is not
// older, and has the same ETag unless one of the two was uploaded in parts.
func sameBytes(e, there entry.Entry) bool {
	multipart := strings.Contains(e.ETag, "-") || strings.Contains(there.ETag, "-")
	return there.Size == e.Size && (there.ETag == e.ETag || multipart) && !there.LastModified.Before(e.LastModified)
}
