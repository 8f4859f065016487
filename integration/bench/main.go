package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/s3mount/s3mount/integration/harness"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

type options struct {
	rows  *regexp.Regexp
	tools []string
	links []int // ms
	params
	out string
}

func parse() (options, string, error) {
	rowsFlag := flag.String("rows", ".", "run the rows whose names match this expression")
	toolsFlag := flag.String("tools", "raw,s3mount,s3fs,rclone", "measure these programs")
	linksFlag := flag.String("links", "0,20", "at these distances, in ms")
	scale := flag.Float64("scale", 1, "multiply sizes and numbers of files by this")
	out := flag.String("out", "", "write the table to this file, too (RESULTS.md beside the source for a full run)")
	workFlag := flag.String("work", "", "do one piece of work, as the scripts of the rows do")
	flag.Parse()
	o := options{tools: strings.Split(*toolsFlag, ","), params: params{scale: *scale}, out: *out}
	var err error
	if o.rows, err = regexp.Compile("^(" + *rowsFlag + ")"); err != nil {
		return o, "", fmt.Errorf("-rows: %w", err)
	}
	for _, s := range strings.Split(*linksFlag, ",") {
		ms, err := strconv.Atoi(s)
		if err != nil {
			return o, "", fmt.Errorf("-links: %w", err)
		}
		o.links = append(o.links, ms)
	}
	if full := *rowsFlag == "." && *toolsFlag == "raw,s3mount,s3fs,rclone" && *linksFlag == "0,20" && *scale == 1; full && o.out == "" {
		dir, err := harness.ModuleDir()
		if err != nil {
			return o, "", err
		}
		o.out = filepath.Join(dir, "bench", "RESULTS.md")
	}
	return o, *workFlag, nil
}

func run() error {
	o, name, err := parse()
	if err != nil {
		return err
	}
	if name != "" {
		return work(name, flag.Args())
	}
	if os.Geteuid() == 0 && !harness.InNamespace() {
		os.Exit(harness.Namespace())
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	b, err := newBench(ctx, o)
	if err != nil {
		return err
	}
	defer b.close()
	var results []result
	for _, ms := range o.links {
		for _, row := range rows() {
			if !o.rows.MatchString(row.name) {
				continue
			}
			for _, name := range o.tools {
				if name == "raw" && row.raw == nil {
					continue
				}
				r := b.measure(ctx, ms, row, name)
				fmt.Fprintln(os.Stderr, r)
				results = append(results, r)
				if ctx.Err() != nil {
					return context.Cause(ctx)
				}
			}
		}
	}
	table := report(o, b, results)
	fmt.Print(table)
	if o.out != "" {
		if err := os.WriteFile(o.out, []byte(table), 0o644); err != nil {
			return fmt.Errorf("write the table: %w", err)
		}
	}
	return nil
}

// workRoot gives a directory for the server's data: in memory where the
// filesystem there has user xattrs and room, so that no disk is measured.
func workRoot() (string, error) {
	const need = 6 * gib
	var st unix.Statfs_t
	if err := unix.Statfs("/dev/shm", &st); err == nil && int64(st.Bavail)*st.Bsize > need {
		dir, err := os.MkdirTemp("/dev/shm", "s3mount-bench-")
		if err == nil && unix.Setxattr(dir, "user.s3mount.probe", []byte("1"), 0) == nil {
			return dir, nil
		}
		_ = os.Remove(dir) // empty, or never made
	}
	return os.MkdirTemp("", "s3mount-bench-")
}

// find gives the tool of that name.
func (b *bench) find(name string) (tool, string, error) {
	i := slices.IndexFunc(b.tools, func(t tool) bool { return t.name == name })
	if i < 0 {
		return tool{}, "", fmt.Errorf("no program is called %q", name)
	}
	if err := b.missing[name]; err != nil {
		return tool{}, "", err
	}
	return b.tools[i], b.binaries[name], nil
}

var errTimeout = errors.New("not done in time")
