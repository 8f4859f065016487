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
)

// intent is the record of a directory rename under way, kept in the state
// directory so that the next mount finishes it after a crash. The file is
// locked for as long as the rename runs: a record that can be locked belongs
// to nobody any more.
type intent struct {
	Bucket string `json:"bucket"`
	Old    string `json:"old"` // full keys of the directories
	New    string `json:"new"`

	file *os.File
}

const intentSuffix = ".rename.json"

// writeIntent records a rename before its first request. Without a state
// directory there is no record.
func (n *Namespace) writeIntent(old, to string) (*intent, error) {
	it := &intent{Bucket: n.o.Bucket, Old: old, New: to}
	if n.o.StateDir == "" {
		return it, nil
	}
	data, err := json.Marshal(it)
	if err != nil {
		return nil, fmt.Errorf("encode rename record: %w", err)
	}
	if err := os.MkdirAll(n.o.StateDir, 0o700); err != nil {
		return nil, fmt.Errorf("make state directory: %w", err)
	}
	sum := sha256.Sum256(data)
	path := filepath.Join(n.o.StateDir, hex.EncodeToString(sum[:8])+intentSuffix)
	it.file, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("write rename record: %w", err)
	}
	if err = lockFile(it.file); err == nil {
		_, err = it.file.WriteAt(data, 0)
	}
	if err == nil {
		err = it.file.Sync()
	}
	if err != nil {
		it.file.Close()
		return nil, fmt.Errorf("write rename record: %w", err)
	}
	return it, nil
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
		if strings.HasSuffix(d.Name(), intentSuffix) {
			errs = append(errs, n.recoverOne(ctx, filepath.Join(n.o.StateDir, d.Name())))
		}
	}
	return errors.Join(errs...)
}

// recoverOne finishes one rename, unless it is another bucket's or a mount
// that lives is at it.
func (n *Namespace) recoverOne(ctx context.Context, path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open rename record: %w", err)
	}
	it := &intent{file: f}
	if lockFile(f) != nil {
		return it.end(false)
	}
	data, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(data, it)
	}
	if err != nil {
		n.o.Logger.Warn("a rename record cannot be read and is dropped", "path", path, "err", err)
		return it.end(true)
	}
	mine := it.Bucket == n.o.Bucket && strings.HasPrefix(it.Old, n.o.Prefix) && strings.HasPrefix(it.New, n.o.Prefix)
	if !mine || !strings.HasSuffix(it.Old, "/") || !strings.HasSuffix(it.New, "/") || strings.HasPrefix(it.New, it.Old) {
		return it.end(false)
	}
	n.o.Logger.Info("finishing a rename that was interrupted", "old", it.Old, "new", it.New)
	m := n.newMove(it.Old, it.New, nil)
	m.careful = true
	err = m.run(ctx)
	if endErr := it.end(err == nil); err == nil {
		err = endErr
	}
	if err != nil {
		return fmt.Errorf("finish rename of %q to %q: %w", it.Old, it.New, err)
	}
	return nil
}
