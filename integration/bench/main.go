package main

import (
	"cmp"
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
	"time"

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
	times  int           // that large rows with a raw form run
	budget time.Duration // for the whole run
	out    string        // RESULTS.md, or another file; "" for none
	html   string        // the report; "" for none
}

const (
	// fullLinks are a server beside the mount and one as far as a near region.
	fullLinks = "0,20"
	// fullTimes: the same row differs by up to a fifth from run to run on two
	// processors, and the medians of three by a twentieth.
	fullTimes = 3
	// fullBudget is the time that a full run takes on two processors that are otherwise idle,
	// and a few minutes more.
	fullBudget = 70 * time.Minute
)

// parse reads the command line. name is the piece of work to do, "" to measure.
func parse(args []string) (o options, name string, rest []string, err error) {
	f := flag.NewFlagSet("bench", flag.ExitOnError)
	rowsFlag := f.String("rows", ".", "run the rows whose names match this expression")
	toolsFlag := f.String("tools", strings.Join(defaultTools(), ","), "measure these programs")
	linksFlag := f.String("links", fullLinks, "at these distances, in ms")
	f.Float64Var(&o.scale, "scale", 1, "multiply sizes and numbers of files by this")
	f.IntVar(&o.times, "times", fullTimes, "run large rows with a raw form so often, and tell the median")
	f.DurationVar(&o.budget, "budget", fullBudget, "begin no row after this time; none takes much more than a minute")
	f.StringVar(&o.out, "out", "", "write the tables to this file (for a full run: RESULTS.md beside the source)")
	f.StringVar(&o.html, "html", "", "write the report to this file (for a full run: report.html beside the source)")
	f.StringVar(&name, "work", "", "do one piece of work, as the scripts of the rows do")
	if err := f.Parse(args); err != nil {
		return o, "", nil, err
	}
	if o.rows, err = regexp.Compile("^(" + *rowsFlag + ")"); err != nil {
		return o, "", nil, fmt.Errorf("-rows: %w", err)
	}
	o.tools = strings.Split(*toolsFlag, ",")
	for _, t := range o.tools {
		if !slices.Contains(allTools, t) {
			return o, "", nil, fmt.Errorf("-tools: %q is none of %s", t, strings.Join(allTools, ", "))
		}
	}
	for s := range strings.SplitSeq(*linksFlag, ",") {
		ms, err := strconv.Atoi(s)
		if err != nil || ms < 0 {
			return o, "", nil, fmt.Errorf("-links: %q is no number of milliseconds", s)
		}
		o.links = append(o.links, ms)
	}
	if o.times < 1 {
		return o, "", nil, fmt.Errorf("-times: %d is less than 1", o.times)
	}
	full := *rowsFlag == "." && slices.Equal(o.tools, defaultTools()) && *linksFlag == fullLinks && o.scale == 1 && o.times == fullTimes
	if full && o.out == "" && o.html == "" {
		dir, err := harness.ModuleDir()
		if err != nil {
			return o, "", nil, err
		}
		o.out, o.html = filepath.Join(dir, "bench", "RESULTS.md"), filepath.Join(dir, "bench", "report.html")
	}
	return o, name, f.Args(), nil
}

func run() error {
	o, name, rest, err := parse(os.Args[1:])
	if err != nil {
		return err
	}
	if name != "" {
		return work(name, rest)
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
	rep := report{Date: time.Now(), Command: command(os.Args[1:]), Machine: machine(), Programs: b.versions(), Scale: o.scale, links: o.links, tools: o.tools}
	rep.results = b.measureAll(ctx)
	rep.Took = time.Since(rep.Date)
	fmt.Print(rep.text())
	if err := rep.write(o); err != nil {
		return err
	}
	return context.Cause(ctx)
}

// measureAll runs the chosen rows. What was measured before an interrupt is kept.
func (b *bench) measureAll(ctx context.Context) (results []result) {
	for _, ms := range b.o.links {
		for _, row := range rows() {
			if !b.o.rows.MatchString(row.name) {
				continue
			}
			results = append(results, b.measureRow(ctx, ms, row, results)...)
			if ctx.Err() != nil {
				return results
			}
		}
	}
	return results
}

// measureRow runs a row with each tool, in rounds, so that what is compared was
// measured side by side. nearer are the results over shorter links.
func (b *bench) measureRow(ctx context.Context, ms int, row row, nearer []result) (results []result) {
	runs := map[string][]result{}
rounds:
	for round := range b.o.times {
		for _, name := range b.o.tools {
			if !row.suits(name) || round > 0 && !row.repeats(name, b.o.params) {
				continue
			}
			r := result{ms: ms, row: row.name, tool: name, late: true, skipped: true, err: errNearer.Error()}
			if !lateNearer(nearer, r) {
				r = b.measure(ctx, ms, row, name)
			}
			if ctx.Err() != nil {
				break rounds
			}
			fmt.Fprintln(os.Stderr, r)
			runs[name] = append(runs[name], r)
		}
	}
	for _, name := range b.o.tools {
		if len(runs[name]) > 0 {
			results = append(results, median(runs[name]))
		}
	}
	return results
}

// median is the run that took the middle time; a failed one counts as the longest.
func median(runs []result) result {
	slices.SortStableFunc(runs, func(a, b result) int {
		if failed := cmp.Compare(min(len(a.err), 1), min(len(b.err), 1)); failed != 0 {
			return failed
		}
		return cmp.Compare(a.durable(), b.durable())
	})
	return runs[len(runs)/2]
}

var errNearer = errors.New("not tried, for it was not done in time nearer to the server")

// lateNearer tells whether the tool had too little time over a shorter link,
// where the work is less: the time is better used for another row.
func lateNearer(results []result, r result) bool {
	return slices.ContainsFunc(results, func(x result) bool {
		return x.late && x.row == r.row && x.tool == r.tool && x.ms < r.ms
	})
}

// command is how this program was called.
func command(args []string) string {
	if len(args) == 0 {
		return "make bench"
	}
	return "go run ./bench " + strings.Join(args, " ")
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
