package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/control"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/progress"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/text"
)

func umountCommand() command {
	c := command{
		name: "umount", args: "MOUNTPOINT", usage: "write everything to S3, then unmount",
		about: `Writes everything to S3, unmounts, and returns when the mount's process has
ended with nothing left to write. Nothing is lost: what cannot be written yet
keeps the mount where it is, with exit code 8. The exit code is also 8 if S3
refused a closed file for good; the mount then ends, and the recovery directory
that s3mount status shows keeps the file. While programs have files open or
stand in a directory of the mount, it is busy and stays, with exit code 3; those
of them that this user may see are named.`,
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
		m := thisMachine()
		at, err := m.mountOf(path)
		if err != nil {
			return err
		}
		ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM)
		defer stop()
		return m.umount(ctx, at)
	}
	return c
}

// umount writes everything, unmounts and waits for the end of the process.
func (m *machine) umount(ctx context.Context, at mountedAt) error {
	client, err := at.dial()
	if err != nil {
		return err
	}
	defer client.Close()
	var said *control.MountError
	if err := at.write(ctx, client); err != nil && !(errors.As(err, &said) && said.Kept) {
		return at.outcome(err)
	}
	end, err := client.Ending(ctx) // before it begins: its outcome is not missed
	if err != nil {
		return at.outcome(err)
	}
	defer end.Close()
	if err := m.unmountNow(ctx, at); err != nil {
		return err
	}
	d := progress.New(os.Stderr)
	err = end.Wait(showOn(d, "unmounting"))
	d.Close()
	if err != nil && ctx.Err() != nil {
		return errors.New("interrupted; it is unmounted, and the rest is being written")
	}
	if errors.As(err, &said) { // as the process itself ends with
		return oneLine(fail(exitUnwritten, "%s: %w", at.mountpoint, err))
	}
	return at.outcome(err)
}

// unmountNow takes the mount out of the tree if nobody uses it.
func (m *machine) unmountNow(ctx context.Context, at mountedAt) error {
	err := m.unmount(ctx, at.mountpoint)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.EBUSY):
		return fail(exitMountpoint, "%s is busy%s: close what is open there, then try again; everything written so far is in S3",
			at.mountpoint, usersOf(at))
	}
	return fail(exitMountpoint, "unmount %s: %w", at.mountpoint, err)
}

// unmount is umount(8): the error is EBUSY while somebody uses the mount.
func (m *machine) unmount(ctx context.Context, path string) error {
	if m.canMount {
		return unix.Unmount(path, 0)
	}
	bin, err := m.fusermount()
	if err != nil {
		return err
	}
	out, err := exec.CommandContext(ctx, bin, "-u", "--", path).CombinedOutput()
	switch {
	case err == nil:
		return nil
	case strings.Contains(string(out), "busy"): // EBUSY in the words of fusermount3
		return unix.EBUSY
	}
	return fmt.Errorf("%s: %w", firstLine(out, bin), err)
}

// maxUsers is how many of the programs that use a mount are named.
const maxUsers = 5

// usersOf names programs that use a mount, as far as this user may see them in
// /proc (proc_pid_cwd(5), proc_pid_fd(5)). Links are only read: nobody asks
// the mount.
func usersOf(at mountedAt) string {
	var names []string
	processes, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return ""
	}
	for _, dir := range processes {
		if !uses(dir, at.mountpoint) {
			continue
		}
		name, err := os.ReadFile(filepath.Join(dir, "comm"))
		if err != nil {
			continue // it has ended
		}
		if len(names) == maxUsers {
			names = append(names, "others")
			break
		}
		pid, _ := strconv.Atoi(filepath.Base(dir)) // the pattern has digits only
		names = append(names, fmt.Sprintf("%s (%d)", text.Printable(strings.TrimSpace(string(name))), pid))
	}
	if len(names) == 0 {
		return ""
	}
	return ", used by " + text.Enumerate(names)
}

// uses tells whether the process in a directory of /proc has something of a
// mount open or stands in it.
func uses(process, mountpoint string) bool {
	links := []string{filepath.Join(process, "cwd"), filepath.Join(process, "root")}
	open, err := filepath.Glob(filepath.Join(process, "fd", "*"))
	if err != nil {
		return false
	}
	return slices.ContainsFunc(append(links, open...), func(link string) bool {
		target, err := os.Readlink(link)
		return err == nil && (target == mountpoint || strings.HasPrefix(target, strings.TrimSuffix(mountpoint, "/")+"/"))
	})
}
