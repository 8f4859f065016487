package namespace

import (
	"log/slog"
	"time"
)

// Posix chooses how much of the POSIX attributes is read from S3.
type Posix string

// The choices of Options.Posix.
const (
	// PosixAuto trusts listings and the attribute index, and reads single
	// objects only where neither can be right.
	PosixAuto Posix = "auto"
	// PosixFull reads every object's attributes with a HEAD where the index
	// does not cover it.
	PosixFull Posix = "full"
	// PosixOff neither reads nor writes attributes.
	PosixOff Posix = "off"
)

// Options configure a Namespace.
type Options struct {
	Bucket string
	Prefix string // of the mount's root: "" or ending in "/"

	TTL         time.Duration // longest trust in what is cached
	MemoryLimit int64         // bytes for cached metadata

	FilePerm, DirPerm uint32 // of objects that carry no mode
	UID, GID          uint32 // of objects that carry no owner
	Posix             Posix

	StateDir    string        // directory for the records of unfinished renames; "" keeps none
	DeleteDelay time.Duration // how long unlinks are gathered
	DeleteSync  bool          // every unlink waits for its own DELETE
	Connections int           // requests in flight of one bulk operation

	Logger *slog.Logger
}
