package commands

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/control"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/exit"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/machine"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/progress"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/settings"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/text"
)

const (
	// warmReaders is how many files are read at a time when nothing is said: as
	// many as the mount has connections for, so that small files keep them busy.
	warmReaders = 16
	// warmRead is one read(2), as large as FUSE passes on.
	warmRead = 1 << 20
)

func warmCommand() Command {
	c := Command{
		Name: "warm", Args: "PATH...", Usage: "read files once, so that caches have them",
		about: `Reads the files at and below the paths, and thereby their names, so that later
reads find them in the caches: of the kernel, in the memory of the mount and,
with --cache, on the disk. If the caches cannot hold everything, they drop the
files that were read first. The exit code is 1 if a file could not be read.`,
	}
	c.Run = func(in settings.Invocation, args []string) error {
		readers := warmReaders
		rest, done, err := c.parse(in, args, []settings.Option{{Name: "readers", Arg: "N", Usage: "files to read at a time",
			Value: func(*settings.Settings) flag.Value { return settings.Count(&readers, 1) }}})
		if err != nil || done {
			return err
		}
		if len(rest) == 0 {
			return exit.Errorf(exit.Usage, "say what to read: s3mount %s %s", c.Name, c.Args)
		}
		m := machine.This()
		for _, path := range rest {
			if _, err := m.MountOf(path); err != nil {
				return err
			}
		}
		ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM)
		defer stop()
		w := &warming{readers: readers}
		d := progress.New(os.Stderr)
		err = w.run(ctx, rest, d)
		d.Close()
		if ctx.Err() != nil {
			return errors.New("interrupted")
		}
		if err != nil {
			return err
		}
		return in.Print("read %s, %s\n", text.Count(w.files, "file"), text.Size(w.read))
	}
	return c
}

// warming is one run of warm.
type warming struct {
	readers int

	mu    sync.Mutex
	files int   // that were read
	read  int64 // bytes
	found int64 // bytes of the files that were found so far
	bad   int   // files and directories that could not be read
	first error // of them
}

// run reads everything below the paths and shows how far it is.
func (w *warming) run(ctx context.Context, paths []string, d *progress.Display) error {
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.walk(ctx, paths)
	}()
	tick := time.NewTicker(progress.Tick)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			w.mu.Lock()
			left := max(w.found-w.read, 0)
			w.mu.Unlock()
			showOn(d, "reading")(control.Progress{Bytes: left})
		case <-done:
			if w.bad > 0 {
				return fmt.Errorf("%s could not be read; the first: %w", text.Count(w.bad, "thing"), w.first)
			}
			return nil
		}
	}
}

// walk finds the files, and has them read beside that.
func (w *warming) walk(ctx context.Context, paths []string) {
	var g errgroup.Group
	g.SetLimit(w.readers)
	for _, path := range paths {
		err := filepath.WalkDir(path, func(path string, e fs.DirEntry, err error) error {
			switch {
			case ctx.Err() != nil:
				return ctx.Err()
			case err != nil:
				w.failed(err)
				return nil
			case !e.Type().IsRegular():
				return nil
			}
			info, err := e.Info()
			if err != nil {
				w.failed(err)
				return nil
			}
			w.mu.Lock()
			w.found += info.Size()
			w.mu.Unlock()
			g.Go(func() error { // waits while enough are read
				if err := w.file(ctx, path); err != nil {
					w.failed(err)
				}
				return nil
			})
			return nil
		})
		if err != nil && ctx.Err() == nil {
			w.failed(err)
		}
	}
	_ = g.Wait() // the errors are in w
}

// file reads one file.
func (w *warming) file(ctx context.Context, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	buf := make([]byte, warmRead)
	for ctx.Err() == nil {
		n, err := f.Read(buf)
		w.mu.Lock()
		w.read += int64(n)
		w.mu.Unlock()
		if errors.Is(err, io.EOF) {
			w.mu.Lock()
			w.files++
			w.mu.Unlock()
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *warming) failed(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.bad++; w.bad == 1 {
		w.first = err
	}
}
