package writeback

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"sort"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/s3mount/s3mount/cache"
)

// journal keeps the content of closed files on disk until S3 has it, so that close(2) does not
// wait for S3 (--durability=journal). It is a directory of segments, which its mount locks with
// flock(2). The next mount replays the journal of a dead mount.
//
// Records are appended one at a time. Concurrent callers share one fdatasync(2). A segment is
// deleted when all records in it and in the segments before it are done, because later segments
// record which ones are done.
type journal struct {
	dir   string // the directory of this mount
	limit int64
	size  int64 // the size of a segment
	lock  *os.File
	turn  chan struct{} // held by the goroutine that appends

	mu       sync.Mutex
	segments []*segment                  // oldest first; records go to the last one
	live     map[uint64][]*pendingRecord // by file, oldest first
	bytes    int64                       // the size of all segments
	files    uint64                      // the number of ids
	names    int                         // the number of segments created
	owed     []*record                   // done and drop records that a full or failing disk did not take
}

// segment is one file of a journal. journal.mu guards its fields.
type segment struct {
	file    *os.File
	end     int64         // bytes appended
	synced  int64         // bytes on disk
	syncing chan struct{} // closed when the running fdatasync ends; nil: none
	live    int           // pending records in it
	broken  bool          // an append failed: no more records go to it
}

// pendingRecord is a record of a file that is not done. The older records of a file are kept with
// the latest one, because S3 may have any of them after a crash.
type pendingRecord struct {
	seg   *segment
	seq   uint64
	time  time.Time
	bytes int64
}

const (
	// segmentSize is the size after which a new segment begins. Disk space is released in
	// these steps.
	segmentSize = 64 << 20
	// journalMost is the largest number of dirty bytes of a file that goes to the journal. A
	// larger file streams while it is written, so that its close waits for one part. Writing
	// it to the disk, too, would take longer.
	journalMost = 32 << 20
	// mountPattern names the directories of mounts within the journal directory.
	mountPattern = "mount-*"
	// segmentPattern names segments. The numbers sort in the order of creation.
	segmentPattern = "%016d.journal"
	lockName       = "lock"
)

// errJournalFull sends a file directly to S3.
var errJournalFull = errors.New("the journal is full")

// newJournal creates the journal of this mount in dir.
func newJournal(dir string, limit int64) (*journal, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make journal directory: %w", err)
	}
	own, err := os.MkdirTemp(dir, ".new-"+mountPattern) // 0700
	if err != nil {
		return nil, fmt.Errorf("make journal directory: %w", err)
	}
	j := &journal{limit: limit, size: segmentSize, turn: make(chan struct{}, 1), live: map[uint64][]*pendingRecord{}}
	// Lock the directory before it has the name under which other mounts look for it.
	if j.lock, err = lockDir(own); err == nil {
		j.dir = filepath.Join(dir, filepath.Base(own)[len(".new-"):])
		err = errors.Join(os.Rename(own, j.dir), syncDir(dir))
	}
	if err != nil {
		_ = os.RemoveAll(own)
		return nil, fmt.Errorf("lock journal directory: %w", err)
	}
	return j, nil
}

// lockDir locks the directory of a mount. unix.EWOULDBLOCK means that the mount is alive.
func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// syncDir syncs the entries of a directory.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// newFile returns a new id of a file.
func (j *journal) newFile() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.files++
	return j.files
}

// put appends a file's record with its data and returns when it is on disk.
func (j *journal) put(ctx context.Context, r *record, data io.Reader) error {
	n := r.data()
	j.mu.Lock()
	full := j.bytes+n > j.limit
	j.mu.Unlock()
	if full {
		return errJournalFull
	}
	seg, end, err := j.append(ctx, r, data)
	if err != nil {
		return err
	}
	// Count the record before it is on disk: even if the sync fails, a replay may find
	// the record, unless another record ends it.
	j.addPending(r, seg)
	if err := j.sync(seg, end); err != nil {
		return err
	}
	j.ended(r.Ends)
	return nil
}

// done records that a file's content up to seq is safe elsewhere. It does not wait for the
// disk: without this record the next mount finds the bytes in S3. If the disk does not take
// the record, it is kept in owed.
func (j *journal) done(file, seq uint64) error {
	r := &record{Kind: recordDone, File: file, Seq: seq, Time: time.Now()}
	if err := j.finish(r, false); err != nil {
		j.owe(r)
		return err
	}
	return j.writeOwed()
}

func (j *journal) owe(records ...*record) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.owed = append(j.owed, records...)
}

// writeOwed writes the owed records, as far as the disk takes them.
func (j *journal) writeOwed() error {
	j.mu.Lock()
	owed := j.owed
	j.owed = nil
	j.mu.Unlock()
	for i, r := range owed {
		if err := j.finish(r, false); err != nil {
			j.owe(owed[i:]...)
			return err
		}
	}
	return nil
}

// drop records that a file was unlinked, and returns when the record is on disk. If the disk does
// not take the record, it is kept in owed.
func (j *journal) drop(file uint64) error {
	r := &record{Kind: recordDrop, File: file, Time: time.Now()}
	err := j.finish(r, true)
	if err != nil {
		j.owe(r)
	}
	return err
}

func (j *journal) finish(r *record, wait bool) error {
	j.mu.Lock()
	n := j.count(r)
	j.mu.Unlock()
	if n == 0 {
		return nil
	}
	seg, end, err := j.append(context.Background(), r, nil)
	if err == nil && wait {
		err = j.sync(seg, end)
	}
	if err != nil {
		return err // the records stay, and may be replayed
	}
	j.mu.Lock()
	all := j.live[r.File]
	n = min(n, len(all))
	for _, in := range all[:n] {
		in.seg.live--
	}
	if j.live[r.File] = all[n:]; n == len(all) {
		delete(j.live, r.File)
	}
	old := j.useless()
	j.mu.Unlock()
	return removeSegments(old)
}

