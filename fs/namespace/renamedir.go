package namespace

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/s3mount/s3mount/fs/entry"
	"github.com/s3mount/s3mount/fs/listing"
	"github.com/s3mount/s3mount/s3"
)

const (
	// moveBatch bounds the memory of a directory rename: so many objects are
	// copied before their old names are deleted. A rename of fewer can be
	// undone as long as nothing is deleted.
	moveBatch = 100_000
	// moveRounds is how often objects that changed or came during the rename
	// are moved after the others.
	moveRounds = 5
	// progressEvery is the interval of log messages during a long rename.
	progressEvery = 5 * time.Second
)

// renameDir moves all objects below a directory.
func (r *renamer) renameDir(ctx context.Context, in RenameInput, key string) (RenameOutput, error) {
	old := in.Old.Key
	switch {
	case key == old:
		return RenameOutput{Entry: in.Old, Moved: map[string]entry.Entry{}}, nil
	case strings.HasPrefix(key, old), old == r.o.Prefix:
		return RenameOutput{}, ErrInvalid
	case len(key) > s3.MaxKeyLength:
		return RenameOutput{}, ErrNameTooLong
	}
	if err := r.mayReplaceDir(ctx, in, key); err != nil {
		return RenameOutput{}, err
	}
	if err := r.queue.WaitDeleted(ctx, strings.TrimSuffix(key, "/")); err != nil {
		return RenameOutput{}, err
	}
	for _, prefix := range []string{old, key} {
		if err := r.queue.waitBelow(ctx, prefix); err != nil {
			return RenameOutput{}, err
		}
	}
	if err := r.queue.permission.toDelete(ctx, key); err != nil {
		return RenameOutput{}, err
	}
	it, err := r.writeRecord(old, key)
	if err != nil {
		return RenameOutput{}, err
	}
	m := r.newMove(old, key, in.Open)
	m.entry = in.Old
	err = m.run(ctx)
	if endErr := it.end(err == nil || m.undone); err == nil {
		err = endErr
	}
	if err != nil {
		return RenameOutput{}, err
	}
	return m.output(in), nil
}

// mayReplaceDir returns an error if the new name of a directory is taken. A name
// that was seen to be absent is asked for, too: another may have filled it since,
// and the two directories would become one.
func (r *renamer) mayReplaceDir(ctx context.Context, in RenameInput, key string) error {
	explicit, err := r.remover.mustBeEmpty(ctx, key)
	taken := explicit || errors.Is(err, ErrNotEmpty)
	if taken && in.New == nil {
		r.view.forget(entry.Entry{Key: key, Kind: entry.Directory})
	}
	if taken && in.NoReplace {
		return ErrExists
	}
	return err
}

// move is a directory rename under way: all objects are copied, then the old
// ones deleted, in rounds until there is nothing left.
type move struct {
	r        *renamer
	old, new string
	entry    entry.Entry            // of the directory
	open     map[string]bool        // by Entry.ID
	moved    map[string]entry.Entry // of open, by Entry.ID
	careful  bool                   // after a crash: copies may be there already
	until    time.Time              // what was written later is none of it; zero: everything is
	undone   bool                   // nothing is left of the attempt

	mu      sync.Mutex
	count   int
	deleted int // old names
	told    time.Time
}

// pair is an object and its copy.
type pair struct {
	old, new entry.Entry
	keep     bool // after a crash: another wrote under the new name, both stay
}

func (r *renamer) newMove(old, to string, open []string) *move {
	m := &move{r: r, old: old, new: to, open: map[string]bool{}, moved: map[string]entry.Entry{}, told: time.Now()}
	m.entry = r.implicit(old)
	for _, k := range open {
		m.open[k] = true
	}
	return m
}

