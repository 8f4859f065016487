package writeback

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/s3mount/s3mount/s3"
)

// uploadNotes is a file in the state directory with the ids of the running uploads, so that the next
// mount can abort the uploads of a killed process. Its process locks it with flock(2) and deletes it at
// a clean end. Each line is JSON and is written with one write, which also ends a torn line before it.
type uploadNotes struct {
	file *os.File // nil: nothing is recorded

	mu   sync.Mutex
	live map[s3.UploadID]struct{}
}

// noteLine is one line of the file.
type noteLine struct {
	Done   bool   `json:"done,omitempty"` // the upload ended
	Bucket string `json:"bucket"`
	Key    []byte `json:"key"` // bytes, because JSON strings must be UTF-8
	ID     string `json:"id"`
}

func note(id s3.UploadID, done bool) noteLine {
	return noteLine{Done: done, Bucket: id.Bucket, Key: []byte(id.Key), ID: id.ID}
}

func (l noteLine) upload() s3.UploadID {
	return s3.UploadID{Bucket: l.Bucket, Key: string(l.Key), ID: l.ID}
}

// notesPattern names the files; "*" is random.
const notesPattern = "uploads-*.jsonl"

// newUploadNotes creates the file in dir. If dir is empty, nothing is recorded.
func newUploadNotes(dir string) (*uploadNotes, error) {
	n := &uploadNotes{live: map[s3.UploadID]struct{}{}}
	if dir == "" {
		return n, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make state directory: %w", err)
	}
	file, err := os.CreateTemp(dir, ".new-"+notesPattern)
	if err != nil {
		return nil, fmt.Errorf("create the list of uploads: %w", err)
	}
	// Lock the file before it has the name under which other mounts look for it.
	err = unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err == nil {
		name := filepath.Join(dir, filepath.Base(file.Name())[len(".new-"):])
		err = os.Rename(file.Name(), name)
	}
	if err != nil {
		_ = os.Remove(file.Name())
		_ = file.Close()
		return nil, fmt.Errorf("lock the list of uploads: %w", err)
	}
	n.file = file
	return n, nil
}

// path returns the current name of the file.
func (n *uploadNotes) path() string {
	dir, base := filepath.Split(n.file.Name())
	return filepath.Join(dir, base[len(".new-"):])
}

// add records that the upload id runs.
func (n *uploadNotes) add(id s3.UploadID) error {
	n.mu.Lock()
	n.live[id] = struct{}{}
	n.mu.Unlock()
	return n.write(note(id, false))
}

// remove records that the upload id has ended. An error only makes the next mount abort an upload that
// does not exist.
func (n *uploadNotes) remove(id s3.UploadID) {
	n.mu.Lock()
	delete(n.live, id)
	n.mu.Unlock()
	_ = n.write(note(id, true))
}

func (n *uploadNotes) write(l noteLine) error {
	if n.file == nil {
		return nil
	}
	line, err := json.Marshal(l)
	if err != nil {
		return err
	}
	_, err = n.file.Write(slices.Concat([]byte{'\n'}, line, []byte{'\n'}))
	return err
}

// close deletes the file, unless it has running uploads for the next mount.
func (n *uploadNotes) close() error {
	if n.file == nil {
		return nil
	}
	n.mu.Lock()
	left := len(n.live)
	n.mu.Unlock()
	var err error
	if left == 0 {
		err = os.Remove(n.path())
	}
	return errors.Join(err, n.file.Close())
}

// AbortOrphans aborts the multipart uploads and deletes the objects of zeros of dead mounts with the
// same state directory. It returns their number. The caller calls it once after New. Uploads whose
// abort fails stay in the file.
func (m *Manager) AbortOrphans(ctx context.Context) (int, error) {
	if m.o.StateDir == "" {
		return 0, nil
	}
	names, err := filepath.Glob(filepath.Join(m.o.StateDir, notesPattern))
	if err != nil {
		return 0, fmt.Errorf("find lists of uploads: %w", err)
	}
	total := 0
	var errs []error
	for _, name := range names {
		n, err := m.abortNoted(ctx, name)
		total += n
		if err != nil {
			errs = append(errs, fmt.Errorf("abort uploads of %s: %w", name, err))
		}
	}
	return total, errors.Join(errs...)
}

// abortNoted aborts the uploads in one file and deletes the file, unless its mount is alive.
func (m *Manager) abortNoted(ctx context.Context, name string) (int, error) {
	file, err := os.OpenFile(name, os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer file.Close()
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		if errors.Is(err, unix.EWOULDBLOCK) {
			return 0, nil // its mount is alive
		}
		return 0, err
	}
	n := 0
	for _, id := range readNotes(file) {
		if id.Bucket != m.o.Bucket {
			return n, nil // a mount of the other bucket aborts it
		}
		if err := m.endNoted(ctx, id); err != nil {
			return n, err
		}
		n++
	}
	return n, os.Remove(name)
}

// scratch returns the entry of a temporary object. It is an upload without an id.
func (m *Manager) scratch(key string) s3.UploadID {
	return s3.UploadID{Bucket: m.o.Bucket, Key: key}
}

// endNoted aborts an upload, or deletes the temporary object of an entry of scratch.
func (m *Manager) endNoted(ctx context.Context, id s3.UploadID) error {
	if id.ID != "" {
		return m.abort(ctx, id)
	}
	return m.call(ctx, nil, func(ctx context.Context) error {
		_, err := m.store.Delete(ctx, &s3.DeleteInput{Bucket: id.Bucket, Key: id.Key})
		return err
	})
}

// readNotes returns the uploads that had not ended. It ignores a torn last line.
func readNotes(file *os.File) []s3.UploadID {
	var order []s3.UploadID
	done := map[s3.UploadID]bool{}
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var l noteLine
		if json.Unmarshal(lines.Bytes(), &l) != nil {
			continue
		}
		if l.Done {
			done[l.upload()] = true
		} else {
			order = append(order, l.upload())
		}
	}
	live := order[:0]
	for _, id := range order {
		if !done[id] {
			live = append(live, id)
		}
	}
	return live
}
