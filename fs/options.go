package fs

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/s3mount/s3mount/fs/namespace"
	"github.com/s3mount/s3mount/fs/writeback"
)

// Options configure a mount. Start with DefaultOptions, because the zero value is not
// valid.
type Options struct {
	// Bucket is the name of the bucket. Prefix is the prefix of the mounted keys: "" or
	// a string that ends in "/".
	Bucket, Prefix string
	// Endpoint identifies the server in local state, so that objects of two servers are
	// not confused. "" means AWS.
	Endpoint string
	// Source is the device in /proc/mounts, in the form that the user wrote.
	Source string

	ReadOnly   bool
	AllowOther bool
	// UID and GID are the owner and group of objects without metadata. FileMode and
	// DirMode are their permission bits (07777).
	UID, GID          uint32
	FileMode, DirMode uint32

	// Posix selects the attributes that are stored on objects: "auto", "full" or "off"
	// (namespace.Posix).
	Posix string
	// Xattr stores extended attributes on objects. ls -l then costs more requests.
	Xattr bool
	// Conflict selects the result of a change whose base another client has replaced:
	// "error", "overwrite" or "keep-both" (writeback.ConflictPolicy).
	Conflict string
	// Durability selects what close(2) waits for: "s3" (P1), or "journal", which means
	// that the data are on the local disk and will be uploaded.
	Durability string
	// Linger is the time without a close after which the files in the journal are
	// uploaded. Each file is uploaded after at most eight times as long. A file that is
	// renamed, written again or removed in the meantime costs one request or none.
	// Callers that wait for S3 end the delay.
	Linger time.Duration
	// Delete is "gather" (unlinks in a run share requests) or "sync".
	Delete string

	// MetadataTTL is the longest time for which names and attributes may be stale.
	MetadataTTL time.Duration
	// MemoryLimit in bytes bounds cached, dirty and in-flight data together (I8).
	MemoryLimit int64
	// Connections bounds the concurrent requests with data, separately for reads and
	// writes.
	Connections int
	// NoList sends no LIST, for credentials without s3:ListBucket. Names that a program knows
	// work, readdir(3) fails with EACCES.
	NoList bool
	// Size in bytes is the size that df shows, and Quota the number of bytes in all objects
	// beyond which writes fail with EDQUOT. 0 is none. Either costs a listing of all objects.
	Size, Quota int64
	// PartSize in bytes is the size of the first parts of a multipart upload.
	PartSize int64

	// StateDir holds state that must survive the process: recovery files, and records
	// of unfinished renames and uploads. SpoolDir holds dirty data beyond the memory
	// limit. If it is empty, a folder of StateDir is used.
	StateDir, SpoolDir string
	// CacheDir holds clean blocks on disk. They take at most CacheSize bytes and leave
	// at least CacheMinFree bytes of the disk free. If CacheDir is empty, there is no
	// disk cache.
	CacheDir                string
	CacheSize, CacheMinFree int64

	// MountOptions are generic mount options such as "noexec" or "nodev".
	MountOptions []string
	// Device is the result of Premount if the filesystem is mounted already, and
	// otherwise nil.
	Device *os.File

	// OpenTTL is how long an open may rely on the last GET, HEAD or write of a file
	// whose content is cached. If it is 0, each open asks S3.
	OpenTTL time.Duration
	// Deadline is how long a read waits while S3 makes no progress. 0 selects the
	// default of package readahead.
	Deadline time.Duration
	// SlowRequest is the duration after which a FUSE request is logged as slow. 0 means
	// never.
	SlowRequest time.Duration
	// Debug logs every FUSE request.
	Debug  bool
	Logger *slog.Logger
}

// These are the values of Options.Durability.
const (
	durabilityS3      = "s3"
	durabilityJournal = "journal"
)

// These are the values of Options.Delete.
const (
	deleteGather = "gather"
	deleteSync   = "sync"
)

