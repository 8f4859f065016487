package writeback

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Waiting describes a journal of a dead mount with records that are not done.
type Waiting struct {
	Dir     string // the folder of the journal
	Records int    // the number of files and of changes of names and attributes
	Bytes   int64  // the size of the files
	// Prefix is the longest prefix that ends in "/", or "", of all keys of the records. A mount of
	// this prefix replays the records.
	Prefix string
}

// Waiting returns the journals of dead mounts with records for the bucket that Replay has not
// carried out.
func (m *Manager) Waiting() ([]Waiting, error) {
	dirs, err := m.journals()
	if err != nil {
		return nil, err
	}
	var all []Waiting
	var errs []error
	for _, dir := range dirs {
		lock, found, err := m.openDead(dir)
		if err != nil {
			errs = append(errs, fmt.Errorf("read journal %s: %w", dir, err))
		}
		if lock == nil {
			continue
		}
		if w := m.waitingIn(dir, found.left); w.Records > 0 {
			all = append(all, w)
		}
		errs = append(errs, lock.Close())
	}
	return all, errors.Join(errs...)
}

// waitingIn counts the records for the bucket.
func (m *Manager) waitingIn(dir string, records []left) Waiting {
	w := Waiting{Dir: dir}
	for _, l := range records {
		if l.Bucket != m.o.Bucket {
			continue
		}
		keys := []string{string(l.Key)}
		if l.Kind == recordName && len(l.Change.To) > 0 {
			keys = append(keys, string(l.Change.To))
		}
		for i, key := range keys {
			dir := key[:strings.LastIndexByte(key, '/')+1]
			if w.Records == 0 && i == 0 {
				w.Prefix = dir
			}
			w.Prefix = commonDir(w.Prefix, dir)
		}
		w.Records++
		w.Bytes += l.data()
	}
	return w
}

// commonDir returns the longest common directory prefix of two directories.
func commonDir(a, b string) string {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return a[:strings.LastIndexByte(a[:n], '/')+1]
}

// Kept describes the files in the recovery directory.
type Kept struct {
	Dir   string
	Files int
	Bytes int64
}

// Kept returns the number and size of the files in the recovery directory.
func (m *Manager) Kept() Kept {
	k := Kept{Dir: m.o.RecoveryDir}
	entries, err := os.ReadDir(k.Dir)
	if err != nil {
		return k // it does not exist, or it is not readable
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), missingSuffix) {
			continue
		}
		k.Files++
		if info, err := os.Stat(filepath.Join(k.Dir, e.Name())); err == nil && !info.IsDir() {
			k.Bytes += info.Size()
		}
	}
	return k
}
