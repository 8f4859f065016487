package listing

import (
	"context"
	"time"

	"github.com/s3mount/s3mount/fs/entry"
	"github.com/s3mount/s3mount/s3"
)

// Store is the part of S3 that this package uses; *s3.Client implements it.
type Store interface {
	Ls(ctx context.Context, in *s3.LsInput) (*s3.LsPage, error)
}

// Options configure a Cache and a Fetcher.
type Options struct {
	Bucket      string
	Root        entry.Root
	TTL         time.Duration     // longest validity of cached entries
	MemoryLimit int64             // bytes for cached metadata
	Charge      func(delta int64) // is called with each change of the bytes in use; may be nil
	Defaults    entry.Defaults
}
