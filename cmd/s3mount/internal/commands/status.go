package commands

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/control"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/exit"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/machine"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/settings"
)

func statusCommand() Command {
	c := Command{
		Name: "status", Args: "[MOUNTPOINT]", Usage: "show the state of a mount, or of all mounts",
		about: `Shows memory, caches, unsaved files, uploads in progress, the journal, the
features that the server lacks, and for each kind of request the count, the
errors and the times (p50 is the median, p99 the 99th percentile). Without a
mountpoint it shows all mounts that this user may ask. With --json it prints
one object, and a list of objects without a mountpoint. Later versions add
fields and never change them. Colours are used on a terminal unless NO_COLOR is
set.`,
	}
	c.Run = func(in settings.Invocation, args []string) error {
		asJSON := false
		rest, done, err := c.parse(in, args, []settings.Option{switchOption("json", "print JSON", &asJSON)})
		if err != nil || done {
			return err
		}
		m := machine.This()
		if len(rest) == 0 {
			return showAll(m, in, asJSON)
		}
		path, err := c.one(rest, "which mountpoint")
		if err != nil {
			return err
		}
		s, err := statusAt(m, path)
		if err != nil {
			return err
		}
		if asJSON {
			return in.PrintJSON(s)
		}
		return in.Print("%s", describeStatus(s, paletteFor(in.Stdout)))
	}
	return c
}

// statusAt returns the status of the mount that contains a path.
func statusAt(m *machine.Machine, path string) (control.Status, error) {
	at, err := m.MountOf(path)
	if err != nil {
		return control.Status{}, err
	}
	return statusMount(context.Background(), at)
}

// statusMount returns the status of a mount.
func statusMount(ctx context.Context, m machine.Mount) (control.Status, error) {
	client, err := dial(m)
	if err != nil {
		return control.Status{}, err
	}
	defer client.Close()
	s, err := client.Status(ctx)
	if err != nil {
		return s, fmt.Errorf("%s: %w", m.Mountpoint, err)
	}
	return s, nil
}

// showAll shows every mount. If some mounts do not answer, it shows the others and
// returns the errors.
func showAll(m *machine.Machine, in settings.Invocation, asJSON bool) error {
	mounts, err := m.OurMounts()
	if err != nil {
		return err
	}
	all, errs := []control.Status{}, []error(nil)
	for _, at := range mounts {
		s, err := statusMount(context.Background(), at)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		all = append(all, s)
	}
	switch {
	case asJSON:
		errs = append(errs, in.PrintJSON(all))
	case len(mounts) == 0:
		errs = append(errs, in.Print("nothing is mounted\n"))
	default:
		texts := make([]string, 0, len(all))
		for _, s := range all {
			texts = append(texts, describeStatus(s, paletteFor(in.Stdout)))
		}
		errs = append(errs, in.Print("%s", strings.Join(texts, "\n")))
	}
	return oneLine(errors.Join(errs...))
}

// oneLine returns an error that has one line and the exit code of its first part.
func oneLine(err error) error {
	if err == nil {
		return nil
	}
	return exit.Errorf(exit.Code(err), "%s", strings.ReplaceAll(err.Error(), "\n", "; "))
}
