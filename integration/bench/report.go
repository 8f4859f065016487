package main

import (
	"fmt"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/s3mount/s3mount/integration/harness"
)

// String is a result as a line of progress.
func (r result) String() string {
	if r.err != "" {
		return fmt.Sprintf("%2d ms %-12s %-8s fails: %s", r.ms, r.row, r.tool, r.err)
	}
	return fmt.Sprintf("%2d ms %-12s %-8s %7.2f s %8s held  %6.2f CPU s %5d MiB  %d requests: %s",
		r.ms, r.row, r.tool, r.seconds, r.heldText(), r.cpu, r.rss>>20, r.requests.Total(), r.requests)
}

func (r result) heldText() string {
	if r.held == 0 {
		return ""
	}
	return fmt.Sprintf("%.2f", r.held)
}

// durable is the time until the work was done and S3 held it.
func (r result) durable() float64 { return max(r.seconds, r.held) }

// report gives the whole table, in Markdown.
func report(o options, b *bench, results []result) string {
	var s strings.Builder
	s.WriteString("# Measurements\n\nMade by `make bench`; what the rows and columns mean is in [doc.go](doc.go).\n\n")
	fmt.Fprintf(&s, "%s\n\n", machine(b))
	s.WriteString("Beside: how often s3mount's time until S3 held everything fits into that of the best peer which did the work.\n\n")
	s.WriteString("| ms | work | tool | s | held | beside | CPU s | RSS MiB | requests | by kind |\n|--:|---|---|--:|--:|--:|--:|--:|--:|---|\n")
	for _, row := range rows() {
		for _, ms := range o.links {
			for _, r := range results {
				if r.row == row.name && r.ms == ms {
					s.WriteString(r.line(row, beside(r, results)))
				}
			}
		}
	}
	return s.String()
}

func (r result) line(row row, beside string) string {
	if r.err != "" {
		return fmt.Sprintf("| %d | %s: %s | %s | fails | | | | | | %s |\n", r.ms, r.row, row.what, r.tool, strings.ReplaceAll(r.err, "|", "/"))
	}
	rss := fmt.Sprint(r.rss >> 20)
	if r.rss == 0 {
		rss = ""
	}
	return fmt.Sprintf("| %d | %s: %s | %s | %.2f | %s | %s | %.2f | %s | %d | %s |\n",
		r.ms, r.row, row.what, r.tool, r.seconds, r.heldText(), beside, r.cpu, rss, r.requests.Total(), r.requests)
}

// beside compares s3mount with the best peer; it is "" for the others.
func beside(r result, results []result) string {
	if r.tool != "s3mount" || r.err != "" {
		return ""
	}
	best := 0.0
	for _, p := range results {
		if p.row == r.row && p.ms == r.ms && p.tool != "s3mount" && p.tool != "raw" && p.err == "" && (best == 0 || p.durable() < best) {
			best = p.durable()
		}
	}
	if best == 0 {
		return ""
	}
	return fmt.Sprintf("%.1f ×", best/r.durable())
}

// machine tells where and with what it was measured.
func machine(b *bench) string {
	var u unix.Utsname
	kernel := "unknown kernel"
	if unix.Uname(&u) == nil {
		kernel = "Linux " + unix.ByteSliceToString(u.Release[:])
	}
	var versions []string
	for _, t := range b.tools {
		if b.binaries[t.name] == "" {
			continue
		}
		arg := map[string]string{"rclone": "version"}[t.name]
		if arg == "" {
			arg = "--version"
		}
		out, err := harness.Output(b.binaries[t.name], arg)
		if err == nil {
			first, _, _ := strings.Cut(out, "\n")
			versions = append(versions, first)
		}
	}
	return fmt.Sprintf("%d processors, %s, %s; server versitygw on the same machine; %s.", runtime.NumCPU(), kernel, runtime.Version(), strings.Join(versions, "; "))
}
