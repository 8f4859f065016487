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

// minInterval is the shortest time between two frames: rates over less say
// nothing.
const minInterval = 100 * time.Millisecond

func topCommand() Command {
	c := Command{
		Name: "top", Args: "MOUNTPOINT", Usage: "watch what a mount does",
		about: `Shows each second what a mount did in it: throughput, requests of programs and
to S3 with their times (half of them, and 99 of 100, were faster than p50 and
p99), cache hits, uploads under way, the queue, errors, and what the requests
cost by a table of prices. The table is TOML: name, currency, [per_thousand]
with the price of 1000 requests by their name in the S3 API ("*" for others),
and [per_gib] with received and sent. Interrupt it to end.`,
	}
	c.Run = func(in settings.Invocation, args []string) error {
		w := &watcher{out: in.Stdout, interval: time.Second, describe: describeInterval}
		prices := ""
		rest, done, err := c.parse(in, args, []settings.Option{
			{Name: "interval", Arg: "TIME", Usage: "time between two looks", Value: func(*settings.Settings) flag.Value { return settings.Duration(&w.interval) }},
			{Name: "count", Arg: "N", Usage: "looks to take; 0 is no end", Value: func(*settings.Settings) flag.Value { return settings.Count(&w.count, 0) }},
			{Name: "prices", Arg: "FILE", Usage: "table of prices in place of the one of AWS", Value: func(*settings.Settings) flag.Value { return settings.String(&prices) }},
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
		if w.prices, err = readPrices(prices); err != nil {
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

// watcher shows a mount again and again.
type watcher struct {
	status   func(ctx context.Context) (control.Status, error)
	describe func(before, now control.Status, p prices) string
	out      io.Writer
	interval time.Duration
	count    int // frames; 0 is no end
	prices   prices
	size     func() (columns, rows int) // of the terminal; nil if it is none
}

// The control sequences of a terminal (ECMA-48, and xterm's alternate screen).
const (
	enterScreen = "\x1b[?1049h\x1b[?25l"
	leaveScreen = "\x1b[?25h\x1b[?1049l"
	homeCursor  = "\x1b[H"
	clearLine   = "\x1b[K"
	clearRest   = "\x1b[J"
)

// run shows frames until ctx ends, the mount does, or there were enough.
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
		if err := w.frame(w.describe(before, now, w.prices)); err != nil || n == w.count {
			return err
		}
		before = now
	}
}

// frame shows one text: in place of the last one on a terminal, as much as it has
// room for; elsewhere below it.
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
		if runes := []rune(line); len(runes) > columns {
			line = string(runes[:columns])
		}
		b.WriteString(line + clearLine)
	}
	b.WriteString(clearRest)
	_, err := io.WriteString(w.out, b.String())
	return err
}
