package namespace

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// renameRecord is the record of a directory rename in the state directory, with which
// the next mount finishes the rename after a crash. The file is locked during the
// rename, so that a record that can be locked belongs to a dead mount.
type renameRecord struct {
	Bucket string    `json:"bucket"`
	Old    string    `json:"old"` // full keys of the directories
	New    string    `json:"new"`
	When   time.Time `json:"when"` // in seconds, so that all records of a rename have the same length

	file *os.File
}

// clockSkew is the largest difference between this clock and the clock of S3. S3
// refuses requests with a larger difference.
const clockSkew = 15 * time.Minute

const recordSuffix = ".rename.json"

// writeRecord records a rename before its first request. Without a state directory it
// writes no file.
func (r *renamer) writeRecord(old, to string) (*renameRecord, error) {
	it := &renameRecord{Bucket: r.o.Bucket, Old: old, New: to, When: time.Now().UTC().Truncate(time.Second)}
	if r.o.StateDir == "" {
		return it, nil
	}
	data, err := json.Marshal(it)
	if err != nil {
		return nil, fmt.Errorf("encode rename record: %w", err)
	}
	sum := sha256.Sum256([]byte(it.Bucket + "\x00" + old + "\x00" + to))
	it.file, err = lockedFile(filepath.Join(r.o.StateDir, hex.EncodeToString(sum[:8])+recordSuffix), data)
	if err != nil {
		return nil, fmt.Errorf("write rename record: %w", err)
	}
	return it, nil
}

// lockedFile writes a file to disk and locks it while it is open.
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

// end removes the record of a finished or undone rename. Otherwise the record stays for
// the next mount.
func (it *renameRecord) end(finished bool) error {
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
