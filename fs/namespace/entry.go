package namespace

import "time"

// Kind is the type of a file.
type Kind uint8

// The kinds of POSIX.
const (
	File Kind = iota
	Directory
	Symlink
	FIFO
	Socket
	CharDevice
	BlockDevice
)

// Attr holds the attributes that S3 does not have of itself.
type Attr struct {
	Perm         uint32 // permission bits with setuid, setgid and sticky: 07777
	UID, GID     uint32
	Rdev         uint32 // of devices, as Linux encodes it in st_rdev
	Mtime, Ctime time.Time
	Atime        time.Time
	// Xattr holds the extended attributes as they are on the object;
	// DecodeXattrs reads them. It stays as it is if it cannot be read.
	Xattr string
}

// Entry is what this mount knows of one name.
type Entry struct {
	// Key is the full key. A directory's ends in "/", or is the beginning of
	// a segment that is too long for one name; the root's is the mount prefix.
	Key          string
	Kind         Kind
	Size         int64
	ETag         string
	LastModified time.Time
	VersionID    string
	Attr         Attr
	Target       string // of a symlink, if known
	Exact        bool   // Attr was read from, or written to, the object; false: defaults beside a listing row
	Implicit     bool   // a directory without marker
}

// Dirent is one row of a directory. A Partial row's Entry holds only what a
// listing tells while the object may be something other than a plain file:
// readdirplus gives such a name without attributes, and Lookup reads them when
// someone asks.
type Dirent struct {
	Name    string
	Entry   Entry
	Partial bool
}
