package attrs

import (
	"context"
	"log/slog"
	"time"

	"github.com/s3mount/s3mount/fs/entry"
	"github.com/s3mount/s3mount/s3"
)

// Posix chooses how much of the POSIX attributes is stored and read.
type Posix string

// The choices of Options.Posix.
const (
	// PosixAuto reads attributes where that costs no request per file.
	PosixAuto Posix = "auto"
	// PosixFull reads the attributes of every object, with a HEAD where no hint has them.
	PosixFull Posix = "full"
	// PosixOff neither reads nor writes attributes.
	PosixOff Posix = "off"
)

// Store is the part of S3 that this package uses; *s3.Client implements it.
type Store interface {
	Get(ctx context.Context, in *s3.GetInput) (*s3.GetOutput, error)
	Ls(ctx context.Context, in *s3.LsInput) (*s3.LsPage, error)
	Put(ctx context.Context, in *s3.PutInput) (*s3.PutOutput, error)
}

// Listing answers what the listings of directories have shown. It makes no request.
type Listing interface {
	// Absent reports whether a listing that is still believed has no such row, and
	// when that listing was made.
	Absent(dir, rel string) (listed time.Time, absent bool)
}

// Options configure an Index and a Local.
type Options struct {
	Bucket      string
	Root        entry.Root
	TTL         time.Duration // longest trust in what is cached
	Posix       Posix
	Defaults    entry.Defaults
	ReadOnly    bool   // no index is written
	Dir         string // directory of the Local; "" is none
	Connections int    // requests in flight of one operation
	Logger      *slog.Logger
}

// minTrust is the shortest time for which the catalogue of indexes is believed: within
// it the parts of one operation of a program agree.
const minTrust = time.Second
