package commands

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/exit"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/machine"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/private"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/settings"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/setup"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/text"
	"github.com/s3mount/s3mount/s3"
)

func doctorCommand() Command {
	c := Command{
		Name: "doctor", Args: "BUCKET[:PREFIX]", Usage: "find the reasons why a mount would fail",
		about: `Checks the requirements of a mount one after the other and suggests remedies:
FUSE, the mountpoint if it is given after the bucket, the local directories, the
credentials, the endpoint with its addresses, proxy and certificates, the clock,
the permissions to list and to write, and the S3 features that the server lacks.
For the last two it writes some objects below the prefix and removes them again,
unless --read-only is given. It takes the options of a mount. The exit code is
that of the first failure that a mount would have, see s3mount help exit-codes.`,
	}
	c.Run = func(in settings.Invocation, args []string) error {
		flags, rest, err := settings.FlagsFirst(settings.Options(), args)
		if err != nil {
			return err
		}
		if settings.AsksFor(flags, "help", "h") {
			return c.showHelp(in, nil)
		}
		e := &examination{in: in, machine: machine.This()}
		if len(rest) == 1 && settings.ConfigPath(flags, in.Lookup) == "" {
			args = append(args[:len(args):len(args)], "/") // is not checked
			e.nowhere = true
		}
		in.Args = append([]string{in.Args[0]}, args...)
		if e.s, err = settings.Parse(in); err != nil || e.s == nil {
			return err
		}
		ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM)
		defer stop()
		return e.run(ctx)
	}
	return c
}

// examination is one run of the doctor.
type examination struct {
	in      settings.Invocation
	s       *settings.Settings
	machine *machine.Machine
	nowhere bool // no mountpoint was given

	options s3.Options // of the client; set by checkCredentials
	clock   serverClock
	first   error // the first error that a mount would have
}

// finding is the result of a check: an error that would make a mount fail, or a text.
// doubt marks a text about a problem that does not prevent a mount.
type finding struct {
	text  string
	doubt bool
	err   error
}

// found returns a finding without a problem.
func found(format string, args ...any) finding { return finding{text: fmt.Sprintf(format, args...)} }

// doubtful returns a finding about a problem that does not prevent a mount.
func doubtful(format string, args ...any) finding {
	return finding{text: fmt.Sprintf(format, args...), doubt: true}
}

// run makes the checks. Some need the results of earlier ones.
func (e *examination) run(ctx context.Context) error {
	e.report("FUSE", e.checkFUSE())
	if !e.nowhere {
		e.report("mountpoint", e.checkMountpoint(ctx))
	}
	e.report("directories", e.checkDirectories())
	if !e.report("credentials", e.checkCredentials(ctx)) {
		return e.verdict()
	}
	e.report("endpoint", e.checkEndpoint(ctx))
	reached := e.report("bucket", e.checkBucket(ctx))
	if skew, ok := e.clock.skew(); ok {
		e.report("clock", judgeSkew(skew))
	}
	if reached {
		e.report("transport", e.checkTransport())
		e.report("writes", e.checkWrites(ctx))
	}
	return e.verdict()
}

// report prints a finding and reports whether the check succeeded.
func (e *examination) report(what string, f finding) bool {
	mark, says := "ok  ", f.text
	switch {
	case f.err != nil:
		mark, says = "BAD ", f.err.Error()
		if e.first == nil {
			e.first = f.err
		}
	case f.doubt:
		mark = "note"
	}
	// The exit code reports the finding even if this cannot be printed.
	_ = e.in.Print("%s  %-11s  %s\n", mark, what, text.OneLine(says))
	return f.err == nil
}

// verdict returns the result of the command. The reason was printed before.
func (e *examination) verdict() error {
	if e.first == nil {
		return e.in.Print("a mount should work\n")
	}
	return &exit.Error{Code: exit.Code(e.first), Err: exit.ErrReported}
}

func (e *examination) checkFUSE() finding {
	if err := e.machine.CheckFUSE(e.s.FS.AllowOther); err != nil {
		return finding{err: err}
	}
	if e.machine.CanMount {
		return found("%s can be opened, and this process may mount", e.machine.FuseDev)
	}
	bin, err := e.machine.Fusermount()
	if err != nil {
		return finding{err: exit.Errorf(exit.FUSE, "%w", err)}
	}
	return found("%s can be opened, and %s mounts for users", e.machine.FuseDev, bin)
}

