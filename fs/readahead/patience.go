package readahead

import (
	"context"
	"fmt"
	"time"

	"github.com/s3mount/s3mount/s3"
)

// grace is how much longer a caller waits than the fetch that it waits for, so that the
// error of the fetch comes first.
const grace = time.Second

// noteProgress notes that S3 has answered or sent bytes.
func (m *Manager) noteProgress() { m.progressAt.Store(time.Since(m.began).Nanoseconds()) }

// quiet returns how long ago S3 made the last progress, or since if that is later.
func (m *Manager) quiet(since time.Time) time.Duration {
	latest := m.began.Add(time.Duration(m.progressAt.Load()))
	if since.After(latest) {
		latest = since
	}
	return time.Since(latest)
}

// patiently calls wait with a context that also ends when S3 has made no progress at all
// for the deadline. A caller may wait behind many others, for a connection or for memory.
// Each of them ends by a deadline of its own, but not all of them together.
func (m *Manager) patiently(ctx context.Context, wait func(context.Context) error) error {
	own, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	limit, since := m.o.Deadline+grace, time.Now()
	var timer *time.Timer
	timer = time.AfterFunc(time.Hour, func() { // set below, when timer is
		quiet := m.quiet(since)
		if quiet >= limit {
			cancel(s3.ErrDeadline)
			return
		}
		timer.Reset(limit - quiet)
	})
	timer.Reset(limit)
	defer timer.Stop()
	err := wait(own)
	if err != nil && ctx.Err() == nil && own.Err() != nil {
		return fmt.Errorf("waiting for S3: %w: %w", s3.ErrDeadline, err)
	}
	return err
}