const (
	// defaultTTL is the default of --metadata-ttl.
	defaultTTL = 60 * time.Second
	// defaultMemory is enough for a few readers on a fast link (eight windows of 16 MiB
	// and two parts of 8 MiB per writer), and fits into a small machine.
	defaultMemory = 256 << 20
	// defaultLinger is longer than git, editors and installers take from the first byte
	// of a file to its final name and the first read of it. It is short compared with
	// the delays that users of other machines expect.
	defaultLinger = 250 * time.Millisecond
	// minMemory is one window, one part and a few blocks, the minimum for progress.
	minMemory = 32 << 20
	// defaultConnections reaches more than 1 GB/s on a 20 ms link with 90 MB/s per
	// connection. S3 recommends about this number.
	defaultConnections = 16
	// defaultPartSize is the smallest size with full speed: four connections to a local
	// server reached 0.37 GiB/s with parts of 8 MiB and not more with larger ones.
	defaultPartSize = 8 << 20
)

// DefaultOptions returns the default options of a mount.
func DefaultOptions() Options {
	return Options{
		UID: uint32(os.Getuid()), GID: uint32(os.Getgid()),
		FileMode: 0o644, DirMode: 0o755,
		Posix: string(namespace.PosixAuto), Conflict: string(writeback.ConflictError), Delete: deleteGather,
		Durability:  durabilityS3,
		Linger:      defaultLinger,
		MetadataTTL: defaultTTL,
		MemoryLimit: defaultMemory,
		Connections: defaultConnections,
		PartSize:    defaultPartSize,
		CacheSize:   defaultCacheSize, CacheMinFree: defaultCacheMinFree,
		Logger: slog.Default(),
	}
}

// Validate returns an error that names the flag of the first invalid option.
func (o Options) Validate() error {
	switch {
	case o.Bucket == "":
		return errors.New("bucket: must not be empty")
	case o.Prefix != "" && o.Prefix[len(o.Prefix)-1] != '/':
		return fmt.Errorf("prefix %q: must end in \"/\"", o.Prefix)
	case o.FileMode&^0o7777 != 0:
		return fmt.Errorf("--file-mode %#o: only permission bits (07777) may be set", o.FileMode)
	case o.DirMode&^0o7777 != 0:
		return fmt.Errorf("--dir-mode %#o: only permission bits (07777) may be set", o.DirMode)
	case !slices.Contains([]namespace.Posix{namespace.PosixAuto, namespace.PosixFull, namespace.PosixOff}, namespace.Posix(o.Posix)):
		return fmt.Errorf("--posix %q: must be auto, full or off", o.Posix)
	case o.Xattr && o.Posix == string(namespace.PosixOff):
		return errors.New("--xattr: extended attributes are attributes on objects, which --posix off does without")
	case !slices.Contains([]writeback.ConflictPolicy{writeback.ConflictError, writeback.ConflictOverwrite, writeback.ConflictKeepBoth},
		writeback.ConflictPolicy(o.Conflict)):
		return fmt.Errorf("--conflict %q: must be error, overwrite or keep-both", o.Conflict)
	case o.Durability != durabilityS3 && o.Durability != durabilityJournal:
		return fmt.Errorf("--durability %q: must be s3 or journal", o.Durability)
	case o.Linger < 0:
		return fmt.Errorf("linger %v: must not be negative", o.Linger)
	case o.Delete != deleteGather && o.Delete != deleteSync:
		return fmt.Errorf("--delete %q: must be gather or sync", o.Delete)
	case o.OpenTTL < 0:
		return fmt.Errorf("--open-ttl %v: must not be negative", o.OpenTTL)
	case o.MetadataTTL < 0:
		return fmt.Errorf("--metadata-ttl %v: must not be negative", o.MetadataTTL)
	case o.MemoryLimit < minMemory:
		return fmt.Errorf("--memory-limit %d: must be at least %d MiB", o.MemoryLimit, minMemory>>20)
	case o.Connections < 1 || o.Connections > 1024:
		return fmt.Errorf("--connections %d: must be 1 to 1024", o.Connections)
	case o.StateDir == "" || !filepath.IsAbs(o.StateDir):
		return fmt.Errorf("--state-dir %q: must be an absolute path", o.StateDir)
	case o.Logger == nil:
		return errors.New("logger: must not be nil")
	}
	return o.validateCache()
}
