package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/progress"
)

// stopExtension is the time that each message about the progress of the end requests from
// the service manager. It is twice the time between two messages, so that one may be late.
const stopExtension = 2 * progress.LineTick

// notifier reports the state of the process to the service manager (sd_notify(3)).
// Without a service manager it does nothing.
type notifier struct {
	send func(state string) error
	// watchdog is the time within which the manager expects a message. 0 means that it
	// expects none.
	watchdog time.Duration
	// ping sends a request to the mounted filesystem.
	ping func(ctx context.Context) error
	log  *slog.Logger
}

// NewNotifier returns a notifier for the service manager that the environment names.
func NewNotifier(ping func(ctx context.Context) error, log *slog.Logger) (*notifier, error) {
	watchdog, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		return nil, fmt.Errorf("read WATCHDOG_USEC: %w", err)
	}
	return &notifier{
		send: func(state string) error {
			_, err := daemon.SdNotify(false, state)
			return err
		},
		watchdog: watchdog, ping: ping, log: log,
	}, nil
}

// notify sends lines of NAME=VALUE. If that fails, it logs the error.
func (n *notifier) notify(state string) {
	if n == nil {
		return
	}
	if err := n.send(state); err != nil {
		n.log.Warn("notify the service manager", slog.Any("error", err))
	}
}

// Ready reports that the mount answers.
func (n *notifier) Ready(status string) {
	n.notify(daemon.SdNotifyReady + "\nSTATUS=" + status)
}

// stopping reports the progress of the end, and requests more time for it.
func (n *notifier) stopping(status string) {
	n.notify(fmt.Sprintf("%s\nSTATUS=%s\nEXTEND_TIMEOUT_USEC=%d", daemon.SdNotifyStopping, status, stopExtension.Microseconds()))
}

// watch feeds the watchdog while the filesystem answers, so that the manager restarts a
// process whose mount hangs. It returns when ctx ends.
func (n *notifier) watch(ctx context.Context) {
	if n == nil || n.watchdog == 0 {
		return
	}
	tick := time.NewTicker(n.watchdog / 2) // as sd_watchdog_enabled(3) advises
	defer tick.Stop()
	for {
		if err := n.ping(ctx); err != nil && ctx.Err() == nil {
			n.log.Error("the mount does not answer", slog.Any("error", err))
		} else if err == nil {
			n.notify(daemon.SdNotifyWatchdog)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
