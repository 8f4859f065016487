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

// journal keeps the content of closed files on disk until S3 has it, so that
// close(2) need not wait (--durability=journal). It is a directory of segments,
// locked with flock(2) for as long as its mount lives; what is left when that
// one died is replayed by the next.
//
// Records are appended one at a time. Those who wait for the disk share one
// fdatasync(2). A segment is deleted when all its records, and all segments
// before it, are done: later segments say which records are.
type journal struct {
	dir   string // of this mount
	limit int64
	size  int64 // of a segment
	lock  *os.File
	turn  chan struct{} // held by the one who appends

	mu       sync.Mutex
	segments []*segment           // oldest first; the last takes records
	live     map[uint64][]*intent // by file, oldest first
	bytes    int64                // of all segments
	files    uint64               // ids given
	names    int                  // segments made
	owed     []*record            // of done and drop, that a full or failing disk did not take
}

// segment is one file of a journal. Its fields are guarded by journal.mu.
type segment struct {
	file    *os.File
	end     int64         // bytes appended
	synced  int64         // bytes on disk
	syncing chan struct{} // closed when the running fdatasync ends; nil: none
	live    int           // intents in it
	broken  bool          // an append failed: takes no more
}

// intent is a record of a file that is not done. Older ones are kept with the
// latest: if the mount dies one of them may be what S3 has.
type intent struct {
	seg   *segment
	seq   uint64
	time  time.Time
	bytes int64
}

const (
	// segmentSize is after how many bytes a new segment begins: disk is given
	// back in these steps.
	segmentSize = 64 << 20
	// journalMost is the most dirty bytes of a file that go to the journal. A
	// larger file streams while it is written, so that its close waits for one
	// part; to write it to disk as well would take longer.
	journalMost = 32 << 20
	// mountPattern names the directories of mounts within the journal directory.
	mountPattern = "mount-*"
	// segmentPattern names segments; numbers sort as they were made.
	segmentPattern = "%016d.journal"
	lockName       = "lock"
)

// errJournalFull sends a file straight to S3.
var errJournalFull = errors.New("journal is full")

// newJournal makes a journal for this mount in dir.
func newJournal(dir string, limit int64) (*journal, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make journal directory: %w", err)
	}
	own, err := os.MkdirTemp(dir, ".new-"+mountPattern) // 0700
	if err != nil {
		return nil, fmt.Errorf("make journal directory: %w", err)
	}
	j := &journal{limit: limit, size: segmentSize, turn: make(chan struct{}, 1), live: map[uint64][]*intent{}}
	// Locked before it has the name under which others look for it.
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

// lockDir locks the directory of a mount; unix.EWOULDBLOCK says that the mount lives.
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

// syncDir puts a directory's entries on disk.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// newFile returns an id for a file.
func (j *journal) newFile() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.files++
	return j.files
}

// put appends a file's record with the data and returns when it is on disk.
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
	// Counted before it is on disk: also one whose sync fails may be replayed if
	// nothing says that it is done.
	j.addPending(r, seg)
	if err := j.sync(seg, end); err != nil {
		return err
	}
	j.ended(r.Ends)
	return nil
}

// done notes that a file's content up to seq is safe elsewhere. The note is not
// waited for: without it the next mount finds the bytes in S3. If the disk does
// not take it, it is owed.
func (j *journal) done(file, seq uint64) error {
	r := &record{Kind: recordDone, File: file, Seq: seq, Time: time.Now()}
	if err := j.finish(r, false); err != nil {
		j.owe(r)
		return err
	}
	return j.pay()
}

func (j *journal) owe(records ...*record) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.owed = append(j.owed, records...)
}

// pay writes the notes that are owed, as far as the disk takes them.
func (j *journal) pay() error {
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

// drop notes that a file was unlinked, and returns when that is on disk. It is
// owed as done's notes are.
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
		return err // the records stay: they may be replayed
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

// count returns how many of the file's intents r ends.
func (j *journal) count(r *record) int {
	all := j.live[r.File]
	if r.Kind == recordDrop {
		return len(all)
	}
	return sort.Search(len(all), func(i int) bool { return all[i].seq > r.Seq })
}

// useless takes segments that nobody needs any more out of the row.
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
	// Only the one whose turn it is changes end.
	end, err := appendRecord(seg.file, seg.end, head, data)
	if err != nil {
		_ = seg.file.Truncate(seg.end) // a torn record is known for what it is, but would take room
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

// appendRecord writes a record at off and returns where it ends.
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

// active returns the segment that takes the next record, a new one if need be.
// The caller has the turn.
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
		// What the next segment holds may rest on changes that nobody waited for.
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

// sync returns when the segment is on disk up to end. Those who come while the
// disk works share the next fdatasync(2).
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
			s.broken = true // what the disk lost cannot be known (fsync(2))
		}
		j.mu.Unlock()
		close(wait)
		if err != nil {
			return fmt.Errorf("sync journal: %w", noSpace(err))
		}
	}
}

// queue returns what waits for S3: files, bytes, and since when.
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

// close ends the journal and deletes it if nothing is left to replay.
func (j *journal) close() error {
	var errs []error
	if err := j.pay(); err != nil {
		errs = append(errs, fmt.Errorf("note what S3 has: %w", err))
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
