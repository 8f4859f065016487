package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/text"
)

func main() {
	in := invocation{args: os.Args, lookup: os.LookupEnv, stdout: os.Stdout, version: version(), commands: commandLines()}
	code := exitOK
	if err := run(in); err != nil {
		if !errors.Is(err, errReported) {
			complain(os.Stderr, err)
		}
		code = exitCode(err)
	}
	if isHelper(os.Args[0]) {
		code = mountExitCode(code)
	}
	os.Exit(code)
}

// complain prints an error as one line. A server may have written part of it.
func complain(to io.Writer, err error) { fmt.Fprintf(to, "s3mount: %s\n", text.OneLine(err.Error())) }

// run parses, then mounts: in this process if it is to stay in the foreground
// or is the one in the background already, otherwise in a new one.
func run(in invocation) error {
	var err error
	if isHelper(in.args[0]) {
		if in, err = parseHelper(in); err != nil {
			return err
		}
	} else if c, ok := findCommand(in.args); ok {
		return c.run(in, in.args[2:])
	}
	s, err := parse(in)
	if err != nil || s == nil || s.fake {
		return err
	}
	report, err := openReporter(os.Stderr)
	if err != nil {
		return err
	}
	if !s.foreground && !report.inBackground() {
		return background(os.Stderr)
	}
	wasBackground := report.inBackground()
	calmHeap(in.lookup)
	v, err := start(s, in.lookup, report)
	if err != nil {
		return report.failed(err)
	}
	err = v.serve()
	if err != nil && wasBackground {
		v.log.Error("ended with an error", slog.Any("error", err))
		return &failure{code: exitCode(err), err: errReported}
	}
	return err
}
