package readahead

import (
	"context"
	"fmt"
	"time"

	"github.com/s3mount/s3mount/s3"
)

// grace is how much longer a caller waits than its fetch, so that the error of the fetch
// arrives first.
const grace = time.Second

// recordProgress records that S3 has answered or sent bytes.
func (m *Manager) recordProgress() { m.progressAt.Store(time.Since(m.began).Nanoseconds()) }

// quiet returns the time since the last progress of S3, or since since if that is later.
func (m *Manager) quiet(since time.Time) time.Duration {
	latest := m.began.Add(time.Duration(m.progressAt.Load()))
	if since.After(latest) {
		latest = since
	}
	return time.Since(latest)
}

// patiently calls wait with a context that also ends when S3 has made no progress for the
// deadline. A caller may wait for a connection or for memory behind many others. Each of them
// has its own deadline, but the sum of their deadlines has no bound.
func (m *Manager) patiently(ctx context.Context, wait func(context.Context) error) error {
	own, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	limit, since := m.o.Deadline+grace, time.Now()
	var timer *time.Timer
	timer = time.AfterFunc(time.Hour, func() { // the deadline is set below
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
