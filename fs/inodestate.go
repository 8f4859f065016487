package fs

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/s3mount/s3mount/fs/entry"
	ino "github.com/s3mount/s3mount/fs/inode"
	"github.com/s3mount/s3mount/fs/readahead"
	"github.com/s3mount/s3mount/fs/writeback"
	"github.com/s3mount/s3mount/s3"
)

// state is what an inode shows. Of an inode that was only looked up it is a packed
// entry; what only open and changed inodes need is in used.
//
//	           lock
//	looked up ──────▶ used ──┐
//	    ▲                    │ unlock, while something but the entry is there
//	    └── unlock, else ────┘
type state struct {
	mutex sync.Mutex // guards what follows; see lock
	told  *telling   // permissions that the kernel was told; nil if there are none, as with access off
	key   string     // of known
	known entry.Packed
	*used               // nil: the inode was only looked up
	count *atomic.Int64 // counts the inodes that have a used
}

// used is the state of an inode that is open, was opened, or was changed by this mount.
type used struct {
	ino.State // state of the object and of the name
	openFile

	// properties of the object from other tools; nil if unknown
	foreign *s3.ObjectOptions
	// checked is when S3 was last asked for the object by a GET or HEAD of an open, or
	// written to, and had the version of the entry. It is set only with Options.OpenTTL.
	checked time.Time
	// noted is the journal's record of the attributes that the inode owes.
	noted *writeback.JournaledChange
	// sent are the attributes that a request under way gives the object; nil: none.
	sent *entry.Attr
	// listed is when this mount last changed the entries of a directory. Its
	// times show that as long as the inode lives; to store it would cost a PUT
	// for each directory that something is written in.
	listed time.Time
	// stamped is a ctime that is not saved to S3 (see stamp).
	stamped time.Time
}

// openFile is the state of a file that has open handles, or unsaved bytes.
type openFile struct {
	opens   int  // open handles
	writers int  // open handles that may write, and truncate(2) under way
	saving  int  // handles that wrote and are being released
	direct  bool // the open handles bypass the page cache
	// backing is the file of the disk cache that the kernel reads by itself; all
	// open handles are of that mode, or none is.
	backing *backing

	// file holds unsaved bytes; nil while nobody has the file open for writing.
	file *writeback.File
	base *readahead.Reader // reader of the base of file; closed together with it
	// changed says that bytes were written, or the size set, since file was opened or
	// committed.
	changed bool
	// conflict says that another client wrote the object first. The bytes of file are
	// kept elsewhere, and the inode shows again what S3 holds once file is let go.
	conflict bool
	// hidden is the hidden object with the data of an open file whose key is gone.
	hidden *entry.Entry
}

// lookUp makes s the state of a new inode of an object that S3 holds.
func (s *state) lookUp(e entry.Entry, count *atomic.Int64) {
	s.key, s.known, s.count = e.Key, entry.Pack(e), count
}

// create makes s the state of a new inode of a file that S3 does not hold.
func (s *state) create(e entry.Entry, count *atomic.Int64) {
	s.used, s.count = &used{State: ino.New(e)}, count
	count.Add(1)
}

// lock locks the state, and creates used if necessary.
func (s *state) lock() {
	s.mutex.Lock()
	if s.used == nil {
		s.used = &used{State: ino.Stored(s.known.Entry(s.key))}
		s.counted(1)
	}
}

// counted counts an inode that got a used, or lost it.
func (s *state) counted(delta int64) {
	if s.count != nil {
		s.count.Add(delta)
	}
}

// leave ends that the inode is counted, because it leaves the table.
func (s *state) leave() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.used != nil {
		s.counted(-1)
	}
	s.count = nil
}

// keyNow returns the key of the entry.
func (s *state) keyNow() string {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.used != nil {
		return s.Key()
	}
	return s.key
}

// unlock ends lock. Nothing is kept of an inode but its entry if there is nothing else.
func (s *state) unlock() {
	if s.used.isPlain() {
		s.key, s.known = s.Key(), entry.Pack(s.Entry())
		s.used = nil
		s.counted(-1)
	}
	s.mutex.Unlock()
}

// isPlain reports whether the state contains only the entry of an object in S3.
func (u *used) isPlain() bool {
	if u.openFile != (openFile{}) || u.foreign != nil || !u.IsPlain() {
		return false // the usual cases, without a copy
	}
	rest := *u
	rest.State = ino.State{}
	return rest == used{}
}

// peek returns the entry if the inode was only looked up.
func (s *state) peek() (e entry.Entry, ok bool) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.used != nil {
		return e, false
	}
	return s.known.Entry(s.key), true
}

// is reports whether the inode was only looked up and e says nothing new of it.
func (s *state) is(e entry.Entry) bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.used == nil && s.key == e.Key && s.known == entry.Pack(e)
}

// isUsed reports whether the inode is more than looked up.
func (s *state) isUsed() bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.used != nil
}
