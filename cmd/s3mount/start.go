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

// start checks everything, mounts and returns the server that waits for the end of the
// mount. It returns every error that occurs before the mount answers.
func start(s *settings.Settings, lookup func(string) (string, bool), report *daemon.Reporter) (*daemon.Server, error) {
	// Signals are caught before anything is mounted, so that a signal never leaves a
	// mount behind.
	signals := make(chan os.Signal, 4) // room for signals that arrive while one is handled
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
		// ctx may have ended, which must not prevent the unmount.
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

// startAs continues start after the process has become the user of --user.
func startAs(ctx context.Context, s *settings.Settings, m *machine.Machine, lookup func(string) (string, bool), report *daemon.Reporter) (*daemon.Server, error) {
	logs, err := daemon.OpenLogs(s, report.Stderr)
	var notes []string
	switch {
	case errors.Is(err, daemon.ErrNoSystemLog) && progress.IsTerminal(os.Stderr): // a script does not need the note
		notes = append(notes, "this machine has no system log; use --log-file to keep a log")
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
	v.Monitoring = daemon.StartMonitoring(s, m, mount, daemon.NewObjects(mount, client, s.Source.Bucket), requests, daemon.FeaturesOf(client, s.Source.Bucket), prometheus, logs.Logger)
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

// checkAndMount runs the checks, the cheapest first, and then mounts. It passes messages
// for the user to warn.
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
			log.Warn("removed a dead mount", slog.String("mountpoint", s.Mountpoint), slog.Int("mounts", healed))
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
	if !m.CanMount { // fusermount3 would print a warning and ignore them
		o.MountOptions = slices.DeleteFunc(slices.Clone(o.MountOptions), func(name string) bool { return name == "dev" || name == "suid" })
	}
	mount, err := fs.Start(ctx, client, s.Mountpoint, o)
	if err != nil {
		return nil, nil, fmt.Errorf("mount on %s: %w", s.Mountpoint, err)
	}
	return mount, client, nil
}

// newClient checks the bucket and returns the client of the mount.
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

// terminalOf returns stderr if progress can be drawn there: in the foreground, on a
// terminal. Otherwise it returns nil.
func terminalOf(s *settings.Settings) io.Writer {
	if s.Foreground && progress.IsTerminal(os.Stderr) {
		return os.Stderr
	}
	return nil
}

// mountAs mounts as root, then becomes the user permanently, so that the process handles
// no data from S3, from the network or from programs with the rights of root. The caller
// must remove the mount if it does not serve it.
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
