package namespace

import (
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/s3mount/s3mount/fs/attrs"
	"github.com/s3mount/s3mount/fs/entry"
)

// Posix chooses how much of the POSIX attributes is stored and read.
type Posix = attrs.Posix

// The choices of Options.Posix.
const (
	PosixAuto = attrs.PosixAuto
	PosixFull = attrs.PosixFull
	PosixOff  = attrs.PosixOff
)

// The values of DefaultOptions.
const (
	defaultTTL         = 60 * time.Second
	defaultMemoryLimit = 256 << 20 // over a million rows of listings
	defaultFilePerm    = 0o644
	defaultDirPerm     = 0o755
	defaultDeleteDelay = 50 * time.Millisecond // a person does not notice it; rm -r has hundreds in it
	defaultConnections = 32                    // 500 copies of 20 ms in 16 rounds

	// minMemoryLimit holds some pages of 1000 rows with the longest keys.
	minMemoryLimit = 8 << 20
)

// Options configure a Namespace. Start from DefaultOptions: the zero value is not
// valid.
type Options struct {
	Bucket string
	Prefix string // of the mount's root: "" or ending in "/"

	TTL         time.Duration // longest validity of cached entries
	MemoryLimit int64         // bytes for cached metadata
	// Resized is called with the growth of an object in bytes after a change of this mount,
	// if the old size is known. It may be nil.
	Resized func(key string, delta int64)
	Charge  func(delta int64) // called with changes of the metadata's size in bytes; may be nil

	FilePerm, DirPerm uint32 // of objects that carry no mode
	UID, GID          uint32 // of objects that carry no owner
	Posix             Posix

	ReadOnly    bool          // no attribute index is written
	StateDir    string        // directory for the records of unfinished renames; "" keeps none
	AttrDir     string        // directory that remembers attributes for PosixFull; "" is none
	DeleteDelay time.Duration // how long unlinks are gathered
	DeleteSync  bool          // every unlink waits for its own DELETE
	Journaled   bool          // the caller keeps deletes on disk: none is waited for, and a passing failure is not their end
	Connections int           // requests in flight of one bulk operation

	Logger *slog.Logger
}

// DefaultOptions returns the options of the namespace of a bucket. They are set
// explicitly because 0 is a possible value of several of them, such as FilePerm.
func DefaultOptions() Options {
	return Options{
		TTL:         defaultTTL,
		MemoryLimit: defaultMemoryLimit,
		FilePerm:    defaultFilePerm,
		DirPerm:     defaultDirPerm,
		Posix:       PosixAuto,
		DeleteDelay: defaultDeleteDelay,
		Connections: defaultConnections,
		Logger:      slog.New(slog.DiscardHandler),
	}
}

// Validate returns an error that names the first option that cannot be.
func (o *Options) Validate() error {
	switch {
	case o.Bucket == "":
		return fmt.Errorf("option Bucket is empty")
	case o.Prefix != "" && !strings.HasSuffix(o.Prefix, "/"):
		return fmt.Errorf("option Prefix %q does not end in a slash", o.Prefix)
	case o.TTL < 0:
		return fmt.Errorf("option TTL %v is negative", o.TTL)
	case o.MemoryLimit < minMemoryLimit:
		return fmt.Errorf("option MemoryLimit %d is below %d", o.MemoryLimit, minMemoryLimit)
	case o.FilePerm&^entry.PermMask != 0:
		return fmt.Errorf("option FilePerm %#o has more than permission bits", o.FilePerm)
	case o.DirPerm&^entry.PermMask != 0:
		return fmt.Errorf("option DirPerm %#o has more than permission bits", o.DirPerm)
	case o.Posix != PosixAuto && o.Posix != PosixFull && o.Posix != PosixOff:
		return fmt.Errorf("option Posix %q is not auto, full or off", o.Posix)
	case o.DeleteDelay < 0:
		return fmt.Errorf("option DeleteDelay %v is negative", o.DeleteDelay)
	case o.Connections < 1:
		return fmt.Errorf("option Connections %d is below 1", o.Connections)
	case o.Logger == nil:
		return fmt.Errorf("option Logger is nil")
	}
	return nil
}
