package writeback

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/s3mount/s3mount/cache"
	"github.com/s3mount/s3mount/s3"
)

// Replay carries out the records that dead mounts left in the journal directories. It commits the
// contents of files and passes changes to apply, in the order of the journal for each path. It returns
// the number of records that it has carried out. After an error of apply the change stays in the
// journal. Replay does not touch the journals of living mounts, nor records of keys outside of
// Options.Prefix. Content that conflicts with a newer object, and content that S3 refuses permanently,
// goes to the recovery directory. A journal with remaining records stays for the next Replay. The caller
// calls Replay once after New, before the mount answers.
func (m *Manager) Replay(ctx context.Context, apply func(context.Context, Change) error) (int, error) {
	dirs, err := m.journals()
	if err != nil {
		return 0, err
	}
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

// journals returns the directories of the journals of all mounts.
func (m *Manager) journals() (dirs []string, err error) {
	if m.o.JournalDir == "" {
		return nil, nil
	}
	for _, parent := range append([]string{m.o.JournalDir}, m.o.OldJournalDirs...) {
		found, err := filepath.Glob(filepath.Join(parent, mountPattern))
		if err != nil {
			return nil, fmt.Errorf("find journals: %w", err)
		}
		sort.Strings(found)
		dirs = append(dirs, found...)
	}
	return dirs, nil
}

// openDead locks the journal of a dead mount and reads it. lock is nil if the mount is alive or the
// journal is gone.
func (m *Manager) openDead(dir string) (lock *os.File, found contents, err error) {
	lock, err = lockDir(dir)
	switch {
	case errors.Is(err, unix.EWOULDBLOCK), errors.Is(err, os.ErrNotExist):
		return nil, found, nil
	case err != nil:
		return nil, found, err
	}
	if found, err = m.readJournal(dir); err != nil {
		return nil, found, errors.Join(err, lock.Close())
	}
	return lock, found, nil
}

// replayMount replays one journal, and deletes it if all its records are done.
func (m *Manager) replayMount(ctx context.Context, dir string, apply func(context.Context, Change) error) (int, error) {
	lock, found, err := m.openDead(dir)
	if lock == nil {
		return 0, err
	}
	defer lock.Close()
	ours, others := m.divide(found.left)
	ended := newEndings(dir)
	defer ended.close()
	n, err := m.replayAll(ctx, ours, apply, ended)
	if err != nil || len(others) > 0 {
		return n, err
	}
	if found.damaged {
		return n, m.keepJournal(dir)
	}
	return n, os.RemoveAll(dir)
}

// divide separates the groups of records that this mount can carry out from groups that concern another
// bucket or a key outside of Options.Prefix.
func (m *Manager) divide(all []left) (ours, others [][]left) {
	for _, group := range groupByKeys(all) {
		if slices.ContainsFunc(group, func(l left) bool { return !m.covers(l) }) {
			others = append(others, group)
		} else {
			ours = append(ours, group)
		}
	}
	return ours, others
}

// covers reports whether this mount shows all keys of a record.
func (m *Manager) covers(l left) bool {
	to := l.Kind != recordName || len(l.Change.To) == 0 || strings.HasPrefix(string(l.Change.To), m.o.Prefix)
	return l.Bucket == m.o.Bucket && strings.HasPrefix(string(l.Key), m.o.Prefix) && to
}

// keepJournal moves a journal with damaged records to the recovery directory, because its readable parts
// may be the only copy of a file.
func (m *Manager) keepJournal(dir string) error {
	if err := os.MkdirAll(m.o.RecoveryDir, 0o700); err != nil {
		return fmt.Errorf("make recovery directory: %w", err)
	}
	to := filepath.Join(m.o.RecoveryDir, time.Now().UTC().Format(stampFormat)+"-journal-"+filepath.Base(dir))
	if err := os.Rename(dir, to); err != nil {
		return fmt.Errorf("move a journal with damaged records: %w", err)
	}
	m.o.Logger.Error("a journal has damaged records; it was moved to the recovery directory", "path", to)
	return nil
}

// left is a record that is not done.
type left struct {
	scanned
	path  string // the path of its segment
	older []left // older records of the same file: S3 may have one of them
}

// contents holds the records of one journal.
type contents struct {
	left    []left // the last record of each file that is not done, in the order of the journal
	damaged bool   // some records cannot be read
}

// readJournal reads the segments of one journal.
func (m *Manager) readJournal(dir string) (out contents, err error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.journal"))
	if err != nil {
		return out, err
	}
	sort.Strings(paths)
	found := newUndone()
	for _, path := range paths {
		file, err := os.Open(path)
		if err != nil {
			return out, err
		}
		err = scanRecords(file, func(s scanned, bad error) {
			if bad != nil {
				out.damaged = true
				m.o.Logger.Error("a record of the journal is damaged and cannot be replayed", "journal", path, "at", s.at, "key", string(s.Key))
				return
			}
			found.add(left{scanned: s, path: path})
		})
		_ = file.Close()
		if errors.Is(err, errTorn) { // its close did not return
			m.o.Logger.Warn("the journal ends in an incomplete record", "journal", path)
		} else if err != nil {
			return out, err
		}
	}
	out.left = found.inOrder()
	return out, nil
}

// replayAll carries out groups of records. The groups run concurrently, and the records of each group in
// order. It records which ones are done.
func (m *Manager) replayAll(ctx context.Context, groups [][]left, apply func(context.Context, Change) error, ended *replayLog) (int, error) {
	var wg sync.WaitGroup
	var mu sync.Mutex
	var errs []error
	n := 0
	busy := make(chan struct{}, m.o.Connections)
	for _, records := range groups {
		wg.Go(func() {
			busy <- struct{}{}
			defer func() { <-busy }()
			for _, l := range records {
				var err error
				if l.Kind == recordName {
					err = m.replayChange(ctx, l, apply)
				} else {
					err = m.replayFile(ctx, l)
				}
				if err == nil {
					m.logReplayed(ended, l)
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

// replayChange passes one change to apply. A change that S3 refuses permanently is void, and the object
// stays unchanged.
func (m *Manager) replayChange(ctx context.Context, l left, apply func(context.Context, Change) error) error {
	err := apply(ctx, l.change())
	if refusedForGood(err) {
		m.o.Logger.Error("S3 refuses a change that was acknowledged; the object stays as it is",
			"change", l.Change.Kind, "key", string(l.Key), "error", err)
		return nil
	}
	return err
}

// replayFile commits one record. After a conflict or a refusal the record is done when its content is in
// the recovery directory.
func (m *Manager) replayFile(ctx context.Context, l left) error {
	in, done, refused := m.reopen(ctx, l)
	if done || refused != nil && !refusedForGood(refused) {
		return refused
	}
	if in.Base != nil && in.Reader == nil {
		in.Reader = m.o.OpenBase(*in.Base)
	}
	if c, ok := in.Reader.(interface{ Close() }); ok {
		defer c.Close()
	}
	f := m.Open(in)
	f.acknowledged = true
	err := f.restore(ctx, l)
	switch {
	case err != nil:
	case refused != nil:
		err = f.keep(refused)
	default:
		_, err = f.Commit(ctx)
	}
	if err != nil && !isKept(err) || refused != nil {
		f.Discard() // the journal or the recovery directory has the bytes
	}
	closeErr := f.Close(ctx)
	if err == nil {
		err = closeErr
	}
	if isKept(err) {
		return nil
	}
	return err
}

// reopen returns the input to open the file of a record for a commit. done reports that the object
// has the bytes already, because the mount died before it recorded that.
func (m *Manager) reopen(ctx context.Context, l left) (in OpenInput, done bool, err error) {
	in = OpenInput{Key: string(l.Key), Base: l.Base, Exclusive: l.Exclusive, Object: l.Object,
		Turn: func() (func(), bool) { return nil, false }} // never commit a partly restored file (I7)
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
			same, err := m.matches(ctx, now, l)
			switch {
			case err != nil:
				return in, false, err
			case same && (now.ETag != l.Replaces || carries(info.Metadata, l.Object.Metadata)):
				return in, true, nil
			case same: // it has the bytes by chance, and other attributes
				in.Base = &now
			default:
				if in.Base, err = m.newest(ctx, now, info, l); err != nil {
					return in, false, err
				}
			}
		}
		switch {
		case in.Base != nil || l.Exclusive:
		case now.ETag == l.Replaces, written(info.LastModified).Before(l.Time): // the replacement is still wanted
			in.Base = &now
		default: // it was written since, perhaps by the dead mount
			in.Exclusive = true
		}
	}
	if in.Base != nil {
		in.Reader = m.o.OpenBase(*in.Base)
	}
	return in, false, nil
}

// written returns the last moment at which an object with the modification time t can have been
// written. S3 reports seconds.
func written(t time.Time) time.Time { return t.Truncate(time.Second).Add(time.Second) }

// newest returns the version that l is built on. It is now, if now is an older content of the same
// file, which a record or an attempt of a commit shows. The ranges that l takes from its base are equal in that content, because l has all bytes
// that were written since the base.
func (m *Manager) newest(ctx context.Context, now Version, info *s3.ObjectInfo, l left) (*Version, error) {
	for _, o := range l.older {
		if ours, err := m.matches(ctx, now, o); ours || err != nil {
			return &now, err
		}
	}
	made := func(r recordAttempt) bool { return r.made(info) }
	if slices.ContainsFunc(l.Attempts, made) {
		return &now, nil
	}
	return l.Base, nil
}

// restore writes the content of l to a file that was opened for it.
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

// each calls do for the data of each extent, in pieces of the size of buf.
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
