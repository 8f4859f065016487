package namespace

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// intent is the record of a directory rename under way, kept in the state
// directory so that the next mount finishes it after a crash. The file is
// locked for as long as the rename runs: a record that can be locked belongs
// to nobody any more.
type intent struct {
	Bucket string    `json:"bucket"`
	Old    string    `json:"old"` // full keys of the directories
	New    string    `json:"new"`
	When   time.Time `json:"when"` // in seconds, so that a record is as long as one that it is written over

	file *os.File
}

// clockSkew is how much the clock of S3 may differ from this one: it refuses
// requests that are off by more.
const clockSkew = 15 * time.Minute

const intentSuffix = ".rename.json"

// writeIntent records a rename before its first request. Without a state
// directory there is no record.
func (n *Namespace) writeIntent(old, to string) (*intent, error) {
	it := &intent{Bucket: n.o.Bucket, Old: old, New: to, When: time.Now().UTC().Truncate(time.Second)}
	if n.o.StateDir == "" {
		return it, nil
	}
	data, err := json.Marshal(it)
	if err != nil {
		return nil, fmt.Errorf("encode rename record: %w", err)
	}
	sum := sha256.Sum256([]byte(it.Bucket + "\x00" + old + "\x00" + to))
	it.file, err = lockedFile(filepath.Join(n.o.StateDir, hex.EncodeToString(sum[:8])+intentSuffix), data)
	if err != nil {
		return nil, fmt.Errorf("write rename record: %w", err)
	}
	return it, nil
}

// lockedFile makes a file that outlives a crash and belongs to this process
// for as long as it is open.
func lockedFile(path string, data []byte) (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err = lockFile(f); err == nil {
		_, err = f.WriteAt(data, 0)
	}
	if err == nil {
		err = f.Sync()
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func lockFile(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) }

// end removes the record if the rename is finished or undone; otherwise it
// stays for the next mount.
func (it *intent) end(finished bool) error {
	if it.file == nil {
		return nil
	}
	defer it.file.Close() // gives the lock back
	if !finished {
		return nil
	}
	if err := os.Remove(it.file.Name()); err != nil {
		return fmt.Errorf("remove rename record: %w", err)
	}
	return nil
}

// Recover finishes the directory renames of mounts that died. It is called
// once, before the first operation.
func (n *Namespace) Recover(ctx context.Context) error {
	if n.o.StateDir == "" {
		return nil
	}
	found, err := os.ReadDir(n.o.StateDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read state directory: %w", err)
	}
	var errs []error
	for _, d := range found {
		path := filepath.Join(n.o.StateDir, d.Name())
		switch {
		case strings.HasSuffix(d.Name(), intentSuffix):
			errs = append(errs, n.recoverOne(ctx, path))
		case strings.HasSuffix(d.Name(), removalSuffix):
			errs = append(errs, n.recoverRemovals(ctx, path))
		}
	}
	return errors.Join(errs...)
}

// recoverOne finishes one rename, unless it is another bucket's or a mount
// that lives is at it.
func (n *Namespace) recoverOne(ctx context.Context, path string) error {
	it := &intent{}
	var err error
	if it.file, err = n.takeRecord(path, it); it.file == nil {
		return err
	}
	mine := it.Bucket == n.o.Bucket && strings.HasPrefix(it.Old, n.o.Prefix) && strings.HasPrefix(it.New, n.o.Prefix)
	if !mine || !strings.HasSuffix(it.Old, "/") || !strings.HasSuffix(it.New, "/") || strings.HasPrefix(it.New, it.Old) {
		return it.end(false)
	}
	n.o.Logger.Info("finishing a rename that was interrupted", "old", it.Old, "new", it.New)
	m := n.newMove(it.Old, it.New, nil)
	m.careful = true
	if !it.When.IsZero() {
		m.until = it.When.Add(clockSkew)
	}
	err = m.run(ctx)
	n.InvalidateAll() // what stays under the old name keeps its directory
	if endErr := it.end(err == nil); err == nil {
		err = endErr
	}
	if err != nil {
		return fmt.Errorf("finish rename of %q to %q: %w", it.Old, it.New, err)
	}
	return nil
}

// takeRecord reads the record of what a mount that died was at, and locks it.
// The file is nil if there is nothing to do: a mount that lives is at it, or it
// cannot be read, and then it is dropped.
func (n *Namespace) takeRecord(path string, into any) (*os.File, error) {
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
		n.o.Logger.Warn("a rename record cannot be read and is dropped", "path", path, "err", err)
		return nil, (&intent{file: f}).end(true)
	}
	return f, nil
}
