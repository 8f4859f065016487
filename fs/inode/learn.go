package inode

import (
	"strings"

	"github.com/s3mount/s3mount/fs/entry"
)

// Cause is why a version becomes known.
type Cause uint8

// The causes of Learn.
const (
	// Seen is an answer of S3 to a lookup, a listing or an open.
	Seen Cause = iota
	// Committed is a version that this mount has made of bytes that were written.
	Committed
	// Copied is a copy by this mount with the same bytes, under another key or with other
	// attributes.
	Copied
	// Replaced is another client's version, onto which this mount has copied attributes.
	Replaced
	// Rekeyed is a new key for a file that S3 does not hold.
	Rekeyed
	// Hidden is the copy that keeps the bytes of an inode that has lost its name.
	Hidden
)

// Verdict is the result of Learn.
type Verdict uint8

// The results of Learn.
const (
	Taken   Verdict = iota // the inode shows the version
	Ignored                // the inode stays as it is, and knows better
	Another                // the inode stays as it is, and the name needs another inode
)

// Situation contains the information for Learn that is not in the state.
type Situation struct {
	// At is the moment of the request for Seen, and of the version for Committed,
	// Copied and Replaced.
	At Moment
	// Unsaved is set if the file has data that S3 does not have.
	Unsaved bool
	// Open is set if the file has open handles.
	Open bool
	// Shows says that open handles show the version of the entry, and cannot change to
	// another one.
	Shows bool
	// Over says that a file gets a key under which S3 holds an object, for Rekeyed.
	Over bool
	// Believed replaces default attributes of an entry with the attributes that the
	// kernel knows, for Seen. It may be nil.
	Believed func(*entry.Entry)
}

// Learn updates the state with a version for a cause. No other function does so.
func (s *State) Learn(c Cause, e entry.Entry, in Situation) Verdict {
	if e.Kind != s.entry.Kind {
		return Ignored
	}
	switch c {
	case Seen:
		return s.see(e, in)
	case Committed:
		return s.commit(e, in)
	case Copied:
		return s.copied(e, in)
	case Replaced:
		return s.replace(e, in)
	case Rekeyed:
		return s.rekey(e, in)
	case Hidden:
		return s.hide(e)
	}
	return Ignored
}

// see updates the state with an answer of S3. All handles of an open inode show one
// version, the version of the entry, so that the page cache, the size and fstat(2)
// agree. While attributes are owed, see keeps the version.
func (s *State) see(e entry.Entry, in Situation) Verdict {
	switch {
	case in.At < s.made, in.Unsaved, s.name != Linked, e.Key != s.entry.Key:
		return Ignored
	case in.Shows && !SameVersion(s.entry, e):
		if s.owes {
			return Ignored
		}
		return Another
	}
	if s.owes {
		if e.Exact && !s.entry.Exact {
			s.entry.Attr.Xattr = e.Attr.Xattr // this mount cannot have changed them
		}
		e.Attr = s.entry.Attr
	}
	if !e.Exact && s.entry.Exact && sameObject(e, s.entry) {
		e.Attr, e.Exact = s.entry.Attr, true
	}
	if in.Believed != nil {
		in.Believed(&e)
	}
	s.entry = e
	return Taken
}

// commit updates the state with a version that this mount has committed. The attributes
// stay.
func (s *State) commit(e entry.Entry, in Situation) Verdict {
	if s.name != Linked {
		return Ignored
	}
	if s.pages == s.entry.ETag || !s.stored {
		s.pages = e.ETag // the kernel's pages have seen every write
	}
	e.Key, e.Attr, e.Target = s.entry.Key, s.entry.Attr, s.entry.Target
	e.Exact = true
	s.entry, s.stored, s.made = e, true, in.At
	s.epoch++
	return Taken
}

// copied updates the state with a version with the same content.
func (s *State) copied(e entry.Entry, in Situation) Verdict {
	if s.name != Linked && e.Key != s.entry.Key {
		return Ignored
	}
	if s.entry.Kind == entry.File && s.pages == s.entry.ETag {
		s.pages = e.ETag
	}
	if s.owes {
		e.Attr = s.entry.Attr
	}
	if e.Target == "" {
		e.Target = s.entry.Target
	}
	s.entry, s.stored, s.made = e, true, in.At
	return Taken
}

// replace updates the state with another client's version. Cached data of the previous
// version do not apply to it. Open handles keep their version (P2).
func (s *State) replace(e entry.Entry, in Situation) Verdict {
	if in.Open || in.Unsaved {
		return Ignored // the next open revalidates
	}
	s.shrunk = s.shrunk || e.Size < s.entry.Size
	if s.owes {
		e.Attr = s.entry.Attr // newer ones
	}
	s.entry, s.made = e, in.At
	return Taken
}

// rekey gives a file that S3 does not hold another key.
func (s *State) rekey(e entry.Entry, in Situation) Verdict {
	if s.name != Linked || s.stored {
		return Ignored
	}
	s.entry.Key, s.stored = e.Key, in.Over
	return Taken
}

// hide makes an inode without a name show the copy of its bytes.
func (s *State) hide(e entry.Entry) Verdict {
	if s.name == Linked {
		return Ignored
	}
	s.entry = e
	return Taken
}

// SameVersion reports whether two entries are of the same bytes of one object. Where
// one of them has no ETag, the size and the time decide.
func SameVersion(a, b entry.Entry) bool {
	if a.Size != b.Size {
		return false
	}
	if OpaqueTag(a.ETag) == "" || OpaqueTag(b.ETag) == "" {
		return a.LastModified.Unix() == b.LastModified.Unix()
	}
	return OpaqueTag(a.ETag) == OpaqueTag(b.ETag)
}

// OpaqueTag returns an ETag without its quotes and without the mark of a weak one: some
// servers and proxies write the same ETag in a listing and in a header differently.
func OpaqueTag(etag string) string { return strings.Trim(strings.TrimPrefix(etag, "W/"), `"`) }

// sameObject reports whether two entries are of one object that nobody has written
// between them. A change of attributes alone leaves the ETag as it was.
func sameObject(a, b entry.Entry) bool {
	return a.ETag != "" && a.ETag == b.ETag && a.Key == b.Key && a.Kind == b.Kind &&
		a.LastModified.Sub(b.LastModified).Abs() <= entry.OwnSlack
}
