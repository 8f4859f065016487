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
// somebody waits for the network, never while the caller takes its time. Its
// timer is left to run from one read to the next and looks at what it finds
// when it fires: setting it anew for each read would cost a percent of a
// large download.
type watchdog struct {
	cancel context.CancelCauseFunc
	stall  time.Duration

	mu    sync.Mutex
	timer *time.Timer
	fires time.Time     // when timer fires; zero: it does not
	cause error         // why to cancel at until; nil: nobody waits
	until time.Time     // when the present wait is too long
	left  time.Duration // of the present window
	moved int64         // in the present window
	begun time.Time     // when the present wait began
}

func newWatchdog(cancel context.CancelCauseFunc, stall time.Duration) *watchdog {
	return &watchdog{cancel: cancel, stall: stall, left: stall}
}

// begin starts to watch a transfer.
func (w *watchdog) begin() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.begun = time.Now()
	w.watch(w.begun, w.left, errStalled)
}

// progress notes n bytes moved since begin and ends the watch.
func (w *watchdog) progress(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.charge(time.Now())
	w.count(n)
	w.cause = nil
}

// source ends the watch over a request's body while the caller's reader is at work.
func (w *watchdog) source() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.begun.IsZero() { // zero: nothing was sent yet
		w.charge(time.Now())
	}
	w.cause = nil
}

// send watches the network take n bytes that the caller's reader gave.
func (w *watchdog) send(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.count(n)
	w.begun = time.Now()
	w.watch(w.begun, w.left, errStalled)
}

// charge takes the wait that ends now off the window.
func (w *watchdog) charge(now time.Time) {
	w.left -= now.Sub(w.begun)
	w.begun = now
}

// count opens a new window once enough has moved in the present one.
func (w *watchdog) count(n int) {
	if w.moved += int64(n); w.moved >= stallBytes {
		w.moved, w.left = 0, w.stall
	}
}

// await watches for a response.
func (w *watchdog) await(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.watch(time.Now(), d, errNoResponse)
}

// pause ends the watch until the next begin.
func (w *watchdog) pause() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cause = nil
}

// stop ends all watching.
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
		return // set anew while it fired
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
