package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/control"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/text"
)

func statusCommand() command {
	c := command{
		name: "status", args: "[MOUNTPOINT]", usage: "show what a mount does, or all mounts",
		about: `Shows memory, caches, unsaved files, uploads under way, the journal, and each
kind of request with how often it was made, failed, and how long it took (half
of them, and 99 of 100, were faster than p50 and p99). Without a mountpoint all
mounts of s3mount are shown that this user may ask. With --json it is one
object, without a mountpoint a list of objects; fields are added, never changed.`,
	}
	c.run = func(in invocation, args []string) error {
		asJSON := false
		rest, done, err := c.parse(in, args, []option{switchOption("json", "print JSON", &asJSON)})
		if err != nil || done {
			return err
		}
		m := thisMachine()
		if len(rest) == 0 {
			return m.showAll(in, asJSON)
		}
		path, err := c.one(rest, "which mountpoint")
		if err != nil {
			return err
		}
		s, err := m.statusAt(path)
		if err != nil {
			return err
		}
		if asJSON {
			return in.printJSON(s)
		}
		return in.print("%s", describeStatus(s))
	}
	return c
}

// statusAt asks the mount that a path lies in.
func (m *machine) statusAt(path string) (control.Status, error) {
	at, err := m.mountOf(path)
	if err != nil {
		return control.Status{}, err
	}
	return at.status(context.Background())
}

// status asks the mount.
func (m mountedAt) status(ctx context.Context) (control.Status, error) {
	client, err := m.dial()
	if err != nil {
		return control.Status{}, err
	}
	defer client.Close()
	s, err := client.Status(ctx)
	if err != nil {
		return s, fmt.Errorf("%s: %w", m.mountpoint, err)
	}
	return s, nil
}

// showAll shows every mount. One that does not answer is no reason not to show
// the others; its error is that of the command.
func (m *machine) showAll(in invocation, asJSON bool) error {
	mounts, err := m.ourMounts()
	if err != nil {
		return err
	}
	all, errs := []control.Status{}, []error(nil)
	for _, at := range mounts {
		s, err := at.status(context.Background())
		if err != nil {
			errs = append(errs, err)
			continue
		}
		all = append(all, s)
	}
	switch {
	case asJSON:
		errs = append(errs, in.printJSON(all))
	case len(mounts) == 0:
		errs = append(errs, in.print("nothing is mounted\n"))
	default:
		texts := make([]string, 0, len(all))
		for _, s := range all {
			texts = append(texts, describeStatus(s))
		}
		errs = append(errs, in.print("%s", strings.Join(texts, "\n")))
	}
	return oneLine(errors.Join(errs...))
}

// oneLine makes an error one line; its code is that of the first part.
func oneLine(err error) error {
	if err == nil {
		return nil
	}
	return fail(exitCode(err), "%s", strings.ReplaceAll(err.Error(), "\n", "; "))
}

// printJSON prints a value for people and programs alike.
func (in invocation) printJSON(v any) error {
	out, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	return in.print("%s\n", text.JSON(out))
}
