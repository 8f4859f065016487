package writeback

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/s3mount/s3mount/cache"
	"github.com/s3mount/s3mount/s3"
)

// Replay commits what dead mounts left in the journal directory, hands their
// changes to apply, both in the order of their paths, and returns the number of
// both. An error of apply keeps the change for the next time. Journals of living mounts are not touched. What conflicts
// with an object that was written since is kept in the recovery directory. A
// journal of which something could not be committed stays for the next time.
// Call it once after New, before the mount answers.
func (m *Manager) Replay(ctx context.Context, apply func(context.Context, Change) error) (int, error) {
	if m.journal == nil {
		return 0, nil
	}
	dirs, err := filepath.Glob(filepath.Join(m.o.JournalDir, mountPattern))
	if err != nil {
		return 0, fmt.Errorf("find journals: %w", err)
	}
	sort.Strings(dirs)
	total := 0
	var errs []error
	for _, dir := range dirs {
		n, err := m.replayMount(ctx, dir, apply)
		total += n
		if err != nil {
			errs = append(errs, fmt.Errorf("replay journal %s: %w", dir, err))
		}
	}
	return total, errors.Join(errs...)
}

// replayMount replays one journal and deletes it.
func (m *Manager) replayMount(ctx context.Context, dir string, apply func(context.Context, Change) error) (int, error) {
	lock, err := lockDir(dir)
	switch {
	case errors.Is(err, unix.EWOULDBLOCK), errors.Is(err, os.ErrNotExist):
		return 0, nil // its mount lives, or another has replayed it
	case err != nil:
		return 0, err
	}
	defer lock.Close()
	all, err := m.readJournal(dir)
	if err != nil {
		return 0, err
	}
	ours := slices.DeleteFunc(slices.Clone(all), func(l left) bool { return l.Bucket != m.o.Bucket })
	ended := newEndings(dir)
	defer ended.close()
	n, err := m.replayAll(ctx, ours, apply, ended)
	if err != nil || len(ours) < len(all) { // the rest is for the next time, or for another bucket's mount
		return n, err
	}
	return n, os.RemoveAll(dir)
}

// left is a record that is not done.
type left struct {
	scanned
	path  string // of its segment
	older []left // of the same file: one of them may be what S3 has
}

// readJournal returns the last record of each file that is not done, in the
// order of the journal.
func (m *Manager) readJournal(dir string) ([]left, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.journal"))
	if err != nil {
		return nil, err
	}
	sort.Strings(paths)
	files := map[uint64][]left{}
	order, count := map[uint64]int{}, 0
	for _, path := range paths {
		file, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		err = scanRecords(file, func(s scanned, bad error) {
			switch {
			case bad != nil:
				m.o.Logger.Error("a record of the journal is damaged and cannot be replayed", "journal", path, "at", s.at, "key", string(s.Key))
			case s.Kind == recordFile, s.Kind == recordName && s.Change != nil:
				files[s.File] = append(files[s.File], left{scanned: s, path: path})
				count++
				order[s.File] = count
				for _, file := range s.Ends {
					delete(files, file)
				}
			case s.Kind == recordDrop:
				delete(files, s.File)
			case s.Kind == recordDone:
				files[s.File] = slices.DeleteFunc(files[s.File], func(l left) bool { return l.Seq <= s.Seq })
			}
		})
		_ = file.Close()
		if errors.Is(err, errTorn) { // its close did not return
			m.o.Logger.Warn("the journal ends in a record that was being written", "journal", path)
		} else if err != nil {
			return nil, err
		}
	}
	var out []left
	for _, all := range files {
		if n := len(all) - 1; n >= 0 {
			l := all[n]
			l.older = all[:n]
			out = append(out, l)
		}
	}
	sort.Slice(out, func(a, b int) bool { return order[out[a].File] < order[out[b].File] })
	return out, nil
}

