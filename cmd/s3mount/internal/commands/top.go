package commands

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/control"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/exit"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/machine"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/progress"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/settings"
)

// minInterval is the shortest time between two frames. A rate over a shorter time
// means nothing.
const minInterval = 100 * time.Millisecond

func topCommand() Command {
	c := Command{
		Name: "top", Args: "MOUNTPOINT", Usage: "show once a second what a mount does",
		about: `Shows once a second the work of a mount in that second: throughput, requests
of programs and requests to S3 with their times (p50 is the median, p99 the
99th percentile), cache hits, uploads in progress, errors, and the cost of the
requests by a table of prices. The table is TOML: name, currency,
[per_thousand] with the price of 1000 requests by their name in the S3 API ("*"
for others), and [per_gib] with received and sent. Press Ctrl-C to end it.
Colours are used on a terminal unless NO_COLOR is set.`,
	}
	c.Run = func(in settings.Invocation, args []string) error {
		w := &watcher{out: in.Stdout, interval: time.Second}
		prices := ""
		rest, done, err := c.parse(in, args, []settings.Option{
			{Name: "interval", Arg: "TIME", Usage: "time between two frames", Value: func(*settings.Settings) flag.Value { return settings.Duration(&w.interval) }},
			{Name: "count", Arg: "N", Usage: "number of frames; 0 means no end", Value: func(*settings.Settings) flag.Value { return settings.Count(&w.count, 0) }},
			{Name: "prices", Arg: "FILE", Usage: "table of prices to use instead of that of AWS", Value: func(*settings.Settings) flag.Value { return settings.String(&prices) }},
		})
		if err != nil || done {
			return err
		}
		path, err := c.one(rest, "which mountpoint")
		if err != nil {
			return err
		}
		if w.interval < minInterval {
			return exit.Errorf(exit.Usage, "--interval %v: must be at least %v", w.interval, minInterval)
		}
		table, err := readPrices(prices)
		if err != nil {
			return err
		}
		colours := paletteFor(in.Stdout)
		w.describe = func(before, now control.Status) string { return describeInterval(before, now, table, colours) }
		at, err := machine.This().MountOf(path)
		if err != nil {
			return err
		}
		client, err := dial(at)
		if err != nil {
			return err
		}
		defer client.Close()
		w.status = client.Status
		if f, ok := in.Stdout.(*os.File); ok && progress.IsTerminal(f) {
			w.size = func() (int, int) { return progress.TerminalSize(f) }
		}
		ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM)
		defer stop()
		return w.run(ctx)
	}
	return c
}

// watcher shows the state of a mount repeatedly.
type watcher struct {
	status   func(ctx context.Context) (control.Status, error)
	describe func(before, now control.Status) string
	out      io.Writer
	interval time.Duration
	count    int                        // number of frames; 0 means no end
	size     func() (columns, rows int) // of the terminal; nil if the output is none
}

// The control sequences of a terminal (ECMA-48, and xterm's alternate screen).
const (
	enterScreen = "\x1b[?1049h\x1b[?25l"
	leaveScreen = "\x1b[?25h\x1b[?1049l"
	homeCursor  = "\x1b[H"
	clearLine   = "\x1b[K"
	clearRest   = "\x1b[J"
)

// run shows frames until ctx ends, the mount ends, or count frames were shown.
func (w *watcher) run(ctx context.Context) error {
	before, err := w.status(ctx)
	if err != nil {
		return err
	}
	if w.size != nil {
		fmt.Fprint(w.out, enterScreen)
		defer fmt.Fprint(w.out, leaveScreen)
	}
	tick := time.NewTicker(w.interval)
	defer tick.Stop()
	for n := 1; ; n++ {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
		now, err := w.status(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("the mount has ended, or does not answer: %w", err)
		}
		if err := w.frame(w.describe(before, now)); err != nil || n == w.count {
			return err
		}
		before = now
	}
}

// frame shows one text. On a terminal it replaces the previous frame and shows as
// much as fits. Elsewhere it follows the previous frame.
func (w *watcher) frame(text string) error {
	if w.size == nil {
		_, err := fmt.Fprintln(w.out, text)
		return err
	}
	columns, rows := w.size()
	var b strings.Builder
	b.WriteString(homeCursor)
	for i, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		if i == rows {
			break
		}
		if i > 0 {
			b.WriteString("\r\n")
		}
		b.WriteString(cutColumns(line, columns) + clearLine)
	}
	b.WriteString(clearRest)
	_, err := io.WriteString(w.out, b.String())
	return err
}
