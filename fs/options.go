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

// Options say what is mounted and within which bounds. Start from
// DefaultOptions; the zero value is not valid.
type Options struct {
	// Bucket is the bucket's name, Prefix the keys below which it is mounted:
	// "" or a string that ends in "/".
	Bucket, Prefix string
	// Endpoint names the server, for what is kept on the local disk: objects of
	// two servers must not be taken for each other. "" is AWS.
	Endpoint string
	// Source is what /proc/mounts shows as the device, as the user wrote it.
	Source string

	ReadOnly   bool
	AllowOther bool
	// UID and GID own what S3 knows no owner of; FileMode and DirMode are the
	// permission bits (07777) of what S3 knows no mode of.
	UID, GID          uint32
	FileMode, DirMode uint32

	// Posix says which attributes are kept on objects: "auto", "full" or "off"
	// (namespace.Posix).
	Posix string
	// Xattr keeps extended attributes on objects; `ls -l` then costs more.
	Xattr bool
	// Conflict says what becomes of a change that was built on a version that
	// someone else has replaced: "error", "overwrite" or "keep-both"
	// (writeback.ConflictPolicy).
	Conflict string
	// Durability says what close(2) waits for: "s3" (P1), or "journal": the bytes
	// are on the local disk, and on their way.
	Durability string
	// Linger is how long no file must have been closed before those in the
	// journal are sent to S3, or else each after eight times as long: what is
	// renamed, written again or removed meanwhile costs one request or none, and to
	// read it costs none. What somebody waits for does not linger.
	Linger time.Duration
	// Delete is "gather" (unlinks wait a moment and share requests) or "sync".
	Delete string

	// MetadataTTL is how long names and attributes may be stale, at most.
	MetadataTTL time.Duration
	// MemoryLimit in bytes bounds cached, dirty and in-flight data together (I8).
	MemoryLimit int64
	// Connections bounds the requests that carry data, readers and writers each.
	Connections int
	// NoList sends no LIST, for credentials without s3:ListBucket. Names that a program knows
	// work, readdir(3) fails with EACCES.
	NoList bool
	// Size in bytes is the size that df shows, and Quota the number of bytes in all objects
	// beyond which writes fail with EDQUOT. 0 is none. Either costs a listing of all objects.
	Size, Quota int64
	// PartSize in bytes is the size of the first parts of a multipart upload.
	PartSize int64

	// StateDir holds what must outlive the process: recovery files, records of
	// unfinished renames and uploads. SpoolDir holds dirty bytes beyond the
	// memory limit; "" is a folder of StateDir.
	StateDir, SpoolDir string
	// CacheDir holds clean blocks on disk, at most CacheSize bytes, and at
	// least CacheMinFree bytes of the disk are left free; "" is none.
	CacheDir                string
	CacheSize, CacheMinFree int64

	// MountOptions are generic mount options such as "noexec" or "nodev".
	MountOptions []string
	// Device is what Premount returned, if it has mounted already; nil if not.
	Device *os.File

	// OpenTTL is how long an open may rely on the last GET, HEAD or write of the file,
	// where the content is in the cache; 0 asks S3 at each open.
	OpenTTL time.Duration
	// Deadline is how long a read may wait while S3 makes no progress; 0 is the default of
	// package readahead.
	Deadline time.Duration
	// SlowRequest is the age from which a FUSE request is logged as slow; 0 is
	// never.
	SlowRequest time.Duration
	// Debug logs every FUSE request.
	Debug  bool
	Logger *slog.Logger
}

// The values of Options.Durability.
const (
	durabilityS3      = "s3"
	durabilityJournal = "journal"
)

// The values of Options.Delete.
const (
	deleteGather = "gather"
	deleteSync   = "sync"
)

const (
	// defaultTTL is what --metadata-ttl promises when nothing is said.
	defaultTTL = 60 * time.Second
	// defaultMemory lets a few readers keep a fast link full (eight windows of
	// 16 MiB and two parts of 8 MiB per writer) on a small machine.
	defaultMemory = 256 << 20
	// defaultLinger is longer than git, editors and installers take from the
	// first byte of a file to the name that it is to have and the first look back
	// at it, and short beside the time that other machines take for granted.
	defaultLinger = 250 * time.Millisecond
	// minMemory is one window, one part and a few blocks: less cannot progress.
	minMemory = 32 << 20
	// defaultConnections keeps a 20 ms link of 90 MB/s per connection full
	// beyond 1 GB/s; S3 advises parallel connections of about this number.
	defaultConnections = 16
	// defaultPartSize: four connections to a local server took 0.37 GiB/s with
	// parts of 8 MiB and no more with larger ones.
	defaultPartSize = 8 << 20
)

// DefaultOptions are the options of a mount about which nothing was said.
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

// Validate tells the first option that cannot be, by its flag.
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
