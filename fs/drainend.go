package fs

import (
	"context"
	"fmt"
	"time"
)

// endPatience is the time without progress after which the unmount of a mount with a
// journal stops waiting for S3. It is long enough for a slow server, and short compared
// with the deadlines of package s3. The journal keeps the rest.
const endPatience = 10 * time.Second

// drainAtEnd is drain for the end of the mount. With a journal it stops waiting if S3
// does not answer, because the next mount uploads the rest.
func (f *lifetime) drainAtEnd(ctx context.Context) error {
	if f.o.Durability != durabilityJournal {
		return f.drain(ctx)
	}
	if left := f.gaveUp.Load(); left != nil {
		return *left
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	done := make(chan error, 1)
	go func() { done <- f.drain(ctx) }()
	moved, since := f.progress(), time.Now()
	look := time.NewTicker(f.patience / 10)
	defer look.Stop()
	for {
		select {
		case err := <-done:
			return err
		case <-look.C:
		}
		if now := f.progress(); now != moved {
			moved, since = now, time.Now()
		}
		if time.Since(since) >= f.patience {
			break
		}
	}
	stop()
	err := <-done
	if err == nil {
		return nil // it finished in the meantime
	}
	q := f.writes.Stats()
	err = fmt.Errorf("S3 does not accept the remaining data: %d records with %d bytes stay in the journal for the next mount: %w",
		q.Queued, q.QueuedBytes, err)
	f.gaveUp.Store(&err)
	return err
}

// progress returns numbers that change when S3 accepts something.
func (f *lifetime) progress() [5]int64 {
	s := f.writes.Stats()
	return [5]int64{int64(s.Queued), s.Dirty, s.Sent, s.Copied, s.Commits}
}
