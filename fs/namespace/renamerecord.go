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
func (r *renamer) writeIntent(old, to string) (*intent, error) {
	it := &intent{Bucket: r.o.Bucket, Old: old, New: to, When: time.Now().UTC().Truncate(time.Second)}
	if r.o.StateDir == "" {
		return it, nil
	}
	data, err := json.Marshal(it)
	if err != nil {
		return nil, fmt.Errorf("encode rename record: %w", err)
	}
	sum := sha256.Sum256([]byte(it.Bucket + "\x00" + old + "\x00" + to))
	it.file, err = lockedFile(filepath.Join(r.o.StateDir, hex.EncodeToString(sum[:8])+intentSuffix), data)
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
