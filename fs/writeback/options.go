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

// ConflictPolicy says what happens to a commit whose base was changed by someone else.
type ConflictPolicy string

// The policies of --conflict. All but ConflictOverwrite report ErrConflict.
const (
	// ConflictError keeps the bytes in the recovery directory.
	ConflictError ConflictPolicy = "error"
	// ConflictOverwrite writes again without the condition. Where unchanged
	// ranges of the base can no longer be read it acts as ConflictError.
	ConflictOverwrite ConflictPolicy = "overwrite"
	// ConflictKeepBoth puts the bytes beside the object, under a key of their
	// own, and where that fails into the recovery directory.
	ConflictKeepBoth ConflictPolicy = "keep-both"
)

// Options say how a Manager writes. Start from Defaults; the zero value is not valid.
type Options struct {
	// Bucket receives the objects.
	Bucket string
	// PartSize in bytes is the size of the first parts of an upload; later ones
	// grow so that 10,000 parts reach MaxSize.
	PartSize int64
	// Connections bounds the requests that carry data at one time.
	Connections int
	// MaxSize is the largest object in bytes.
	MaxSize int64
	// SpoolDir gets the unlinked file with the bytes beyond the memory budget.
	SpoolDir string
	// SpoolLimit in bytes bounds the spool. Past it files are committed early.
	SpoolLimit int64
	// RecoveryDir keeps bytes that could not be committed.
	RecoveryDir string
	// StateDir holds the record of running multipart uploads; "" records none.
	StateDir string
	// ScratchPrefix begins the keys of objects that exist only while they are of
	// use: zeros, of which S3 makes the holes of files. "" makes none.
	ScratchPrefix string
	// JournalDir holds the journals of all mounts of the bucket, which Replay
	// carries out; "" is no journal.
	JournalDir string
	// OldJournalDirs are further directories in which earlier versions of this
	// program may have left journals.
	OldJournalDirs []string
	// Journal keeps what Persist takes in JournalDir (--durability=journal).
	Journal bool
	// Prefix bounds Replay: records of keys outside of it stay in their journal.
	Prefix string
	// JournalLimit in bytes bounds the journal. Past it Persist waits for S3.
	JournalLimit int64
	// Linger is how long no file must have been persisted before those that the
	// journal has are committed (startSoon); 0 is at once. Commit does not wait.
	Linger time.Duration
	// Conflict is the policy of --conflict.
	Conflict ConflictPolicy
	// Deadline is the longest time that one request may go without moving a byte.
	Deadline time.Duration
	// Ready returns when nothing stands in the way of a commit under the key,
	// such as the delete of an object that had it before. Nil: nothing ever does.
	Ready func(ctx context.Context, key string) error
	// OpenBase opens a reader of a version that this package has committed. A
	// reader that has a method Close() is closed when it is of no more use.
	OpenBase func(Version) BaseReader
	// Keep is given the bytes of a small version that was committed, and need not
	// read them. Nil: nobody wants them.
	Keep func(v Version, bytes io.Reader)
	// Logger gets what no return value can tell: recovery files, early commits.
	Logger *slog.Logger
}

const (
	// defaultPartSize: four connections to a local server took 0.37 GiB/s with
	// parts of 8 MiB and no more with larger ones.
	defaultPartSize = 8 << 20
	// defaultConnections keeps a 20 ms link of 90 MB/s per connection full
	// beyond 1 GB/s.
	defaultConnections = 16
	// defaultMaxSize is the size to which S3 promises 10,000 parts.
	defaultMaxSize = 5 << 40
	// defaultSpoolLimit is a size that a machine's disk can be expected to
	// have; a full disk before it is handled like the limit.
	defaultSpoolLimit = 64 << 30
	// defaultJournalLimit holds a minute of a fast link.
	defaultJournalLimit = 4 << 30
	// defaultDeadline is twice what S3's own clients wait for an answer.
	defaultDeadline = 2 * time.Minute
)

// Defaults are the options about which nothing was said. Bucket, OpenBase and
// the directories are left to the caller.
func Defaults() Options {
	return Options{
		PartSize:    defaultPartSize,
		Connections: defaultConnections,
		MaxSize:     defaultMaxSize,
		SpoolLimit:  defaultSpoolLimit,

		JournalLimit: defaultJournalLimit,

		Conflict: ConflictError,
		Deadline: defaultDeadline,
		Logger:   slog.Default(),
	}
}

// Validate tells the first option that cannot be.
func (o Options) Validate() error {
	switch {
	case o.Bucket == "":
		return fmt.Errorf("option Bucket: must not be empty")
	case o.PartSize < s3.MinPartSize || o.PartSize > s3.MaxPartSize:
		return fmt.Errorf("option PartSize %d: must be %d to %d", o.PartSize, int64(s3.MinPartSize), int64(s3.MaxPartSize))
	case o.Connections < 1:
		return fmt.Errorf("option Connections %d: must be at least 1", o.Connections)
	case o.MaxSize < 1 || o.MaxSize > s3.MaxPartNumber*int64(s3.MaxPartSize):
		return fmt.Errorf("option MaxSize %d: must be 1 to %d", o.MaxSize, s3.MaxPartNumber*int64(s3.MaxPartSize))
	case !filepath.IsAbs(o.SpoolDir):
		return fmt.Errorf("option SpoolDir %q: must be an absolute path", o.SpoolDir)
	case o.SpoolLimit < 0:
		return fmt.Errorf("option SpoolLimit %d: must not be negative", o.SpoolLimit)
	case !filepath.IsAbs(o.RecoveryDir):
		return fmt.Errorf("option RecoveryDir %q: must be an absolute path", o.RecoveryDir)
	case o.StateDir != "" && !filepath.IsAbs(o.StateDir):
		return fmt.Errorf("option StateDir %q: must be an absolute path", o.StateDir)
	case o.JournalDir != "" && !filepath.IsAbs(o.JournalDir):
		return fmt.Errorf("option JournalDir %q: must be an absolute path", o.JournalDir)
	case o.Journal && o.JournalDir == "":
		return fmt.Errorf("option JournalDir: must be set with Journal")
	case o.JournalLimit < 0:
		return fmt.Errorf("option JournalLimit %d: must not be negative", o.JournalLimit)
	case o.Linger < 0:
		return fmt.Errorf("option Linger %v: must not be negative", o.Linger)
	case o.Conflict != ConflictError && o.Conflict != ConflictOverwrite && o.Conflict != ConflictKeepBoth:
		return fmt.Errorf("option Conflict %q: must be error, overwrite or keep-both", o.Conflict)
	case o.Deadline <= 0:
		return fmt.Errorf("option Deadline %v: must be positive", o.Deadline)
	case o.OpenBase == nil:
		return fmt.Errorf("option OpenBase: must be set")
	case o.Logger == nil:
		return fmt.Errorf("option Logger: must be set")
	}
	return nil
}