func (m *move) run(ctx context.Context) error {
	for round := 0; ; round++ {
		when := time.Now()
		list, all, err := m.list(ctx)
		if err != nil {
			return err
		}
		if len(list) == 0 {
			return nil
		}
		if round == moveRounds && all {
			return fmt.Errorf("%d objects kept changing: %w", len(list), ErrStale)
		}
		pairs, err := m.copyAll(ctx, list)
		if err != nil {
			if round == 0 && !m.careful {
				m.undo(pairs)
			}
			m.forget(list)
			return err
		}
		if round == 0 {
			// The caller cannot interrupt the rename at once, because it must not stop
			// with half of the objects under either name.
			var stop context.CancelFunc
			ctx, stop = m.r.finishing(ctx)
			defer stop()
		}
		left, err := m.deleteAll(ctx, pairs)
		if err != nil {
			if round == 0 && !m.careful && m.deleted == 0 && errors.Is(err, s3.ErrForbidden) {
				m.undo(pairs)
			}
			m.forget(list)
			return err
		}
		if m.deleted > 0 {
			m.r.queue.permission.prove()
		}
		m.took(when, pairs, round == 0 && all)
		m.dropIndexes(ctx, pairs)
		if all && left == 0 && m.careful {
			return nil // another round would find the kept objects again
		}
	}
}

// list returns up to moveBatch objects below the old name, and whether that is all.
func (m *move) list(ctx context.Context) ([]entry.Entry, bool, error) {
	var out []entry.Entry
	s := listing.Stretch{Dir: m.old}
	for {
		got, err := m.r.objects.fetcher.Ls(ctx, s)
		if err != nil {
			return nil, false, fmt.Errorf("list the directory to rename: %w", err)
		}
		for _, o := range got.Objects {
			if !m.until.IsZero() && o.LastModified.After(m.until) {
				continue
			}
			e := entry.Entry{Key: o.Key, Size: o.Size, ETag: o.ETag, LastModified: o.LastModified}
			if strings.HasSuffix(o.Key, "/") && o.Size == 0 {
				e.Kind = entry.Directory
			}
			e.Attr = m.r.defaults.Attr(e.Kind, o.LastModified)
			if len(m.new)+len(o.Key)-len(m.old) > s3.MaxKeyLength {
				return nil, false, fmt.Errorf("key below %q: %w", m.new, ErrNameTooLong)
			}
			out = append(out, e)
		}
		if got.NextToken == "" || len(out) >= moveBatch {
			return out, got.NextToken == "", nil
		}
		s.Token = got.NextToken
	}
}

// copyAll copies objects in parallel. After a failure it waits for the copies in
// progress. It returns pairs even if it fails; a pair whose copy has an unknown outcome
// has no ETag of the copy.
func (m *move) copyAll(ctx context.Context, list []entry.Entry) ([]pair, error) {
	var g errgroup.Group
	g.SetLimit(m.r.o.Connections)
	pairs := make([]pair, len(list))
	var failed atomic.Bool
	for i, e := range list {
		if failed.Load() {
			break
		}
		g.Go(func() error {
			if failed.Load() || ctx.Err() != nil {
				return context.Cause(ctx)
			}
			p, err := m.copyOne(ctx, e)
			if err != nil {
				failed.Store(true)
				pairs[i] = pair{old: e, new: entry.Entry{Key: m.new + e.Key[len(m.old):]}}
				return fmt.Errorf("copy %q: %w", e.Key, err)
			}
			pairs[i] = p
			m.progress()
			return nil
		})
	}
	err := g.Wait()
	pairs = slices.DeleteFunc(pairs, func(p pair) bool { return p.new.Key == "" })
	return pairs, err
}

// copyOne copies the version of an object that was listed. One that changed
// since is copied as it is now; one that is gone is left out.
func (m *move) copyOne(ctx context.Context, e entry.Entry) (pair, error) {
	key := m.new + e.Key[len(m.old):]
	e, err := m.attrs(ctx, e)
	if err != nil {
		return pair{}, err
	}
	if m.careful {
		if p, ok, err := m.compare(ctx, e, key); ok || err != nil {
			return p, err
		}
	}
	const attempts = 3 // of a file that somebody writes all the time, the rest is for the next round
	for i := 0; ; i++ {
		got, err := m.r.objects.copyTo(ctx, e, key, false)
		if err != nil && isMarker(e) && !errors.Is(err, s3.ErrNotFound) && !errors.Is(err, ErrStale) {
			got, err = m.putMarker(ctx, e, key)
		}
		switch {
		case err == nil:
			return pair{old: e, new: got}, nil
		case errors.Is(err, s3.ErrNotFound):
			return pair{}, nil
		case !errors.Is(err, ErrStale) || i == attempts:
			return pair{}, err
		}
		info, err := m.r.store.Head(ctx, &s3.HeadInput{Bucket: m.r.o.Bucket, Key: e.Key})
		if errors.Is(err, s3.ErrNotFound) {
			return pair{}, nil
		}
		if err != nil {
			return pair{}, err
		}
		info.Key = e.Key
		e = m.r.FromInfo(info)
	}
}

