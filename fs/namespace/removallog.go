package namespace

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/s3mount/s3mount/fs/entry"
)

// removalLog records the removals that were acknowledged and are not in S3 yet, in
// the state directory, so that the next mount finishes them after a crash. A record
// is one line. It is not synced to the disk: it outlives the process, as names do on
// a local filesystem. The file is locked for as long as its mount lives, and empty
// while nothing is under way.
type removalLog struct {
	dir  string        // "" records nothing
	turn chan struct{} // held while the file and the following fields are used
	file *os.File      // nil until the first record
	end  int64
	open map[*deletion][]byte // the records that count
}

// removalRecord is a line of a removalLog.
type removalRecord struct {
	Bucket   string    `json:"bucket"`
	Key      []byte    `json:"key"` // JSON has no strings that are not UTF-8
	Dir      bool      `json:"dir,omitempty"`
	ETag     string    `json:"etag,omitempty"`
	Modified time.Time `json:"modified"` // of the version that was removed; zero if unknown
	When     time.Time `json:"when"`     // of the removal
}

const (
	removalSuffix = ".removals"
	// removalLogSize is the size in bytes from which on the log is written anew with
	// the records that still count: some 20,000 records.
	removalLogSize = 4 << 20
	// removalSlack is the largest difference between the modification time of an object
	// and the time in the record of its removal. The time of an object that this mount
	// has written comes from the answer and has a resolution of seconds.
	removalSlack = 2 * time.Second
)

func newRemovalLog(dir string) *removalLog {
	return &removalLog{dir: dir, turn: make(chan struct{}, 1), open: map[*deletion][]byte{}}
}

// add records a removal, unless it has ended already.
func (l *removalLog) add(bucket string, d *deletion, now time.Time) error {
	if l.dir == "" {
		return nil
	}
	e := d.entry
	line, err := json.Marshal(removalRecord{Bucket: bucket, Key: []byte(e.Key), Dir: e.Kind == entry.Directory,
		ETag: e.ETag, Modified: e.LastModified, When: now})
	if err != nil {
		return fmt.Errorf("encode the record of a removal: %w", err)
	}
	line = append(line, '\n')
	l.turn <- struct{}{}
	defer func() { <-l.turn }()
	select {
	case <-d.done:
		return nil
	default:
	}
	if l.end > removalLogSize {
		if err := l.rewrite(); err != nil {
			return err
		}
	}
	if err := l.write(line); err != nil {
		return err
	}
	l.open[d] = line
	return nil
}

// write appends to the file, which it makes if there is none.
func (l *removalLog) write(lines []byte) (err error) {
	if l.file == nil {
		if l.file, err = lockedFile(filepath.Join(l.dir, rand.Text()+removalSuffix), nil); err != nil {
			return fmt.Errorf("record a removal: %w", err)
		}
	}
	if _, err := l.file.WriteAt(lines, l.end); err != nil {
		return fmt.Errorf("record a removal: %w", err)
	}
	l.end += int64(len(lines))
	return nil
}

// rewrite goes on with a new file that has the records that count only.
func (l *removalLog) rewrite() error {
	old := l.file
	l.file, l.end = nil, 0
	if err := l.write(slices.Concat(slices.Collect(maps.Values(l.open))...)); err != nil {
		return err
	}
	return removeRecord(old)
}

// ended forgets removals that S3 has executed or refused.
func (l *removalLog) ended(batch []*deletion) error {
	l.turn <- struct{}{}
	defer func() { <-l.turn }()
	for _, d := range batch {
		delete(l.open, d)
	}
	if len(l.open) > 0 || l.end == 0 {
		return nil
	}
	l.end = 0
	if err := l.file.Truncate(0); err != nil {
		return fmt.Errorf("empty the record of removals: %w", err)
	}
	return nil
}

// close ends the log. The next mount finishes pending removals.
func (l *removalLog) close() error {
	l.turn <- struct{}{}
	defer func() { <-l.turn }()
	switch {
	case l.file == nil:
		return nil
	case len(l.open) > 0:
		return l.file.Close()
	}
	return removeRecord(l.file)
}

// removeRecord removes a locked file, and then gives the lock back.
func removeRecord(f *os.File) error {
	if f == nil {
		return nil
	}
	return errors.Join(os.Remove(f.Name()), f.Close())
}

// record notes a removal before it is acknowledged. If that is not possible, the
// caller must wait for S3.
func (q *queue) record(d *deletion) (recorded bool) {
	if d.none || q.o.Journaled {
		return true // there is nothing in S3, or the caller keeps the record
	}
	if err := q.removals.add(q.o.Bucket, d, time.Now()); err != nil {
		q.o.Logger.Warn("cannot record a removal; it waits for S3", "key", d.entry.Key, "err", err)
		return false
	}
	return true
}

// recorded ends the records of a batch.
func (q *queue) recorded(batch []*deletion) {
	if err := q.removals.ended(batch); err != nil {
		q.o.Logger.Warn("cannot forget removals that S3 has executed", "err", err)
	}
}
