package fs

import (
	"context"
	"fmt"
	"time"
)

// endPatience is how long the end of a journaled mount goes on while nothing
// moves: long enough for a server that is slow, and short beside the deadlines
// of s3. What is left is in the journal.
const endPatience = 10 * time.Second

// drainLast is drain for the end of the mount. With a journal there is no need
// to wait for an S3 that does not answer: the next mount goes on.
func (f *lifetime) drainLast(ctx context.Context) error {
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
		return nil // it came to its end just now
	}
	q := f.writes.Stats()
	err = fmt.Errorf("S3 does not take what is left: %d records, %d bytes stay in the journal for the next mount: %w",
		q.Queued, q.QueuedBytes, err)
	f.gaveUp.Store(&err)
	return err
}

// progress is a number of each thing that changes while S3 takes something.
func (f *lifetime) progress() [5]int64 {
	s := f.writes.Stats()
	return [5]int64{int64(s.Queued), s.Dirty, s.Sent, s.Copied, s.Commits}
}
