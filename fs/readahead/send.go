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

// watch begins to watch a GET, which is sent with the context of the watchdog.
func watch(parent context.Context, patience time.Duration) *watchdog {
	w := &watchdog{patience: patience}
	w.ctx, w.cancel = context.WithCancelCause(parent)
	w.timer = time.AfterFunc(patience, func() { w.cancel(errStalled) })
	return w
}

// progress tells that something has come.
func (w *watchdog) progress() { w.timer.Reset(w.patience) }

// bit tells whether the watchdog has cancelled the GET.
func (w *watchdog) bit() bool { return errors.Is(context.Cause(w.ctx), errStalled) }

// end ends the watch and the GET.
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

// measure takes in how a GET went that brought n bytes.
func (m *Manager) measure(ttfb time.Duration, n int64, body time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stats.Fetched += n
	m.link.observe(ttfb, n, body, m.running)
}

// patience returns how long a GET may stand still.
func (m *Manager) patience() time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.link.patience()
}
