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

// mounted is what the process does with a mounted filesystem, as *fs.Mount has it.
type mounted interface {
	Wait() error
	Unmount(ctx context.Context) error
	Unwritten() fs.Unwritten
	Invalidate()
}

// Server is the process from the mount on: it waits for the end.
type Server struct {
	Mount    mounted
	Detach   func() error // takes the mountpoint out of the tree
	Signals  <-chan os.Signal
	Reopen   func() error // opens the log anew
	Log      *slog.Logger
	Terminal io.Writer // where progress is drawn; nil if nobody watches
	Manager  *notifier // the service manager; nil is none
	// drainTimeout bounds the wait for S3 after a signal; 0 is no bound.
	DrainTimeout time.Duration
	Monitoring   Monitoring
	CloseClient  func() // ends what the S3 client does in the background
}

// Serve returns when the filesystem is unmounted, by somebody else or by a
// signal, and everything is in S3; the error names the data that is not.
func (v *Server) Serve() error {
	err := v.untilEnd()
	v.CloseClient()
	v.Monitoring.Close(err)
	return err
}

// untilEnd is serve for those inside the process.
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

// refresh is what SIGHUP asks for: the log is opened anew, as logrotate(8)
// wants it, and what is cached of names and attributes is dropped.
func (v *Server) refresh() {
	v.Mount.Invalidate()
	if err := v.Reopen(); err != nil {
		v.Log.Error("cannot open the log anew", slog.Any("error", err))
	}
}

// end writes everything to S3 and unmounts; a second signal cuts it short, and
// so does the end of the time for it.
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

// hint says on a terminal how to end sooner.
func (v *Server) hint() string {
	if v.Terminal == nil {
		return ""
	}
	return " (interrupt again to give up)"
}

// abandon ends without waiting any longer and says what is lost by that. The
// mountpoint must not stay behind as a dead one.
func (v *Server) abandon(why string) error {
	left := v.Mount.Unwritten()
	// It is an invalid argument when the unmount got that far already.
	if err := v.Detach(); err != nil && !errors.Is(err, unix.EINVAL) {
		v.Log.Warn("cannot detach the mountpoint", slog.Any("error", err))
	}
	if left == (fs.Unwritten{}) {
		v.Log.Warn("ended " + why + "; everything that programs wrote is in S3")
		return nil
	}
	return exit.Errorf(exit.Unwritten, "ended %s; not in S3: %s", why, describe(left))
}

// NotWritten gives the error of a drain its exit code.
func NotWritten(err error) error {
	if err == nil {
		return nil
	}
	return exit.Errorf(exit.Unwritten, "not everything could be written to S3: %w", err)
}

// describe says what S3 does not hold yet.
func describe(u fs.Unwritten) string {
	if u.Uploads == 0 {
		return text.Size(u.Bytes)
	}
	return text.Size(u.Bytes) + " and " + text.Count(int(u.Uploads), "unfinished upload")
}

// waitingFor says what an unmount waits for.
func waitingFor(u fs.Unwritten) string {
	if u == (fs.Unwritten{}) {
		return "everything is in S3; waiting for programs to close their files"
	}
	return "writing to S3: " + describe(u) + " left"
}
