package s3

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// AWS serves at least 3,500 PUT, COPY, POST and DELETE requests and 5,500 GET and HEAD requests
// per second and partition of the keys. It splits partitions under load, and answers 503
// SlowDown until that is done. Clients are to retry with growing delays
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/optimizing-performance.html, read in
// December 2026). The 64 connections of a client reach 3,200 requests per second at 20 ms.

const (
	// backoffBase is the longest wait before the first retry. The limit doubles with
	// each retry (full jitter,
	// https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/).
	backoffBase = 100 * time.Millisecond
	backoffCap  = 10 * time.Second
	// retryBurst is the number of retries that can happen at once, and retryRate the
	// number of further retries per second. They bound the additional load on a failing
	// server.
	retryBurst = 100
	retryRate  = 20
)

// backoff returns the time to wait before a retry. The first retry has the number 0.
type backoff func(retry int) time.Duration

func fullJitter(retry int) time.Duration {
	return rand.N(backoffLimit(retry)) + 1
}

func backoffLimit(retry int) time.Duration {
	return min(backoffCap, backoffBase<<min(retry, 16))
}

// retryBudget is a token bucket that all calls of a client share. The number of tokens
// can be negative: a caller that takes such a token waits until the bucket has earned
// it.
type retryBudget struct {
	mu     sync.Mutex
	tokens float64
	at     time.Time
}

func newRetryBudget() *retryBudget {
	return &retryBudget{tokens: retryBurst, at: time.Now()}
}

// take takes a token and returns the time until it is earned. If that exceeds limit,
// take returns false and takes none.
func (b *retryBudget) take(limit time.Duration) (time.Duration, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	b.tokens = min(retryBurst, b.tokens+now.Sub(b.at).Seconds()*retryRate)
	b.at = now
	var wait time.Duration
	if b.tokens < 1 {
		wait = time.Duration((1 - b.tokens) / retryRate * float64(time.Second))
	}
	if wait > limit {
		return wait, false
	}
	b.tokens--
	return wait, true
}

// retries counts the attempts of one call.
type retries struct {
	c     *Client
	start time.Time
	count int // attempts made
}

// next waits until the next attempt is due. It returns false if there is none, and sets
// e.gaveUp if the limits of the call are the reason.
func (r *retries) next(ctx context.Context, e *Error) bool {
	if !e.retry {
		return false
	}
	left := r.c.opts.Deadline - time.Since(r.start)
	wait := max(r.c.backoff(r.count), e.RetryAfter)
	r.count++
	if r.count >= r.c.opts.MaxAttempts || wait > left {
		e.gaveUp = true
		return false
	}
	earned, ok := r.c.budget.take(left)
	if !ok {
		e.gaveUp = true
		return false
	}
	if err := sleep(ctx, max(wait, earned)); err != nil {
		e.Err, e.kind = err, nil
		return false
	}
	return true
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return contextError(ctx)
	}
}
