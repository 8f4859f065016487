package writeback

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/s3mount/s3mount/s3"
)

// ConflictPolicy selects what happens to a commit whose base another client has changed.
type ConflictPolicy string

// These are the policies of --conflict. All but ConflictOverwrite report ErrConflict.
const (
	// ConflictError keeps the bytes in the recovery directory.
	ConflictError ConflictPolicy = "error"
	// ConflictOverwrite writes again without the condition. If unchanged ranges of the base
	// can no longer be read, it acts like ConflictError.
	ConflictOverwrite ConflictPolicy = "overwrite"
	// ConflictKeepBoth writes the bytes to a new key beside the object. If that fails, it
	// acts like ConflictError.
	ConflictKeepBoth ConflictPolicy = "keep-both"
)

// Options configures a Manager. Defaults returns a valid start; the zero value is not valid.
type Options struct {
	// Bucket is the bucket of the objects.
	Bucket string
	// PartSize in bytes is the size of the first parts of an upload. Later parts grow, so
	// that 10,000 parts reach MaxSize.
	PartSize int64
	// Connections bounds the number of concurrent requests that carry data.
	Connections int
	// maxSize is the largest object in bytes.
	maxSize int64
	// SpoolDir is the folder of the unlinked file with the bytes beyond the memory budget.
	SpoolDir string
	// spoolLimit in bytes bounds the spool. Above it, files are committed early.
	spoolLimit int64
	// RecoveryDir receives bytes that could not be committed.
	RecoveryDir string
	// StateDir receives the list of running multipart uploads. If it is empty, no list is kept.
	StateDir string
	// ScratchPrefix is the key prefix of temporary objects of zeros, from which S3 copies the
	// holes of files. If it is empty, no such objects are made.
	ScratchPrefix string
	// JournalDir holds the journals of all mounts of the bucket, which Replay carries out.
	JournalDir string
	// OldJournalDirs are other directories that may hold journals of earlier versions.
	OldJournalDirs []string
	// Journal enables the journal for Persist (--durability=journal).
	Journal bool
	// Prefix bounds Replay. Records of keys outside of it stay in their journal.
	Prefix string
	// journalLimit in bytes bounds the journal. Above it, Persist waits for S3.
	journalLimit int64
	// Linger is the time without a Persist after which the files in the journal are
	// committed (startSoon). Commit does not wait for it.
	Linger time.Duration
	// Conflict is the policy of --conflict.
	Conflict ConflictPolicy
	// deadline is the longest time that one request may take without moving a byte.
	deadline time.Duration
	// Ready returns when a commit under the key may start. It waits, for example, for the
	// delete of an earlier object. It may be nil.
	Ready func(ctx context.Context, key string) error
	// OpenBase opens a reader of a version that this package has committed. If the reader
	// has a method Close(), this package calls it.
	OpenBase func(Version) BaseReader
	// Keep receives the bytes of a small version that was committed. It may be nil.
	Keep func(v Version, bytes io.Reader)
	// Logger receives recovery files, early commits and errors of background work.
	Logger *slog.Logger
}

const (
	// defaultPartSize is the smallest size with full speed: four connections to a local
	// server reached 0.37 GiB/s with parts of 8 MiB and no more with larger ones.
	defaultPartSize = 8 << 20
	// defaultConnections reaches more than 1 GB/s on a 20 ms link with 90 MB/s per
	// connection.
	defaultConnections = 16
	// defaultMaxSize is the largest object that S3 allows in 10,000 parts.
	defaultMaxSize = 5 << 40
	// defaultSpoolLimit is a size that most disks have free. A full disk is handled like
	// the limit.
	defaultSpoolLimit = 64 << 30
	// defaultJournalLimit holds the data of a fast link for a minute.
	defaultJournalLimit = 4 << 30
	// defaultDeadline is twice the time that S3's own clients wait for an answer.
	defaultDeadline = 2 * time.Minute
)

// Defaults returns the default options. The caller must set Bucket, OpenBase and the directories.
func Defaults() Options {
	return Options{
		PartSize:    defaultPartSize,
		Connections: defaultConnections,
		maxSize:     defaultMaxSize,
		spoolLimit:  defaultSpoolLimit,

		journalLimit: defaultJournalLimit,

		Conflict: ConflictError,
		deadline: defaultDeadline,
		Logger:   slog.Default(),
	}
}

// Validate returns an error that names the first invalid option.
func (o Options) Validate() error {
	switch {
	case o.Bucket == "":
		return fmt.Errorf("option Bucket: must not be empty")
	case o.PartSize < s3.MinPartSize || o.PartSize > s3.MaxPartSize:
		return fmt.Errorf("option PartSize %d: must be %d to %d", o.PartSize, int64(s3.MinPartSize), int64(s3.MaxPartSize))
	case o.Connections < 1:
		return fmt.Errorf("option Connections %d: must be at least 1", o.Connections)
	case !filepath.IsAbs(o.SpoolDir):
		return fmt.Errorf("option SpoolDir %q: must be an absolute path", o.SpoolDir)
	case !filepath.IsAbs(o.RecoveryDir):
		return fmt.Errorf("option RecoveryDir %q: must be an absolute path", o.RecoveryDir)
	case o.StateDir != "" && !filepath.IsAbs(o.StateDir):
		return fmt.Errorf("option StateDir %q: must be an absolute path", o.StateDir)
	case o.JournalDir != "" && !filepath.IsAbs(o.JournalDir):
		return fmt.Errorf("option JournalDir %q: must be an absolute path", o.JournalDir)
	case o.Journal && o.JournalDir == "":
		return fmt.Errorf("option JournalDir: must be set with Journal")
	case o.Linger < 0:
		return fmt.Errorf("option Linger %v: must not be negative", o.Linger)
	case o.Conflict != ConflictError && o.Conflict != ConflictOverwrite && o.Conflict != ConflictKeepBoth:
		return fmt.Errorf("option Conflict %q: must be error, overwrite or keep-both", o.Conflict)
	case o.OpenBase == nil:
		return fmt.Errorf("option OpenBase: must be set")
	case o.Logger == nil:
		return fmt.Errorf("option Logger: must be set")
	}
	return nil
}