// checkMountpoint checks the mountpoint like a mount, but removes no dead mount.
func (e *examination) checkMountpoint(ctx context.Context) finding {
	path := e.s.Mountpoint
	err := e.machine.Inspect(ctx, path, e.s.Nonempty)
	var known *exit.Error
	switch {
	case err == nil:
		return found("%s is free", path)
	case machine.IsDead(err):
		return doubtful("%s is a mount whose process is gone: the next mount takes it away", path)
	case errors.As(err, &known):
		return finding{err: err}
	case errors.Is(err, os.ErrNotExist):
		return finding{err: exit.Errorf(exit.Mountpoint, "%s does not exist: mkdir -p %s", path, path)}
	}
	return finding{err: exit.Errorf(exit.Mountpoint, "check the mountpoint: %w", err)}
}

// checkDirectories checks whether the local directories can be made and written,
// without making them.
func (e *examination) checkDirectories() finding {
	var fine []string
	for _, d := range setup.Directories(e.s) {
		err := private.Check(d.Path)
		if d.Optional(err) {
			return doubtful("--%s: %v; a mount would have no disk cache", d.Option, err)
		}
		if err != nil {
			return finding{err: exit.Errorf(exit.Usage, "--%s: %w", d.Option, err)}
		}
		fine = append(fine, d.Path)
	}
	return found("%s can be used", text.Enumerate(fine))
}

// checkCredentials looks for credentials.
func (e *examination) checkCredentials(ctx context.Context) finding {
	o, err := setup.ClientOptions(ctx, e.s, e.in.Lookup, slog.New(slog.DiscardHandler))
	if err != nil {
		return finding{err: err}
	}
	e.options = o
	e.options.Transport = e.clock.watch
	if o.Credentials == nil {
		return found("none are used")
	}
	ctx, stop := context.WithTimeout(ctx, setup.CheckTimeout)
	defer stop()
	// The output names the source of the credentials and does not contain them.
	creds, err := o.Credentials.Retrieve(ctx)
	if err != nil {
		return finding{err: setup.ExplainNoCredentials(err)}
	}
	if creds.CanExpire {
		return found("found by %s, until %s", creds.Source, creds.Expires.Local().Format("2006-01-02 15:04:05 MST"))
	}
	return found("found by %s", creds.Source)
}

func (e *examination) checkBucket(ctx context.Context) finding {
	if err := setup.CheckBucket(ctx, e.options, e.s); err != nil {
		return finding{err: err}
	}
	return found("%s lists %s", setup.EndpointName(e.s), e.s.Source.Spec)
}

// checkTransport reports whether others on the network could read the data.
func (e *examination) checkTransport() finding {
	if notes := setup.Warnings(e.s); len(notes) > 0 {
		return doubtful("%s", strings.Join(notes, "; "))
	}
	return found("encrypted, or does not leave this machine")
}

// checkWrites tries to write, and finds the features that the server lacks.
func (e *examination) checkWrites(ctx context.Context) finding {
	if e.s.FS.ReadOnly {
		return found("not tried, as this mount is read-only")
	}
	client, err := s3.New(e.options)
	if err != nil {
		return finding{err: exit.Errorf(exit.Usage, "%w", err)}
	}
	defer client.Close()
	ctx, stop := context.WithTimeout(ctx, 2*setup.CheckTimeout)
	defer stop()
	known, err := client.ProbeFeatures(ctx, e.s.Source.Bucket)
	switch {
	case errors.Is(err, s3.ErrForbidden):
		return finding{err: exit.Errorf(exit.Bucket, "these credentials may read, not write: mount with --read-only, or give them s3:PutObject, s3:DeleteObject and s3:AbortMultipartUpload")}
	case err != nil:
		return finding{err: exit.Errorf(exit.Endpoint, "try to write: %w", err)}
	}
	if missing := missingFeatures(known); len(missing) > 0 {
		return doubtful("%s", strings.Join(missing, ".\n"))
	}
	return found("the server enforces the conditions that protect against lost updates")
}

// missingFeatures describes the features that the server lacks. It returns nothing if
// only conditions on the target of a copy are missing, because hardly any server has them.
func missingFeatures(known []s3.Finding) []string {
	var missing []string
	worth := false
	for _, one := range known {
		if one.Missing() {
			missing = append(missing, one.String())
			worth = worth || one.Feature != s3.FeatureCopyIfMatch && one.Feature != s3.FeatureCopyIfNoneMatch
		}
	}
	if !worth {
		return nil
	}
	return missing
}
