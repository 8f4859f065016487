package commands

import (
	"context"
	"errors"
	"os"
	"os/signal"

	"golang.org/x/sys/unix"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/control"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/exit"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/machine"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/progress"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/settings"
)

func umountCommand() Command {
	c := Command{
		Name: "umount", Args: "MOUNTPOINT", Usage: "write everything to S3, then unmount",
		about: `Writes everything to S3, unmounts, and returns when the process of the mount has
ended. If something cannot be written yet, the mount stays and the exit code is
8. The exit code is also 8 if S3 refused a closed file for good. Then the mount
ends, and the recovery directory that s3mount status shows keeps the file. If
programs have files open or use a directory of the mount, it stays, and the exit
code is 3. The error names the programs that this user may see.`,
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
		m := machine.This()
		at, err := m.MountOf(path)
		if err != nil {
			return err
		}
		ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM)
		defer stop()
		return umount(ctx, m, at)
	}
	return c
}

// umount writes everything, unmounts and waits for the end of the process.
func umount(ctx context.Context, m *machine.Machine, at machine.Mount) error {
	client, err := dial(at)
	if err != nil {
		return err
	}
	defer client.Close()
	var said *control.MountError
	if err := writeMount(ctx, at, client); err != nil && !(errors.As(err, &said) && said.Kept) {
		return outcomeMount(at, err)
	}
	end, err := client.Ending(ctx) // asked before the unmount, so that the result is not missed
	if err != nil {
		return outcomeMount(at, err)
	}
	defer end.Close()
	if err := unmountNow(ctx, m, at); err != nil {
		return err
	}
	d := progress.New(os.Stderr)
	err = end.Wait(showOn(d, "unmounting"))
	d.Close()
	if err != nil && ctx.Err() != nil {
		return errors.New("interrupted; the bucket is unmounted, and the process writes the rest")
	}
	if errors.As(err, &said) { // the process has the same exit code
		return oneLine(exit.Errorf(exit.Unwritten, "%s: %w", at.Mountpoint, err))
	}
	return outcomeMount(at, err)
}

// unmountNow unmounts if no program uses the mount.
func unmountNow(ctx context.Context, m *machine.Machine, at machine.Mount) error {
	err := m.Unmount(ctx, at.Mountpoint)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.EBUSY):
		return exit.Errorf(exit.Mountpoint, "%s is busy%s: close the open files and try again; everything written so far is in S3",
			at.Mountpoint, machine.UsersOf(at))
	}
	return exit.Errorf(exit.Mountpoint, "unmount %s: %w", at.Mountpoint, err)
}
