package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/commands"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/daemon"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/exit"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/settings"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/text"
)

func main() {
	in := settings.Invocation{Args: os.Args, Lookup: os.LookupEnv, Stdout: os.Stdout, Version: version(), Commands: commands.HelpLines()}
	code := exit.OK
	if err := run(in); err != nil {
		if !errors.Is(err, exit.ErrReported) {
			complain(os.Stderr, err)
		}
		code = exit.Code(err)
	}
	if settings.IsHelper(os.Args[0]) {
		code = settings.MountExitCode(code)
	}
	os.Exit(code)
}

// complain prints an error as one line. Parts of it may come from a server.
func complain(to io.Writer, err error) { fmt.Fprintf(to, "s3mount: %s\n", text.OneLine(err.Error())) }

// run parses the command line and mounts. It starts a process in the background for
// that, unless --foreground is given or this already is that process.
func run(in settings.Invocation) error {
	var err error
	if settings.IsHelper(in.Args[0]) {
		if in, err = settings.ParseHelper(in); err != nil {
			return err
		}
	} else if c, ok := commands.Find(in.Args); ok {
		return c.Run(in, in.Args[2:])
	}
	s, err := settings.Parse(in)
	if err != nil || s == nil || s.Fake {
		return err
	}
	report, err := daemon.OpenReporter(os.Stderr)
	if err != nil {
		return err
	}
	if !s.Foreground && !report.InBackground() {
		return daemon.Background(os.Stderr)
	}
	wasBackground := report.InBackground()
	calmHeap(in.Lookup, s.FS.MemoryLimit)
	v, err := start(s, in.Lookup, report)
	if err != nil {
		return report.Failed(err)
	}
	err = v.Serve()
	if err != nil && wasBackground {
		v.Log.Error("ended with an error", slog.Any("error", err))
		return &exit.Error{Code: exit.Code(err), Err: exit.ErrReported}
	}
	return err
}
