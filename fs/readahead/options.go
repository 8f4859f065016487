package readahead

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/s3mount/s3mount/s3"
)

// Options tune a Manager. Zero fields are set by Defaults.
type Options struct {
	// Bucket is the bucket that all keys are in.
	Bucket string
	// Connections bounds the GETs in flight.
	Connections int
	// Window bounds what one reader fetches ahead, in bytes.
	Window int64
	// FetchSize is the size in bytes of the largest single GET.
	FetchSize int64
	// Deadline bounds the time that a fetch may go without progress.
	Deadline time.Duration
	// SSE is the key of objects that are encrypted with a customer's key.
	SSE    *s3.CustomerKey
	Logger *slog.Logger
}

const (
	// defaultConnections keeps a 20 ms link of 90 MB/s per connection full
	// beyond 1 GB/s.
	defaultConnections = 16
	// defaultWindow keeps all connections busy with GETs of defaultFetchSize for one reader,
	// and what they wait for.
	defaultWindow = 160 << 20
	// defaultFetchSize: at 4 connections to a local server GETs of 8 MiB reached
	// 1.99 GiB/s, of 4 MiB 1.63, of 16 MiB 2.06. With 10 MiB all connections
	// together fill defaultWindow, and one of 90 MB/s and 20 ms is busy for 85 %
	// of the time.
	defaultFetchSize = 10 << 20
	// defaultDeadline is beyond the retries of package s3, which has a deadline too.
	defaultDeadline = 2 * time.Minute
)

// Defaults returns o with every unset option set.
func (o Options) Defaults() Options {
	if o.Connections == 0 {
		o.Connections = defaultConnections
	}
	if o.Window == 0 {
		o.Window = defaultWindow
	}
	if o.FetchSize == 0 {
		o.FetchSize = defaultFetchSize
	}
	if o.Deadline == 0 {
		o.Deadline = defaultDeadline
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// Validate reports the first option that cannot be used, by its name.
func (o Options) Validate() error {
	switch {
	case o.Bucket == "":
		return errors.New("readahead: Bucket is empty")
	case o.Connections < 1:
		return fmt.Errorf("readahead: Connections is %d, must be at least 1", o.Connections)
	case o.Window < 0:
		return fmt.Errorf("readahead: Window is %d, must not be negative", o.Window)
	case o.FetchSize < 1:
		return fmt.Errorf("readahead: FetchSize is %d, must be at least 1", o.FetchSize)
	case o.Deadline < 0:
		return fmt.Errorf("readahead: Deadline is %v, must not be negative", o.Deadline)
	}
	return nil
}
