package readahead

import (
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Options tune a Manager. Zero fields are set by Defaults.
type Options struct {
	// Bucket is the bucket that all keys are in.
	Bucket string
	// Connections bounds the GETs in flight.
	Connections int
	// window bounds the bytes that one reader fetches ahead.
	window int64
	// fetchSize is the size in bytes of the largest single GET.
	fetchSize int64
	// Deadline bounds the time that a fetch may take without progress.
	Deadline time.Duration
	Logger   *slog.Logger
}

const (
	// defaultConnections reaches more than 1 GB/s on a 20 ms link with 90 MB/s per
	// connection.
	defaultConnections = 16
	// defaultWindow keeps all connections busy with GETs of defaultFetchSize for one
	// reader, including the GETs that wait for a connection.
	defaultWindow = 160 << 20
	// defaultFetchSize fills defaultWindow with one GET per connection. A connection of
	// 90 MB/s and 20 ms is then busy for 85 % of the time. With 4 connections to a local
	// server, GETs of 4 MiB reached 1.63 GiB/s, 8 MiB 1.99 and 16 MiB 2.06.
	defaultFetchSize = 10 << 20
	// defaultDeadline is longer than the retries of package s3, which have a deadline, too.
	defaultDeadline = 2 * time.Minute
)

// Defaults returns o with every unset option set.
func (o Options) Defaults() Options {
	if o.Connections == 0 {
		o.Connections = defaultConnections
	}
	if o.window == 0 {
		o.window = defaultWindow
	}
	if o.fetchSize == 0 {
		o.fetchSize = defaultFetchSize
	}
	if o.Deadline == 0 {
		o.Deadline = defaultDeadline
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// Validate returns an error that names the first invalid option.
func (o Options) Validate() error {
	switch {
	case o.Bucket == "":
		return errors.New("readahead: Bucket is empty")
	case o.Connections < 1:
		return fmt.Errorf("readahead: Connections is %d, must be at least 1", o.Connections)
	case o.Deadline < 0:
		return fmt.Errorf("readahead: Deadline is %v, must not be negative", o.Deadline)
	}
	return nil
}
