package commands

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"

	"golang.org/x/sys/unix"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/control"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/exit"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/machine"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/progress"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/settings"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/text"
)

func syncCommand() Command {
	c := Command{
		Name: "sync", Args: "MOUNTPOINT", Usage: "wait until S3 has everything",
		about: `Returns when S3 holds everything that was written before: unsaved bytes of open
files, attributes, removals, and the journal of --durability journal. The exit
code is 8 if a change could not be written. It stays in the mount, or in the
recovery directory if S3 refused it for good.`,
	}
	c.Run = func(in settings.Invocation, args []string) error {
		rest, done, err := c.parse(in, args, nil)
		if err != nil || done {
			return err
		}
		path, err := c.one(rest, "which mountpoint")
		if err != nil {
			return err
		}
		at, err := machine.This().MountOf(path)
		if err != nil {
			return err
		}
		client, err := dial(at)
		if err != nil {
			return err
		}
		defer client.Close()
		ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM)
		defer stop()
		return syncMount(ctx, at, client)
	}
	return c
}

// syncMount waits until S3 has everything, and shows the progress.
func syncMount(ctx context.Context, m machine.Mount, client *control.Client) error {
	return outcomeMount(m, writeMount(ctx, m, client))
}

// writeMount is syncMount, but returns the error of the mount without an exit code.
func writeMount(ctx context.Context, m machine.Mount, client *control.Client) error {
	d := progress.New(os.Stderr)
	err := client.Sync(ctx, showOn(d, "writing to S3"))
	d.Close()
	if err != nil && ctx.Err() != nil {
		return errors.New("interrupted; the mount continues to write")
	}
	return err
}

// outcomeMount adds the exit code to an error of a mount.
func outcomeMount(m machine.Mount, err error) error {
	var refused *control.MountError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &refused):
		return oneLine(exit.Errorf(exit.Unwritten, "%s: not everything could be written to S3: %w", m.Mountpoint, err))
	}
	return fmt.Errorf("%s: %w", m.Mountpoint, err)
}

// showOn returns a function that shows the progress of a mount.
func showOn(d *progress.Display, what string) func(control.Progress) {
	return func(p control.Progress) {
		d.Show(progress.State{
			Text: fmt.Sprintf("%s: %s left, %s in progress", what, text.Size(p.Bytes), text.Count(len(p.Uploads), "file")),
			Left: p.Bytes, Files: p.Uploads,
		})
	}
}