// replayAll carries the records out, those of one path in order, all else at
// once, and notes which are done.
func (m *Manager) replayAll(ctx context.Context, all []left, apply func(context.Context, Change) error, ended *endings) (int, error) {
	var wg sync.WaitGroup
	var mu sync.Mutex
	var errs []error
	n := 0
	busy := make(chan struct{}, m.o.Connections)
	for _, records := range inOrder(all) {
		wg.Go(func() {
			busy <- struct{}{}
			defer func() { <-busy }()
			for _, l := range records {
				var err error
				if l.Kind == recordName {
					err = apply(ctx, l.change())
				} else {
					err = m.replayFile(ctx, l)
				}
				if err == nil {
					m.noteEnded(ended, l)
				}
				mu.Lock()
				if err == nil {
					n++
				} else {
					errs = append(errs, fmt.Errorf("%q: %w", l.Key, err))
				}
				mu.Unlock()
				if err != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	return n, errors.Join(errs...)
}

// replayFile commits one record. A conflict counts as done: its bytes are kept.
func (m *Manager) replayFile(ctx context.Context, l left) error {
	in, done, err := m.reopen(ctx, l)
	if err != nil || done {
		return err
	}
	if c, ok := in.Reader.(interface{ Close() }); ok {
		defer c.Close()
	}
	f := m.Open(in)
	err = f.restore(ctx, l)
	if err == nil {
		_, err = f.Commit(ctx)
	}
	if err != nil && !errors.Is(err, ErrConflict) {
		f.Discard() // the journal keeps the bytes
	}
	closeErr := f.Close(ctx)
	if err == nil {
		err = closeErr
	}
	if errors.Is(err, ErrConflict) && !errors.Is(err, errNotKept) {
		return nil
	}
	return err
}

// reopen finds out what a record can be committed on. done says that the object
// has its bytes already: the mount died before it could note that.
func (m *Manager) reopen(ctx context.Context, l left) (in OpenInput, done bool, err error) {
	in = OpenInput{Key: string(l.Key), Base: l.Base, Exclusive: l.Exclusive, Object: l.Object,
		Turn: func() (func(), bool) { return nil, false }} // half of it is nobody's state (I7)
	if in.Base != nil {
		in.Base.Key = in.Key
	}
	info, err := m.headKey(ctx, target{key: in.Key, object: l.Object})
	absent := errors.Is(err, s3.ErrNotFound) && !errors.Is(err, s3.ErrNoSuchBucket)
	switch {
	case absent:
		in.Exclusive = l.Base == nil
	case err != nil:
		return in, false, fmt.Errorf("look at the object: %w", err)
	default:
		now := Version{Key: in.Key, ETag: info.ETag, Size: info.Size, VersionID: info.VersionID, Date: info.LastModified}
		if l.Base == nil || l.Base.ETag != now.ETag {
			if done, err = m.has(ctx, now, l); done || err != nil {
				return in, done, err
			}
			if in.Base, err = m.newest(ctx, now, l); err != nil {
				return in, false, err
			}
		}
		switch {
		case in.Base != nil || l.Exclusive:
		case now.ETag == l.Replaces, written(info.LastModified).Before(l.Time): // the replacement is still one
			in.Base = &now
		default: // it was written since, perhaps by the mount that died
			in.Exclusive = true
		}
	}
	if in.Base != nil {
		in.Reader = m.o.OpenBase(*in.Base)
	}
	return in, false, nil
}

// written is the last moment at which an object can have been written that was
// last modified at t: S3 tells seconds.
func written(t time.Time) time.Time { return t.Truncate(time.Second).Add(time.Second) }

// newest returns the version that l is built on: now, if that is an older
// content of the same file. What l leaves as it is was so in that one too, for l
// has all that was written since the base that both name.
func (m *Manager) newest(ctx context.Context, now Version, l left) (*Version, error) {
	for _, o := range l.older {
		if ours, err := m.has(ctx, now, o); ours || err != nil {
			return &now, err
		}
	}
	return l.Base, nil
}

// restore puts the content of l into a file that was opened for it.
func (f *File) restore(ctx context.Context, l left) error {
	if err := f.Truncate(ctx, min(l.BaseLen, f.Size())); err != nil {
		return err
	}
	if err := f.Truncate(ctx, l.Size); err != nil {
		return err
	}
	for _, e := range l.Extents {
		if e.Zero {
			if err := f.PunchHole(ctx, e.Off, e.N); err != nil {
				return err
			}
		}
	}
	return l.each(make([]byte, cache.BlockSize), func(p []byte, off int64) error {
		_, err := f.WriteAt(ctx, p, off)
		return err
	})
}

// each calls do with the data of each extent, in pieces that buf holds.
func (l left) each(buf []byte, do func(p []byte, off int64) error) error {
	data, err := os.Open(l.path)
	if err != nil {
		return err
	}
	defer data.Close()
	at := l.at
	for _, e := range l.Extents {
		for off := e.Off; !e.Zero && off < e.Off+e.N; {
			p := buf[:min(int64(len(buf)), e.Off+e.N-off)]
			if _, err := data.ReadAt(p, at); err != nil {
				return fmt.Errorf("read journal: %w", err)
			}
			if err := do(p, off); err != nil {
				return err
			}
			off += int64(len(p))
			at += int64(len(p))
		}
	}
	return nil
}
