package inode

import "github.com/s3mount/s3mount/fs/entry"

// Moment orders the questions to S3 and the versions that this mount makes. An answer
// to a question from before the last own version says nothing of that version.
type Moment uint64

// Name says whether an inode has its name.
type Name uint8

// The states of a name; the package documentation has the diagram.
const (
	Linked Name = iota
	Unlinked
	Cut
	Ghost
)

// State is the state of one inode. Its zero value is new and linked.
type State struct {
	entry    entry.Entry
	name     Name
	stored   bool // S3 holds an object under the key
	owes     bool
	timesSet bool
	shrunk   bool
	epoch    uint64
	made     Moment
	pages    string
}

// New returns the state of a file that S3 does not hold.
func New(e entry.Entry) State { return State{entry: e} }

// Stored returns the state of an object that S3 holds.
func Stored(e entry.Entry) State { return State{entry: e, stored: true} }

// IsPlain reports whether nothing is left of the state but an entry that S3 holds.
func (s *State) IsPlain() bool {
	return s.pages == "" && *s == Stored(s.entry)
}

// Entry returns the entry of the object, with attributes that may not be in S3 yet.
func (s *State) Entry() entry.Entry { return s.entry }

// Key returns the key of the object.
func (s *State) Key() string { return s.entry.Key }

// IsStored reports whether S3 holds an object under the key.
func (s *State) IsStored() bool { return s.stored }

// IsLinked reports whether the inode has its name.
func (s *State) IsLinked() bool { return s.name == Linked }

// IsCut reports whether another inode has the name.
func (s *State) IsCut() bool { return s.name == Cut }

// IsGhost reports whether S3 never had the file, and the kernel may still believe in it.
func (s *State) IsGhost() bool { return s.name == Ghost }

// Epoch returns the number of versions that this mount has made. Readers of an older
// one are renewed.
func (s *State) Epoch() uint64 { return s.epoch }

// NextEpoch makes all readers be renewed.
func (s *State) NextEpoch() { s.epoch++ }

// Unlink takes the name away. It reports whether the inode had it.
func (s *State) Unlink() bool { return s.leave(Unlinked) }

// Cut gives the name to another inode. It reports whether this one had it.
func (s *State) Cut() bool { return s.leave(Cut) }

// Vanish removes the name of a file whose data could not be saved. It returns false if
// S3 may have an older object, to which the name then belongs.
func (s *State) Vanish() bool { return !s.stored && s.leave(Ghost) }

// leave changes the state of the name to to if it is Linked, and reports whether it
// was.
func (s *State) leave(to Name) bool {
	if s.name != Linked {
		return false
	}
	s.name = to
	return true
}

// Pages returns the ETag of the version in the page cache, or "".
func (s *State) Pages() string { return s.pages }

// SetPages records that the page cache may contain pages of a version, and of no other.
func (s *State) SetPages(etag string) { s.pages = etag }

// HasShrunk reports whether another client made the file smaller than the kernel knows.
func (s *State) HasShrunk() bool { return s.shrunk }

// ShrinkFrom notes that the kernel knows a size.
func (s *State) ShrinkFrom(size int64) { s.shrunk = s.shrunk || s.entry.Size < size }

// Tell notes that the kernel hears the size now.
func (s *State) Tell() { s.shrunk = false }
