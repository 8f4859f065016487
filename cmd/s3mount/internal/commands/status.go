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
		Name: "status", Args: "[MOUNTPOINT]", Usage: "show what a mount does, or all mounts",
		about: `Shows memory, caches, unsaved files, uploads under way, the journal, and each
kind of request with how often it was made, failed, and how long it took (half
of them, and 99 of 100, were faster than p50 and p99). Without a mountpoint all
mounts of s3mount are shown that this user may ask. With --json it is one
object, without a mountpoint a list of objects; fields are added, never changed.`,
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
		return in.Print("%s", describeStatus(s))
	}
	return c
}

// statusAt asks the mount that a path lies in.
func statusAt(m *machine.Machine, path string) (control.Status, error) {
	at, err := m.MountOf(path)
	if err != nil {
		return control.Status{}, err
	}
	return statusMount(context.Background(), at)
}

// status asks the mount.
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

// showAll shows every mount. One that does not answer is no reason not to show
// the others; the command returns its error.
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
			texts = append(texts, describeStatus(s))
		}
		errs = append(errs, in.Print("%s", strings.Join(texts, "\n")))
	}
	return oneLine(errors.Join(errs...))
}

// oneLine makes an error one line, with the code of its first part.
func oneLine(err error) error {
	if err == nil {
		return nil
	}
	return exit.Errorf(exit.Code(err), "%s", strings.ReplaceAll(err.Error(), "\n", "; "))
}
