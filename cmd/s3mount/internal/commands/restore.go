package commands

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/control"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/exit"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/progress"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/settings"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/text"
	"github.com/s3mount/s3mount/s3"
)

const (
	// restoreDays is how long a restored copy stays by default: a working week.
	restoreDays = 7
	// restoreTick is the time between two questions about a restore. The fastest tier needs
	// one to five minutes.
	restoreTick = 10 * time.Second
)

func restoreCommand() Command {
	c := Command{
		Name: "restore", Args: "PATH...", Usage: "make archived files readable",
		about: `Asks S3 to restore the objects behind the paths from GLACIER, DEEP_ARCHIVE or an
archive tier of INTELLIGENT_TIERING. Until that is done, reading, appending and
renaming fail with "No data available". S3 needs minutes to two days, depending
on the class and the tier (Expedited, Standard or Bulk), and charges for it.
With --wait the command shows the progress and returns when all files can be
read. A path that is not archived needs nothing.`,
	}
	c.Run = func(in settings.Invocation, args []string) error {
		r := restoring{days: restoreDays, tick: restoreTick}
		wait := false
		rest, done, err := c.parse(in, args, []settings.Option{
			{Name: "days", Arg: "N", Usage: "days for which the copy stays",
				Value: func(*settings.Settings) flag.Value { return settings.Count(&r.days, 1) }},
			{Name: "tier", Arg: "T", Usage: "Expedited, Standard or Bulk",
				Value: func(*settings.Settings) flag.Value { return settings.String(&r.tier) }},
			switchOption("wait", "wait until the files can be read", &wait)})
		if err != nil || done {
			return err
		}
		if r.tier != "" && !slices.Contains(s3.RestoreTiers(), r.tier) {
			return exit.Errorf(exit.Usage, "--tier %q: want %s", r.tier, strings.Join(s3.RestoreTiers(), ", "))
		}
		if len(rest) == 0 {
			return exit.Errorf(exit.Usage, "name the files: s3mount %s %s", c.Name, c.Args)
		}
		ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM)
		defer stop()
		if err := r.begin(ctx, rest); err != nil {
			return err
		}
		if wait {
			d := progress.New(os.Stderr)
			err := r.wait(ctx, d)
			d.Close()
			if err != nil {
				return err
			}
		}
		return in.Print("%s\n", r.summary())
	}
	return c
}

// restoring is one run of restore.
type restoring struct {
	days int
	tier string
	tick time.Duration

	ready   []string // paths that can be read
	waiting []string // paths whose restore is under way
}

// begin starts the restores.
func (r *restoring) begin(ctx context.Context, paths []string) error {
	return eachPath(paths, func(path string) error {
		return r.at(path, func(client *control.Client, below string) (control.Object, error) {
			return client.Restore(ctx, below, r.days, r.tier)
		})
	})
}

// at asks about one path and sorts it into ready or waiting.
func (r *restoring) at(path string, ask func(*control.Client, string) (control.Object, error)) error {
	return atPath(path, func(client *control.Client, below string) error {
		o, err := ask(client, below)
		switch {
		case err != nil:
			return err
		case !o.Exists:
			return errors.New("it has no object in S3")
		case o.Archived:
			r.waiting = append(r.waiting, path)
		default:
			r.ready = append(r.ready, path)
		}
		return nil
	})
}

// wait returns when all files can be read.
func (r *restoring) wait(ctx context.Context, d *progress.Display) error {
	tick := time.NewTicker(r.tick)
	defer tick.Stop()
	for len(r.waiting) > 0 {
		d.Show(progress.State{Text: r.summary()})
		select {
		case <-tick.C:
		case <-ctx.Done():
			return errors.New("interrupted; S3 continues to restore")
		}
		paths := r.waiting
		r.waiting = nil
		if err := eachPath(paths, func(path string) error {
			return r.at(path, func(client *control.Client, below string) (control.Object, error) {
				return client.Object(ctx, below, 0)
			})
		}); err != nil {
			return err
		}
	}
	return nil
}

// summary describes the progress.
func (r *restoring) summary() string {
	if len(r.waiting) == 0 {
		return fmt.Sprintf("%s can be read", text.Count(len(r.ready), "file"))
	}
	return fmt.Sprintf("%s can be read, S3 restores %d", text.Count(len(r.ready), "file"), len(r.waiting))
}
