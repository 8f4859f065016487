package entry

import (
	"strings"
	"time"
)

// Entry is what this mount knows of one name.
type Entry struct {
	// Key is the full key. The key of a directory ends in "/", or is the beginning
	// of a segment that is too long for one name. The key of the root is the prefix
	// of the mount.
	Key          string
	Kind         Kind
	Size         int64
	ETag         string
	LastModified time.Time
	VersionID    string
	Attr         Attr
	Target       string // the target of a symlink, if it is known
	Exact        bool   // Attr was read from the object or written to it; otherwise it holds defaults
	Implicit     bool   // the entry is a directory without a marker
}

// ID returns a string that no other file or directory of the mount has. It is the
// key, with a mark where a file and a directory share the key.
func (e Entry) ID() string {
	isDirKey := strings.HasSuffix(e.Key, "/") || e.Key == ""
	if (e.Kind == Directory) == isDirKey {
		return e.Key
	}
	return e.Key + "\x00"
}

// RowID returns the ID of the entry of a row.
func RowID(dir, rel string) string {
	if rel == "" {
		return dir + "\x00"
	}
	return dir + rel
}

// IsDir reports whether e is a directory.
func (e Entry) IsDir() bool { return e.Kind == Directory }

// Change is a change of one key that this mount made or saw.
type Change struct {
	Entry Entry // for a key that is gone, only Key and Kind count
	Gone  bool
	Own   bool // this mount made the change
	Seen  bool // nothing changed: S3 answered with the present state
}
