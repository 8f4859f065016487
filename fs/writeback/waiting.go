package writeback

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Waiting is a journal of a dead mount with records that S3 does not hold.
type Waiting struct {
	Dir     string // of the journal
	Records int    // files and changes of names and attributes
	Bytes   int64  // of the files
	// Prefix is the longest prefix that ends in "/", or "", below which all
	// records lie: a mount of it replays them.
	Prefix string
}

// Waiting returns the journals of dead mounts that hold records for the bucket.
// Those that Replay has carried out are not among them.
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

// commonDir returns the longest common prefix of two directories that is one.
func commonDir(a, b string) string {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return a[:strings.LastIndexByte(a[:n], '/')+1]
}

// Kept are the files in the recovery directory.
type Kept struct {
	Dir   string
	Files int
	Bytes int64
}

// Kept returns what is in the recovery directory, until the user removes it.
func (m *Manager) Kept() Kept {
	k := Kept{Dir: m.o.RecoveryDir}
	entries, err := os.ReadDir(k.Dir)
	if err != nil {
		return k // nothing was ever kept, or nobody can see it
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
