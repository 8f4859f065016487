package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"

	"golang.org/x/sys/unix"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/control"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/progress"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/text"
)

func syncCommand() command {
	c := command{
		name: "sync", args: "MOUNTPOINT", usage: "wait until S3 has everything",
		about: `Returns when S3 holds everything that was written before: open files that have
unsaved bytes, attributes, deletions, and the journal of --durability=journal.
The exit code is 8 if something could not be written; it stays where it is, or
in the recovery directory if S3 refused it for good.`,
	}
	c.run = func(in invocation, args []string) error {
		rest, done, err := c.parse(in, args, nil)
		if err != nil || done {
			return err
		}
		path, err := c.one(rest, "which mountpoint")
		if err != nil {
			return err
		}
		at, err := thisMachine().mountOf(path)
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

// sync waits until S3 has everything, and shows how far that is.
func syncMount(ctx context.Context, m mountedAt, client *control.Client) error {
	return outcomeMount(m, writeMount(ctx, m, client))
}

// write is sync that returns what the mount has answered.
func writeMount(ctx context.Context, m mountedAt, client *control.Client) error {
	d := progress.New(os.Stderr)
	err := client.Sync(ctx, showOn(d, "writing to S3"))
	d.Close()
	if err != nil && ctx.Err() != nil {
		return errors.New("interrupted; the mount goes on writing by itself")
	}
	return err
}

// outcome gives what a mount answered its exit code.
func outcomeMount(m mountedAt, err error) error {
	var refused *control.MountError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &refused):
		return oneLine(fail(exitUnwritten, "%s: not everything could be written to S3: %w", m.mountpoint, err))
	}
	return fmt.Errorf("%s: %w", m.mountpoint, err)
}

// showOn returns a function that shows how far a mount is.
func showOn(d *progress.Display, what string) func(control.Progress) {
	return func(p control.Progress) {
		d.Show(progress.State{
			Text: fmt.Sprintf("%s: %s left, %s under way", what, text.Size(p.Bytes), text.Count(len(p.Uploads), "file")),
			Left: p.Bytes, Files: p.Uploads,
		})
	}
}
