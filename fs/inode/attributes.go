package inode

import (
	"time"

	"github.com/s3mount/s3mount/fs/entry"
)

// SetAttr changes the attributes. The caller makes the inode owe them, if S3 is to hold
// them.
func (s *State) SetAttr(a entry.Attr) { s.entry.Attr = a }

// SetTimes notes that a program has set the mtime, so that a commit must keep it.
func (s *State) SetTimes() { s.timesSet = true }

// Touch gives the file the times of a write.
func (s *State) Touch(t time.Time) {
	s.entry.Attr.Mtime, s.entry.Attr.Ctime = t, t
	s.timesSet = false
}

// Owe makes the inode owe its attributes to S3.
func (s *State) Owe() { s.owes = true }

// Owes reports whether S3 does not hold the attributes yet.
func (s *State) Owes() bool { return s.owes }

// Settle notes that S3 holds the attributes.
func (s *State) Settle() { s.owes = false }

// Refuse notes that S3 does not take the attributes. Those of the object are not known.
func (s *State) Refuse() { s.owes, s.entry.Exact = false, false }

// Carried records that the last commit has stored other attributes than the current
// ones, because its upload ran during writes. It resets the times that only writes have
// changed to the stored ones, unless keepTimes is set because the file is being
// written. Storing these times would cost a copy of a large object.
func (s *State) Carried(a entry.Attr, keepTimes bool) {
	if !s.timesSet && !keepTimes {
		s.entry.Attr.Mtime, s.entry.Attr.Ctime = a.Mtime, a.Ctime
	}
	now := s.entry.Attr
	s.owes = now.Perm != a.Perm || now.UID != a.UID || now.GID != a.GID || !now.Mtime.Equal(a.Mtime) || now.Xattr != a.Xattr
}
