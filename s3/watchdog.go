package s3

import (
	"context"
	"errors"
	"sync"
	"time"
)

// stallBytes is what must move within one stall timeout for a transfer to
// count as alive. It is far below any line in use (200 B/s at 20 s) and keeps a
// server that trickles single bytes from holding a caller for ever.
const stallBytes = 4 << 10

var (
	errStalled    = errors.New("transfer stalled")
	errNoResponse = errors.New("no response in time")
)

// watchdog cancels an attempt that moves no bytes. It watches only while
// somebody waits for the network, never while the caller takes its time.
type watchdog struct {
	cancel context.CancelCauseFunc
	stall  time.Duration

	mu    sync.Mutex
	timer *time.Timer
	cause error         // what the running timer will say
	left  time.Duration // of the present window
	moved int64         // in the present window
	begun time.Time     // when the present wait began
	until time.Time     // when the running timer fires
}

func newWatchdog(cancel context.CancelCauseFunc, stall time.Duration) *watchdog {
	return &watchdog{cancel: cancel, stall: stall, left: stall}
}

// begin starts to watch a transfer.
func (w *watchdog) begin() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.begun = time.Now()
	w.arm(w.left, errStalled)
}

// progress notes n bytes moved since begin and ends the watch, or goes on
// with it if more is to come.
func (w *watchdog) progress(n int, more bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	w.moved += int64(n)
	if !w.begun.IsZero() { // zero: a request's first bytes, which await has watched for
		w.left -= now.Sub(w.begun)
	}
	w.begun = now
	if w.moved >= stallBytes {
		w.moved, w.left = 0, w.stall
	}
	if more {
		w.arm(w.left, errStalled)
	} else {
		w.disarm()
	}
}

// await watches for a response.
func (w *watchdog) await(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.arm(d, errNoResponse)
}

// stop ends all watching.
func (w *watchdog) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.disarm()
}

func (w *watchdog) arm(d time.Duration, cause error) {
	w.cause, w.until = cause, time.Now().Add(d)
	if w.timer == nil {
		w.timer = time.AfterFunc(d, w.fire)
		return
	}
	w.timer.Reset(d)
}

func (w *watchdog) disarm() {
	w.cause = nil
	if w.timer != nil {
		w.timer.Stop()
	}
}

func (w *watchdog) fire() {
	w.mu.Lock()
	cause := w.cause
	if time.Now().Before(w.until) {
		cause = nil // re-armed while the timer fired
	}
	w.mu.Unlock()
	if cause != nil {
		w.cancel(cause)
	}
}
