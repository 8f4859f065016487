package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/progress"
)

// stopExtension is how much more time the service manager is asked for with
// each sign of progress of the end: two of the minutes after which there is
// one, so that one may come late.
const stopExtension = 2 * progress.LineTick

// notifier reports the state of the process to the service manager (sd_notify(3)).
// Without a service manager it does nothing.
type notifier struct {
	send func(state string) error
	// watchdog is within which time the manager wants to hear of the process;
	// 0 is never.
	watchdog time.Duration
	// ping makes the mounted filesystem answer.
	ping func(ctx context.Context) error
	log  *slog.Logger
}

// NewNotifier finds the service manager by the environment.
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

// tell sends lines of NAME=VALUE. If the manager cannot be reached, the mount goes
// on serving, and the log has a record.
func (n *notifier) tell(state string) {
	if n == nil {
		return
	}
	if err := n.send(state); err != nil {
		n.log.Warn("cannot tell the service manager", slog.Any("error", err))
	}
}

// Ready says that the mount answers.
func (n *notifier) Ready(status string) {
	n.tell(daemon.SdNotifyReady + "\nSTATUS=" + status)
}

// stopping says what the end waits for, and that this takes time.
func (n *notifier) stopping(status string) {
	n.tell(fmt.Sprintf("%s\nSTATUS=%s\nEXTEND_TIMEOUT_USEC=%d", daemon.SdNotifyStopping, status, stopExtension.Microseconds()))
}

// watch feeds the watchdog for as long as the filesystem answers: a process
// whose mount hangs is what the manager shall restart. It ends with ctx.
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
			n.tell(daemon.SdNotifyWatchdog)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
