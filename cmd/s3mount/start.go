package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/control"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/daemon"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/exit"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/machine"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/progress"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/settings"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/setup"
	"github.com/s3mount/s3mount/fs"
	"github.com/s3mount/s3mount/s3"
)

// start checks everything, mounts and returns the server that waits for the
// end. It returns every error up to the moment in which the mount answers.
func start(s *settings.Settings, lookup func(string) (string, bool), report *daemon.Reporter) (*daemon.Server, error) {
	// Registered before anything is mounted, so that a signal always finds
	// somebody who unmounts.
	signals := make(chan os.Signal, 4) // none is lost while a signal is handled
	signal.Notify(signals, unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM)
	defer stop()

	m := machine.This()
	if s.Account != nil {
		var err error
		if m, err = mountAs(ctx, s, m); err != nil {
			return nil, err
		}
	}
	v, err := startAs(ctx, s, m, lookup, report)
	if err != nil && s.FS.Device != nil {
		// The end of ctx, which may be why it failed, does not count here.
		if left := m.TakeAway(context.WithoutCancel(ctx), s.Mountpoint); left != nil {
			err = fmt.Errorf("%w; and %s stays mounted: %w", err, s.Mountpoint, left)
		}
	}
	if err != nil {
		if ctx.Err() != nil {
			return nil, errors.New("interrupted before anything was mounted")
		}
		return nil, err
	}
	v.Signals = signals
	return v, nil
}

// startAs is start once the process is the user that it is to be.
func startAs(ctx context.Context, s *settings.Settings, m *machine.Machine, lookup func(string) (string, bool), report *daemon.Reporter) (*daemon.Server, error) {
	logs, err := daemon.OpenLogs(s, report.Stderr)
	var notes []string
	switch {
	case errors.Is(err, daemon.ErrNoSystemLog) && progress.IsTerminal(os.Stderr): // a script in a container knows
		notes = append(notes, "there is no system log here: give --log-file to keep one")
	case errors.Is(err, daemon.ErrNoSystemLog):
	case err != nil:
		return nil, err
	}
	v := &daemon.Server{
		Reopen:       logs.Reopen,
		Log:          logs.Logger,
		Terminal:     terminalOf(s),
		Detach:       func() error { return m.Detach(context.Background(), s.Mountpoint) },
		DrainTimeout: s.DrainTimeout,
	}
	if v.Manager, err = daemon.NewNotifier(func(ctx context.Context) error { return m.Answers(ctx, s.Mountpoint) }, logs.Logger); err != nil {
		return nil, exit.Errorf(exit.Usage, "%w", err)
	}
	prometheus, err := daemon.ListenForMetrics(s)
	if err != nil {
		return nil, err
	}
	requests := &control.Requests{}
	s.S3.Observer = requests.Observe
	warn := func(note string) {
		logs.Warn(note)
		notes = append(notes, note)
	}
	mount, client, err := checkAndMount(ctx, s, m, lookup, logs.Logger, warn)
	if err != nil {
		return nil, err
	}
	notes = append(notes, setup.Warnings(s)...)
	v.Mount, v.CloseClient = mount, client.Close
	v.Monitoring = daemon.StartMonitoring(s, m, mount, requests, daemon.FeaturesOf(client, s.Source.Bucket), prometheus, logs.Logger)
	logs.Info("mounted", slog.String("source", s.Source.Spec), slog.String("mountpoint", s.Mountpoint), slog.String("version", version()))
	for _, note := range notes {
		report.Note(note)
	}
	if err := report.Mounted(); err != nil {
		err = errors.Join(err, v.Detach())
		v.Monitoring.Close(err)
		return nil, err
	}
	v.Manager.Ready(s.FS.Source + " is mounted on " + s.Mountpoint)
	return v, nil
}

// checkAndMount runs the checks, the cheapest first, and then mounts. warn hears what
// the user should know.
func checkAndMount(ctx context.Context, s *settings.Settings, m *machine.Machine, lookup func(string) (string, bool), log *slog.Logger, warn func(string)) (*fs.Mount, *s3.Client, error) {
	if s.FS.Device == nil { // otherwise mountAs has checked it
		if err := m.CheckFUSE(s.FS.AllowOther); err != nil {
			return nil, nil, err
		}
		healed, err := m.CheckMountpoint(ctx, s.Mountpoint, s.Nonempty)
		if err != nil {
			return nil, nil, err
		}
		if healed > 0 {
			log.Warn("took away a dead mount", slog.String("mountpoint", s.Mountpoint), slog.Int("mounts", healed))
		}
	}
	if err := setup.MakePrivateDirs(s, warn); err != nil {
		return nil, nil, err
	}
	client, err := newClient(ctx, s, lookup, log)
	if err != nil {
		return nil, nil, err
	}
	o := s.FS
	o.Logger, o.Endpoint = log, s.S3.Endpoint
	if !m.CanMount { // fusermount3 would complain, and ignore them all the same
		o.MountOptions = slices.DeleteFunc(slices.Clone(o.MountOptions), func(name string) bool { return name == "dev" || name == "suid" })
	}
	mount, err := fs.Start(ctx, client, s.Mountpoint, o)
	if err != nil {
		return nil, nil, fmt.Errorf("mount on %s: %w", s.Mountpoint, err)
	}
	return mount, client, nil
}

// newClient makes the mount's client once the bucket has answered.
func newClient(ctx context.Context, s *settings.Settings, lookup func(string) (string, bool), log *slog.Logger) (*s3.Client, error) {
	o, err := setup.ClientOptions(ctx, s, lookup, log)
	if err != nil {
		return nil, err
	}
	if err := setup.CheckBucket(ctx, o, s); err != nil {
		return nil, err
	}
	return s3.New(o)
}

// terminalOf is where progress is drawn: stderr, if it is a terminal and
// neither lies in the background nor takes the log.
func terminalOf(s *settings.Settings) io.Writer {
	if s.Foreground && progress.IsTerminal(os.Stderr) {
		return os.Stderr
	}
	return nil
}

// mountAs mounts as root, then becomes the user for good: nothing that comes
// from S3, from the network or from a program on the mount is ever handled with
// the rights of root. The mount must be taken away if it is not served.
func mountAs(ctx context.Context, s *settings.Settings, m *machine.Machine) (*machine.Machine, error) {
	if err := m.CheckFUSE(s.FS.AllowOther); err != nil {
		return nil, err
	}
	if !m.CanMount {
		return nil, exit.Errorf(exit.FUSE, "--user needs the right to mount (CAP_SYS_ADMIN)")
	}
	if _, err := m.Fusermount(); err != nil {
		return nil, exit.Errorf(exit.FUSE, "--user: without fusermount3 the user cannot unmount: install the package fuse3")
	}
	if _, err := m.CheckMountpoint(ctx, s.Mountpoint, s.Nonempty); err != nil {
		return nil, err
	}
	device, err := fs.Premount(s.Mountpoint, s.FS, s.Account.UID, s.Account.GID)
	if err != nil {
		return nil, exit.Errorf(exit.FUSE, "%w", err)
	}
	s.FS.Device = device
	if err := daemon.Become(s.Account); err != nil {
		return nil, errors.Join(err, m.Detach(ctx, s.Mountpoint))
	}
	return machine.This(), nil
}
