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
	// warmReaders is the default number of files that are read at a time. It is the
	// default of --connections, so that small files use all connections.
	warmReaders = 16
	// warmRead is the size of one read(2), the largest that FUSE passes on.
	warmRead = 1 << 20
)

func warmCommand() Command {
	c := Command{
		Name: "warm", Args: "PATH...", Usage: "read files once to fill the caches",
		about: `Reads the files at and below the paths, so that later reads find them and their
names in the caches of the kernel, of the mount and, with --cache, of the disk.
If the caches cannot hold everything, they drop the files that were read first.
The exit code is 1 if a file could not be read.`,
	}
	c.Run = func(in settings.Invocation, args []string) error {
		readers := warmReaders
		rest, done, err := c.parse(in, args, []settings.Option{{Name: "readers", Arg: "N", Usage: "files to read at a time",
			Value: func(*settings.Settings) flag.Value { return settings.Count(&readers, 1) }}})
		if err != nil || done {
			return err
		}
		if len(rest) == 0 {
			return exit.Errorf(exit.Usage, "name the files to read: s3mount %s %s", c.Name, c.Args)
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
	files int   // files that were read
	read  int64 // bytes
	found int64 // total size of the files found so far
	bad   int   // files and directories that could not be read
	first error // the first error
}

// run reads everything below the paths and shows the progress.
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
				return fmt.Errorf("%s could not be read; the first: %w", text.Count(w.bad, "path"), w.first)
			}
			return nil
		}
	}
}

// walk finds the files and reads them in parallel.
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
			g.Go(func() error { // blocks while the limit is reached
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

// failed records an error.
func (w *warming) failed(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.bad++; w.bad == 1 {
		w.first = err
	}
}
