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
	"github.com/s3mount/s3mount/cmd/s3mount/internal/progress"
	"github.com/s3mount/s3mount/fs"
	"github.com/s3mount/s3mount/s3"
)

// start checks everything, mounts and returns the server that waits for the
// end. Whatever goes wrong before the mount answers is its error.
func start(s *settings, lookup func(string) (string, bool), report *reporter) (*server, error) {
	// Registered before anything is mounted, so that a signal always finds
	// somebody who unmounts.
	signals := make(chan os.Signal, 4) // none is lost while a signal is handled
	signal.Notify(signals, unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM)
	defer stop()

	m := thisMachine()
	if s.account != nil {
		var err error
		if m, err = mountAs(ctx, s, m); err != nil {
			return nil, err
		}
	}
	v, err := startAs(ctx, s, m, lookup, report)
	if err != nil && s.fs.Device != nil {
		// The end of ctx, which may be why it failed, does not count here.
		if left := m.takeAway(context.WithoutCancel(ctx), s.mountpoint); left != nil {
			err = fmt.Errorf("%w; and %s stays mounted: %w", err, s.mountpoint, left)
		}
	}
	if err != nil {
		if ctx.Err() != nil {
			return nil, errors.New("interrupted before anything was mounted")
		}
		return nil, err
	}
	v.signals = signals
	return v, nil
}

// startAs is start once the process is the user that it is to be.
func startAs(ctx context.Context, s *settings, m *machine, lookup func(string) (string, bool), report *reporter) (*server, error) {
	logs, err := openLogs(s, report.stderr)
	var notes []string
	switch {
	case errors.Is(err, errNoSystemLog) && progress.IsTerminal(os.Stderr): // a script in a container knows
		notes = append(notes, "there is no system log here: give --log-file to keep one")
	case errors.Is(err, errNoSystemLog):
	case err != nil:
		return nil, err
	}
	v := &server{
		reopen:       logs.reopen,
		log:          logs.Logger,
		terminal:     terminalOf(s),
		detach:       func() error { return m.detach(context.Background(), s.mountpoint) },
		drainTimeout: s.drainTimeout,
	}
	if v.manager, err = newNotifier(func(ctx context.Context) error { return m.answers(ctx, s.mountpoint) }, logs.Logger); err != nil {
		return nil, fail(exitUsage, "%w", err)
	}
	prometheus, err := listenForMetrics(s)
	if err != nil {
		return nil, err
	}
	requests := &control.Requests{}
	s.s3.Observer = requests.Observe
	warn := func(note string) {
		logs.Warn(note)
		notes = append(notes, note)
	}
	mount, client, err := checkAndMount(ctx, s, m, lookup, logs.Logger, warn)
	if err != nil {
		return nil, err
	}
	notes = append(notes, warnings(s)...)
	v.mount = mount
	v.eyes = openEyes(s, m, mount, requests, featuresOf(client, s.source.bucket), prometheus, logs.Logger)
	logs.Info("mounted", slog.String("source", s.source.spec), slog.String("mountpoint", s.mountpoint), slog.String("version", version()))
	for _, note := range notes {
		report.note(note)
	}
	if err := report.mounted(); err != nil {
		err = errors.Join(err, v.detach())
		v.eyes.close(err)
		return nil, err
	}
	v.manager.ready(s.fs.Source + " is mounted on " + s.mountpoint)
	return v, nil
}

// checkAndMount runs the checks, the cheapest first, and then mounts. warn hears what
// the user should know.
func checkAndMount(ctx context.Context, s *settings, m *machine, lookup func(string) (string, bool), log *slog.Logger, warn func(string)) (*fs.Mount, *s3.Client, error) {
	if s.fs.Device == nil { // otherwise mountAs has checked it
		if err := m.checkFUSE(s.fs.AllowOther); err != nil {
			return nil, nil, err
		}
		healed, err := m.checkMountpoint(ctx, s.mountpoint, s.nonempty)
		if err != nil {
			return nil, nil, err
		}
		if healed > 0 {
			log.Warn("took away a dead mount", slog.String("mountpoint", s.mountpoint), slog.Int("mounts", healed))
		}
	}
	if err := makePrivateDirs(s, warn); err != nil {
		return nil, nil, err
	}
	client, err := newClient(ctx, s, lookup, log)
	if err != nil {
		return nil, nil, err
	}
	o := s.fs
	o.Logger, o.Endpoint = log, s.s3.Endpoint
	if !m.canMount { // fusermount3 would complain, and ignore them all the same
		o.MountOptions = slices.DeleteFunc(slices.Clone(o.MountOptions), func(name string) bool { return name == "dev" || name == "suid" })
	}
	mount, err := fs.Start(ctx, client, s.mountpoint, o)
	if err != nil {
		return nil, nil, fmt.Errorf("mount on %s: %w", s.mountpoint, err)
	}
	return mount, client, nil
}

// newClient makes the mount's client once the bucket has answered.
func newClient(ctx context.Context, s *settings, lookup func(string) (string, bool), log *slog.Logger) (*s3.Client, error) {
	o, err := clientOptions(ctx, s, lookup, log)
	if err != nil {
		return nil, err
	}
	if err := checkBucket(ctx, o, s); err != nil {
		return nil, err
	}
	return s3.New(o)
}

// terminalOf is where progress is drawn: stderr, if it is a terminal and
// neither lies in the background nor takes the log.
func terminalOf(s *settings) io.Writer {
	if s.foreground && progress.IsTerminal(os.Stderr) {
		return os.Stderr
	}
	return nil
}

// mountAs mounts as root, then becomes the user for good: nothing that comes
// from S3, from the network or from a program on the mount is ever handled with
// the rights of root. The mount must be taken away if it is not served.
func mountAs(ctx context.Context, s *settings, m *machine) (*machine, error) {
	if err := m.checkFUSE(s.fs.AllowOther); err != nil {
		return nil, err
	}
	if !m.canMount {
		return nil, fail(exitFUSE, "--user needs the right to mount (CAP_SYS_ADMIN)")
	}
	if _, err := m.fusermount(); err != nil {
		return nil, fail(exitFUSE, "--user: without fusermount3 the user cannot unmount: install the package fuse3")
	}
	if _, err := m.checkMountpoint(ctx, s.mountpoint, s.nonempty); err != nil {
		return nil, err
	}
	device, err := fs.Premount(s.mountpoint, s.fs, s.account.uid, s.account.gid)
	if err != nil {
		return nil, fail(exitFUSE, "%w", err)
	}
	s.fs.Device = device
	if err := become(s.account); err != nil {
		return nil, errors.Join(err, m.detach(ctx, s.mountpoint))
	}
	return thisMachine(), nil
}
