package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/exit"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/progress"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/settings"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/text"
	"github.com/s3mount/s3mount/fs"
)

// mounted is the part of *fs.Mount that a Server needs.
type mounted interface {
	Wait() error
	Unmount(ctx context.Context) error
	Unwritten() fs.Unwritten
	Invalidate()
}

// Server serves a mount until its end.
type Server struct {
	Mount    mounted
	Detach   func() error // detaches the mount
	Signals  <-chan os.Signal
	Reopen   func() error // opens the log again
	Log      *slog.Logger
	Terminal io.Writer // draws progress; nil if there is none
	Manager  *notifier // the service manager; may be nil
	// DrainTimeout limits the wait for S3 after a signal. 0 means no limit.
	DrainTimeout time.Duration
	Monitoring   Monitoring
	CloseClient  func() // stops the background work of the S3 client
}

// Serve returns when the filesystem is unmounted, by a signal or by another program, and
// everything is in S3. The error names the data that is not.
func (v *Server) Serve() error {
	err := v.untilEnd()
	v.CloseClient()
	v.Monitoring.Close(err)
	return err
}

// untilEnd waits for the end of the mount, and handles signals.
func (v *Server) untilEnd() error {
	done := make(chan error, 1)
	go func() { done <- v.Mount.Wait() }()
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	go v.Manager.watch(ctx)
	for {
		select {
		case err := <-done:
			v.Log.Info("unmounted")
			return NotWritten(err)
		case sig := <-v.Signals:
			if sig != unix.SIGHUP {
				return v.end(sig, done)
			}
			v.refresh()
		}
	}
}

// refresh handles SIGHUP: it opens the log again, as logrotate(8) requires, and drops cached
// names and attributes.
func (v *Server) refresh() {
	v.Mount.Invalidate()
	if err := v.Reopen(); err != nil {
		v.Log.Error("open the log again", slog.Any("error", err))
	}
}

// end writes everything to S3 and unmounts. A second signal and DrainTimeout end it
// early.
func (v *Server) end(sig os.Signal, done <-chan error) error {
	v.Log.Info("writing everything to S3, then unmounting",
		slog.String("signal", sig.String()), slog.String("unwritten", describe(v.Mount.Unwritten())))
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	unmounted := make(chan error, 1)
	go func() { unmounted <- v.Mount.Unmount(ctx) }()
	display := v.display()
	defer display.Close()
	tick := time.NewTicker(progress.Tick)
	defer tick.Stop()
	v.Manager.stopping(waitingFor(v.Mount.Unwritten()))
	var late <-chan time.Time
	if v.DrainTimeout > 0 {
		timer := time.NewTimer(v.DrainTimeout)
		defer timer.Stop()
		late = timer.C
	}
	for {
		select {
		case err := <-unmounted:
			if errors.Is(err, fs.ErrOpenFiles) {
				display.Close()
				return v.abandon("before programs closed their files")
			}
			if err == nil {
				err = <-done
			}
			display.Close()
			v.Log.Info("unmounted")
			return NotWritten(err)
		case <-tick.C:
			left := v.Mount.Unwritten()
			display.Show(progress.State{Text: waitingFor(left) + v.hint(), Left: left.Bytes})
		case sig := <-v.Signals:
			if sig != unix.SIGHUP {
				display.Close()
				return v.abandon("by a second signal")
			}
			v.refresh()
		case <-late:
			display.Close()
			return v.abandon(fmt.Sprintf("after %s of --%s", settings.Duration(&v.DrainTimeout), settings.OptionDrainTimeout))
		}
	}
}

// display shows progress on the terminal, or in the log and to the service manager.
func (v *Server) display() *progress.Display {
	if v.Terminal != nil {
		return progress.OnTerminal(v.Terminal)
	}
	return progress.Lines(func(state string) {
		v.Manager.stopping(state)
		v.Log.Info("not unmounted yet", slog.String("state", state))
	})
}

// hint returns the advice for a terminal on how to give up.
func (v *Server) hint() string {
	if v.Terminal == nil {
		return ""
	}
	return " (interrupt again to give up)"
}

// abandon ends at once and returns an error that names the lost data. It detaches the
// mount, so that no dead mount is left behind.
func (v *Server) abandon(why string) error {
	left := v.Mount.Unwritten()
	// EINVAL means that the mount is detached already.
	if err := v.Detach(); err != nil && !errors.Is(err, unix.EINVAL) {
		v.Log.Warn("detach the mount", slog.Any("error", err))
	}
	if left == (fs.Unwritten{}) {
		v.Log.Warn("ended " + why + "; everything that programs wrote is in S3")
		return nil
	}
	return exit.Errorf(exit.Unwritten, "ended %s; not in S3: %s", why, describe(left))
}

// NotWritten adds the exit code to the error of a drain.
func NotWritten(err error) error {
	if err == nil {
		return nil
	}
	return exit.Errorf(exit.Unwritten, "not everything could be written to S3: %w", err)
}

// describe describes the data that S3 does not hold yet.
func describe(u fs.Unwritten) string {
	if u.Uploads == 0 {
		return text.Size(u.Bytes)
	}
	return text.Size(u.Bytes) + " and " + text.Count(int(u.Uploads), "unfinished upload")
}

// waitingFor describes the reason why an unmount waits.
func waitingFor(u fs.Unwritten) string {
	if u == (fs.Unwritten{}) {
		return "everything is in S3; waiting for programs to close their files"
	}
	return "writing to S3: " + describe(u) + " left"
}
