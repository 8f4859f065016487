package s3

import (
	"context"
	"errors"
	"sync"
	"time"
)

// stallBytes is the number of bytes that must move within one stall timeout. It is far
// below the rate of any connection in use (200 B/s with 20 s), and prevents a server
// that sends single bytes from blocking a caller forever.
const stallBytes = 4 << 10

var (
	errStalled    = errors.New("transfer stalled")
	errNoResponse = errors.New("no response in time")
)

// watchdog cancels an attempt that moves no bytes. It measures only the time that the
// attempt waits for the network, not the time that the caller needs. The timer keeps
// running between reads and checks the deadline when it fires, because resetting it for
// each read would cost a percent of a large download.
type watchdog struct {
	cancel context.CancelCauseFunc
	stall  time.Duration

	mu    sync.Mutex
	timer *time.Timer
	fires time.Time     // time at which timer fires; zero if it is stopped
	cause error         // cause of the cancellation at until; nil while nothing is watched
	until time.Time     // deadline of the current wait
	left  time.Duration // remaining time of the current window
	moved int64         // bytes moved in the current window
	begun time.Time     // start of the current wait
}

func newWatchdog(cancel context.CancelCauseFunc, stall time.Duration) *watchdog {
	return &watchdog{cancel: cancel, stall: stall, left: stall}
}

// begin starts watching a read from the network.
func (w *watchdog) begin() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.begun = time.Now()
	w.watch(w.begun, w.left, errStalled)
}

// progress records that n bytes have moved since begin, and stops watching.
func (w *watchdog) progress(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.charge(time.Now())
	w.count(n)
	w.cause = nil
}

// source stops watching while the caller's reader provides the request body.
func (w *watchdog) source() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.begun.IsZero() { // zero before the first bytes were sent
		w.charge(time.Now())
	}
	w.cause = nil
}

// send starts watching a write of n bytes to the network.
func (w *watchdog) send(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.count(n)
	w.begun = time.Now()
	w.watch(w.begun, w.left, errStalled)
}

// charge subtracts the wait that ends now from the window.
func (w *watchdog) charge(now time.Time) {
	w.left -= now.Sub(w.begun)
	w.begun = now
}

// count adds n bytes to the window and starts a new window after stallBytes.
func (w *watchdog) count(n int) {
	if w.moved += int64(n); w.moved >= stallBytes {
		w.moved, w.left = 0, w.stall
	}
}

// await starts watching for a response, for at most d.
func (w *watchdog) await(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.watch(time.Now(), d, errNoResponse)
}

// pause stops watching until the next call of begin, send or await.
func (w *watchdog) pause() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cause = nil
}

// stop stops watching and the timer.
func (w *watchdog) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cause, w.fires = nil, time.Time{}
	if w.timer != nil {
		w.timer.Stop()
	}
}

func (w *watchdog) watch(now time.Time, d time.Duration, cause error) {
	w.cause, w.until = cause, now.Add(d)
	if !w.fires.IsZero() && !w.until.Before(w.fires) {
		return
	}
	w.fires = w.until
	if w.timer == nil {
		w.timer = time.AfterFunc(d, w.fire)
	} else {
		w.timer.Reset(d)
	}
}

func (w *watchdog) fire() {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	if !w.fires.IsZero() && now.Before(w.fires) {
		return // the timer was reset while it fired
	}
	w.fires = time.Time{}
	switch {
	case w.cause == nil:
	case now.Before(w.until):
		w.watch(now, w.until.Sub(now), w.cause)
	default:
		w.cancel(w.cause)
	}
}
