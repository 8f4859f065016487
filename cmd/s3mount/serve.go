package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/progress"
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

// server is the process from the mount on: it waits for the end.
type server struct {
	mount    mounted
	detach   func() error // takes the mountpoint out of the tree
	signals  <-chan os.Signal
	reopen   func() error // opens the log anew
	log      *slog.Logger
	terminal io.Writer // where progress is drawn; nil if nobody watches
	manager  *notifier // the service manager; nil is none
	// drainTimeout bounds the wait for S3 after a signal; 0 is no bound.
	drainTimeout time.Duration
	eyes         eyes // of others on the mount
}

// serve returns when the filesystem is unmounted, by somebody else or by a
// signal, and everything is in S3; the error tells what is not.
func (v *server) serve() error {
	err := v.untilEnd()
	v.eyes.close(err)
	return err
}

// untilEnd is serve for those inside the process.
func (v *server) untilEnd() error {
	done := make(chan error, 1)
	go func() { done <- v.mount.Wait() }()
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	go v.manager.watch(ctx)
	for {
		select {
		case err := <-done:
			v.log.Info("unmounted")
			return notWritten(err)
		case sig := <-v.signals:
			if sig != unix.SIGHUP {
				return v.end(sig, done)
			}
			v.refresh()
		}
	}
}

// refresh is what SIGHUP asks for: the log is opened anew, as logrotate(8)
// wants it, and what is cached of names and attributes is dropped.
func (v *server) refresh() {
	v.mount.Invalidate()
	if err := v.reopen(); err != nil {
		v.log.Error("cannot open the log anew", slog.Any("error", err))
	}
}

// end writes everything to S3 and unmounts; a second signal cuts it short, and
// so does the end of the time for it.
func (v *server) end(sig os.Signal, done <-chan error) error {
	v.log.Info("writing everything to S3, then unmounting",
		slog.String("signal", sig.String()), slog.String("unwritten", describe(v.mount.Unwritten())))
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	unmounted := make(chan error, 1)
	go func() { unmounted <- v.mount.Unmount(ctx) }()
	display := v.display()
	defer display.Close()
	tick := time.NewTicker(progress.Tick)
	defer tick.Stop()
	v.manager.stopping(waitingFor(v.mount.Unwritten()))
	var late <-chan time.Time
	if v.drainTimeout > 0 {
		timer := time.NewTimer(v.drainTimeout)
		defer timer.Stop()
		late = timer.C
	}
	for {
		select {
		case err := <-unmounted:
			if err == nil {
				err = <-done
			}
			display.Close()
			v.log.Info("unmounted")
			return notWritten(err)
		case <-tick.C:
			left := v.mount.Unwritten()
			display.Show(progress.State{Text: waitingFor(left) + v.hint(), Left: left.Bytes})
		case sig := <-v.signals:
			if sig != unix.SIGHUP {
				display.Close()
				return v.abandon("by a second signal")
			}
			v.refresh()
		case <-late:
			display.Close()
			return v.abandon(fmt.Sprintf("after %s of --%s", durationValue{&v.drainTimeout}, optionDrainTimeout))
		}
	}
}

// display shows progress on the terminal, or in the log and to the service manager.
func (v *server) display() *progress.Display {
	if v.terminal != nil {
		return progress.OnTerminal(v.terminal)
	}
	return progress.Lines(func(state string) {
		v.manager.stopping(state)
		v.log.Info("not unmounted yet", slog.String("state", state))
	})
}

// hint says on a terminal how to end sooner.
func (v *server) hint() string {
	if v.terminal == nil {
		return ""
	}
	return " (interrupt again to give up)"
}

// abandon ends without waiting any longer and says what is lost by that. The
// mountpoint must not stay behind as a dead one.
func (v *server) abandon(why string) error {
	left := v.mount.Unwritten()
	// It is an invalid argument when the unmount got that far already.
	if err := v.detach(); err != nil && !errors.Is(err, unix.EINVAL) {
		v.log.Warn("cannot detach the mountpoint", slog.Any("error", err))
	}
	if left == (fs.Unwritten{}) {
		v.log.Warn("ended " + why + " while programs had files open; everything they wrote is in S3")
		return nil
	}
	return fail(exitUnwritten, "ended %s; not in S3: %s", why, describe(left))
}

// notWritten gives the error of a drain its exit code.
func notWritten(err error) error {
	if err == nil {
		return nil
	}
	return fail(exitUnwritten, "not everything could be written to S3: %w", err)
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