// count returns the number of the file's pending records that r ends.
func (j *journal) count(r *record) int {
	all := j.live[r.File]
	if r.Kind == recordDrop {
		return len(all)
	}
	return sort.Search(len(all), func(i int) bool { return all[i].seq > r.Seq })
}

// useless removes segments without pending records from the list and returns them.
func (j *journal) useless() (old []*segment) {
	for len(j.segments) > 1 && j.segments[0].live == 0 && j.segments[0].syncing == nil {
		old = append(old, j.segments[0])
		j.bytes -= j.segments[0].end
		j.segments = j.segments[1:]
	}
	return old
}

func removeSegments(segments []*segment) error {
	var errs []error
	for _, s := range segments {
		errs = append(errs, os.Remove(s.file.Name()), s.file.Close())
	}
	return errors.Join(errs...)
}

// append writes one record and returns its segment and end.
func (j *journal) append(ctx context.Context, r *record, data io.Reader) (*segment, int64, error) {
	head, err := r.encodeHead()
	if err != nil {
		return nil, 0, err
	}
	select {
	case j.turn <- struct{}{}:
		defer func() { <-j.turn }()
	case <-ctx.Done():
		return nil, 0, ctx.Err()
	}
	seg, err := j.active()
	if err != nil {
		return nil, 0, err
	}
	// Only the holder of the turn changes end.
	end, err := appendRecord(seg.file, seg.end, head, data)
	if err != nil {
		_ = seg.file.Truncate(seg.end) // a torn record is harmless, but it takes room
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if err != nil {
		seg.broken = true
		return nil, 0, fmt.Errorf("write journal: %w", noSpace(err))
	}
	j.bytes += end - seg.end
	seg.end = end
	return seg, end, nil
}

// appendRecord writes a record at off and returns the offset of its end.
func appendRecord(f *os.File, off int64, head []byte, data io.Reader) (int64, error) {
	if _, err := f.WriteAt(head, off); err != nil {
		return off, err
	}
	off += int64(len(head))
	sum := crc32.New(crc32.MakeTable(crc32.Castagnoli))
	if data != nil {
		w := io.MultiWriter(io.NewOffsetWriter(f, off), sum)
		n, err := io.CopyBuffer(w, struct{ io.Reader }{data}, make([]byte, cache.BlockSize))
		if err != nil {
			return off, err
		}
		off += n
	}
	_, err := f.WriteAt(binary.LittleEndian.AppendUint32(nil, sum.Sum32()), off)
	return off + recordTrailer, err
}

// active returns the segment for the next record. It creates a new one if necessary. The caller
// has the turn.
func (j *journal) active() (*segment, error) {
	var last *segment
	var end int64
	j.mu.Lock()
	if n := len(j.segments); n > 0 {
		if s := j.segments[n-1]; !s.broken && s.end < j.size {
			j.mu.Unlock()
			return s, nil
		}
		if s := j.segments[n-1]; !s.broken {
			last, end = s, s.end
		}
	}
	j.names++
	name := filepath.Join(j.dir, fmt.Sprintf(segmentPattern, j.names))
	j.mu.Unlock()
	if last != nil {
		// The records of the next segment may depend on changes that were not synced.
		if err := j.sync(last, end); err != nil {
			return nil, err
		}
	}
	file, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("make journal segment: %w", noSpace(err))
	}
	if err := syncDir(j.dir); err != nil {
		return nil, errors.Join(fmt.Errorf("make journal segment: %w", err), file.Close(), os.Remove(name))
	}
	s := &segment{file: file}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.segments = append(j.segments, s)
	return s, nil
}

// sync returns when the segment is on disk up to end. Callers that arrive during an fdatasync(2)
// share the next one.
func (j *journal) sync(s *segment, end int64) error {
	for {
		j.mu.Lock()
		switch {
		case s.synced >= end:
			j.mu.Unlock()
			return nil
		case s.syncing != nil:
			wait := s.syncing
			j.mu.Unlock()
			<-wait
			continue
		case s.broken:
			j.mu.Unlock()
			return fmt.Errorf("journal segment %s is broken", s.file.Name())
		}
		wait, upTo := make(chan struct{}), s.end
		s.syncing = wait
		j.mu.Unlock()

		err := unix.Fdatasync(int(s.file.Fd()))

		j.mu.Lock()
		s.syncing = nil
		if err == nil {
			s.synced = upTo
		} else {
			s.broken = true // it is unknown what the disk has lost (fsync(2))
		}
		j.mu.Unlock()
		close(wait)
		if err != nil {
			return fmt.Errorf("sync journal: %w", noSpace(err))
		}
	}
}

// queue returns the number and size of the files that wait for S3, and the time of the oldest.
func (j *journal) queue() (files int, bytes int64, oldest time.Time) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, all := range j.live {
		bytes += all[len(all)-1].bytes
		if first := all[0].time; oldest.IsZero() || first.Before(oldest) {
			oldest = first
		}
	}
	return len(j.live), bytes, oldest
}

// close closes the journal and deletes it if it has no pending records.
func (j *journal) close() error {
	var errs []error
	if err := j.writeOwed(); err != nil {
		errs = append(errs, fmt.Errorf("record the committed files: %w", err))
	}
	j.mu.Lock()
	segments, left := j.segments, len(j.live)
	j.segments = nil
	j.mu.Unlock()
	for _, s := range segments {
		errs = append(errs, s.file.Close())
	}
	if left == 0 {
		errs = append(errs, os.RemoveAll(j.dir))
	}
	return errors.Join(append(errs, j.lock.Close())...)
}
