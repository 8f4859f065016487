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
	times  int           // number of runs of large rows with a raw form
	budget time.Duration // of the whole run
	out    string        // path of the tables; "" for none
	html   string        // path of the HTML report; "" for none
}

const (
	// fullLinks are the latencies of a local server and of a nearby region, in ms.
	fullLinks = "0,20"
	// fullTimes is the number of runs of large rows. On two processors, single runs
	// differ by up to a fifth and medians of three by a twentieth.
	fullTimes = 3
	// fullBudget is a few minutes more than a full run takes on two idle processors.
	fullBudget = 70 * time.Minute
)

// parse parses the command line. name is the work of -work, or "" to measure.
func parse(args []string) (o options, name string, rest []string, err error) {
	f := flag.NewFlagSet("bench", flag.ExitOnError)
	rowsFlag := f.String("rows", ".", "run the rows whose names match this expression")
	toolsFlag := f.String("tools", strings.Join(defaultTools(), ","), "measure these programs")
	linksFlag := f.String("links", fullLinks, "measure at these latencies, in ms")
	f.Float64Var(&o.scale, "scale", 1, "multiply sizes and numbers of files by this factor")
	f.IntVar(&o.times, "times", fullTimes, "run large rows with a raw form this many times and report the median")
	f.DurationVar(&o.budget, "budget", fullBudget, "begin no row after this time; a row takes little more than a minute")
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
			return o, "", nil, fmt.Errorf("-links: %q is not a number of milliseconds", s)
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

// measureAll runs the chosen rows. After an interrupt it returns the results so far.
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

// measureRow runs a row with each tool. Repetitions run in rounds, so that the tools
// are measured at about the same time. nearer are the results over shorter links.
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

// median returns the run with the median time. A failed run counts as the longest.
func median(runs []result) result {
	slices.SortStableFunc(runs, func(a, b result) int {
		if failed := cmp.Compare(min(len(a.err), 1), min(len(b.err), 1)); failed != 0 {
			return failed
		}
		return cmp.Compare(a.durable(), b.durable())
	})
	return runs[len(runs)/2]
}

var errNearer = errors.New("not tried, because it exceeded the time limit nearer to the server")

// lateNearer reports whether the tool exceeded the time limit over a shorter link. It
// would do so over a longer link as well.
func lateNearer(results []result, r result) bool {
	return slices.ContainsFunc(results, func(x result) bool {
		return x.late && x.row == r.row && x.tool == r.tool && x.ms < r.ms
	})
}

// command returns the command line of this run.
func command(args []string) string {
	if len(args) == 0 {
		return "make bench"
	}
	return "go run ./bench " + strings.Join(args, " ")
}

// workRoot returns a directory for the data of the server. It is in memory if /dev/shm
// has enough space and user xattrs, so that the disk is not measured.
func workRoot() (string, error) {
	const need = 6 * gib
	var st unix.Statfs_t
	if err := unix.Statfs("/dev/shm", &st); err == nil && int64(st.Bavail)*st.Bsize > need {
		dir, err := os.MkdirTemp("/dev/shm", "s3mount-bench-")
		if err == nil && unix.Setxattr(dir, "user.s3mount.probe", []byte("1"), 0) == nil {
			return dir, nil
		}
		_ = os.Remove(dir) // empty, or not created
	}
	return os.MkdirTemp("", "s3mount-bench-")
}

// find returns a tool and the path of its program.
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

var errTimeout = errors.New("exceeded the time limit")
