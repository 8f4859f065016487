package readahead

import (
	"context"
	"errors"
	"time"

	"github.com/s3mount/s3mount/s3"
)

// watchdog cancels a GET that makes no progress.
type watchdog struct {
	ctx      context.Context
	cancel   context.CancelCauseFunc
	timer    *time.Timer
	patience time.Duration
}

// watch starts a watchdog for a GET. The GET must use the context of the watchdog.
func watch(parent context.Context, patience time.Duration) *watchdog {
	w := &watchdog{patience: patience}
	w.ctx, w.cancel = context.WithCancelCause(parent)
	w.timer = time.AfterFunc(patience, func() { w.cancel(errStalled) })
	return w
}

// progress records that bytes have arrived.
func (w *watchdog) progress() { w.timer.Reset(w.patience) }

// fired reports whether the watchdog has cancelled the GET.
func (w *watchdog) fired() bool { return errors.Is(context.Cause(w.ctx), errStalled) }

// end stops the watchdog and cancels the GET.
func (w *watchdog) end() {
	w.timer.Stop()
	w.cancel(nil)
}

// get sends a GET and counts it.
func (m *Manager) get(ctx context.Context, in *s3.GetInput) (*s3.GetOutput, error) {
	m.mu.Lock()
	m.stats.Gets++
	m.mu.Unlock()
	return m.store.Get(ctx, in)
}

// measure records the speed of a GET that brought n bytes.
func (m *Manager) measure(ttfb time.Duration, n int64, body time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stats.Fetched += n
	m.link.observe(ttfb, n, body, m.running)
}

// patience returns the time without progress after which a GET is replaced.
func (m *Manager) patience() time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.link.patience()
}