func isMarker(e entry.Entry) bool { return strings.HasSuffix(e.Key, "/") && e.Size == 0 }

// putMarker writes a marker under another key, for servers that cannot copy an object
// whose key ends in "/" (versitygw v1.8).
func (m *move) putMarker(ctx context.Context, e entry.Entry, key string) (entry.Entry, error) {
	info, err := m.r.store.Head(ctx, &s3.HeadInput{Bucket: m.r.o.Bucket, Key: e.Key})
	if err != nil {
		return entry.Entry{}, err
	}
	info.Key = e.Key
	o := info.Options()
	o.KeepTags = false // the tags of the target would be kept
	return m.r.objects.putMarker(ctx, key, m.r.FromInfo(info).Attr, o, false)
}

// attrs returns the entry of a moved object with its attributes. If the index of the
// directory does not contain them, the new directory gets an index as well, so that
// they are requested when a program looks at the object.
func (m *move) attrs(ctx context.Context, e entry.Entry) (entry.Entry, error) {
	e = m.r.view.known.CompleteFromFact(e)
	dir, rel := m.r.keys.RowOf(e)
	if e.Exact || m.r.o.Posix == PosixOff || rel == "" && e.Size == 0 {
		return e, nil
	}
	x, err := m.r.view.index.Table(ctx, dir, time.Time{})
	if err != nil || x == nil {
		return e, err
	}
	exact, _ := m.r.view.index.Complete(x, rel, &e)
	if !exact && strings.HasPrefix(dir, m.old) {
		m.r.view.index.Start(m.new + dir[len(m.old):])
	}
	return e, nil
}

// compare reports whether a copy exists already. A copy is as large as the source,
// and has the same ETag unless one of the two was uploaded in parts. A marker that is
// newer than its copy is copied again: it has no data, and on some servers
// (versitygw) it becomes newer when a file below it is deleted.
func (m *move) compare(ctx context.Context, e entry.Entry, key string) (pair, bool, error) {
	info, err := m.r.store.Head(ctx, &s3.HeadInput{Bucket: m.r.o.Bucket, Key: key})
	if errors.Is(err, s3.ErrNotFound) {
		return pair{}, false, nil
	}
	if err != nil {
		return pair{}, false, err
	}
	info.Key = key
	got := m.r.FromInfo(info)
	multipart := strings.Contains(e.ETag, "-") || strings.Contains(got.ETag, "-")
	same := got.Size == e.Size && (got.ETag == e.ETag || multipart) && !got.LastModified.Before(e.LastModified)
	if !same && isMarker(e) && isMarker(got) {
		return pair{}, false, nil
	}
	if !same {
		m.r.o.Logger.Warn("the new name of an interrupted rename was written again, both stay", "old", e.Key, "new", key)
	}
	return pair{old: e, new: got, keep: !same}, true, nil
}

// deleteAll deletes the old names, each only in the copied version. left is the number
// of objects that have changed in the meantime. The next round moves them.
func (m *move) deleteAll(ctx context.Context, pairs []pair) (left int, err error) {
	if err := m.keepParent(ctx); err != nil {
		return 0, err
	}
	var mu sync.Mutex
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(deleteBatches)
	for chunk := range slices.Chunk(pairs, s3.MaxListKeys) {
		g.Go(func() error {
			ids := make([]s3.ObjectID, 0, len(chunk))
			for _, p := range chunk {
				if !p.keep {
					ids = append(ids, s3.ObjectID{Key: p.old.Key, ETag: p.old.ETag})
				}
			}
			failed := m.r.objects.delete(ctx, ids)
			mu.Lock()
			m.deleted += len(ids) - len(failed)
			mu.Unlock()
			for key, err := range failed {
				if !errors.Is(err, s3.ErrPreconditionFailed) {
					return fmt.Errorf("delete the old name %q: %w", key, err)
				}
				mu.Lock()
				left++
				mu.Unlock()
			}
			return nil
		})
	}
	return left, g.Wait()
}

// keepParent writes the marker of the directory that held the old name if
// nothing else keeps it.
func (m *move) keepParent(ctx context.Context) error {
	to := m.entry
	to.Key = m.new
	gone := &deletion{entry: entry.Entry{Key: m.old, Kind: entry.Directory}, none: true, sent: true, done: make(chan struct{})}
	close(gone.done)
	m.r.view.note(entry.Change{Entry: to, Own: true})
	m.r.view.hide(gone)
	parent, _ := m.r.keys.Split(m.old)
	err := m.r.keeper.keepDir(ctx, parent)
	m.r.view.unhide(gone)
	if err != nil {
		return fmt.Errorf("keep directory %q: %w", parent, err)
	}
	return nil
}

// took updates the caches after a move. complete reports whether pairs contains all
// objects of the directory.
func (m *move) took(when time.Time, pairs []pair, complete bool) {
	got := &s3.LsPage{}
	m.r.view.known.ForgetTree(m.old)
	m.r.view.known.ForgetTree(m.new)
	for _, p := range pairs {
		if id := p.old.ID(); m.open[id] {
			m.moved[id] = p.new
		}
		if p.old.Key == m.old && p.old.Kind == entry.Directory {
			m.entry.Implicit, m.entry.ETag, m.entry.LastModified = false, p.new.ETag, p.new.LastModified
		}
		m.r.view.note(entry.Change{Entry: p.old, Gone: true, Own: true})
		m.r.view.note(entry.Change{Entry: p.new, Own: true})
		got.Objects = append(got.Objects, s3.ListedObject{
			Key: p.new.Key, Size: p.new.Size, ETag: p.new.ETag, LastModified: p.new.LastModified,
		})
	}
	m.r.view.note(entry.Change{Entry: entry.Entry{Key: m.old, Kind: entry.Directory}, Gone: true, Own: true})
	if complete {
		m.r.view.known.AddTree(m.new, when, got)
	}
}

// dropIndexes deletes the indexes of the directories that were moved.
func (m *move) dropIndexes(ctx context.Context, pairs []pair) {
	var ids []s3.ObjectID
	last := ""
	for _, p := range pairs {
		dir, _ := m.r.keys.SplitFile(p.old.Key)
		if dir != last && strings.HasPrefix(dir, m.old) {
			last = dir
			if key := m.r.view.index.Drop(dir); key != "" {
				ids = append(ids, s3.ObjectID{Key: key})
			}
		}
	}
	for chunk := range slices.Chunk(ids, s3.MaxListKeys) {
		for key, err := range m.r.objects.delete(ctx, chunk) {
			m.r.o.Logger.Info("the attribute index of a renamed directory is left behind", "key", key, "err", err)
		}
	}
}

// output is the answer to fs: also implicit directories have new keys.
func (m *move) output(in RenameInput) RenameOutput {
	for key := range m.open {
		if _, done := m.moved[key]; !done && strings.HasPrefix(key, m.old) && strings.HasSuffix(key, "/") {
			m.moved[key] = m.r.implicit(m.new + key[len(m.old):])
		}
	}
	e := m.entry
	e.Key = m.new
	m.moved[m.old] = e
	m.r.view.note(entry.Change{Entry: e, Own: true})
	return RenameOutput{Entry: e, Moved: m.moved}
}

// progress logs the progress of a long rename.
func (m *move) progress() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.count++
	if now := time.Now(); now.Sub(m.told) >= progressEvery {
		m.told = now
		m.r.o.Logger.Info("renaming a directory", "old", m.old, "new", m.new, "copied", m.count)
	}
}
