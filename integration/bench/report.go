package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// report contains the results of a run.
type report struct {
	Date     time.Time
	Took     time.Duration
	Command  string
	Machine  string
	Programs []string // with their versions
	Scale    float64
	links    []int
	tools    []string
	results  []result
}

// String returns the result as a line of progress.
func (r result) String() string {
	if r.err != "" {
		return fmt.Sprintf("%2d ms %-12s %-8s %s: %s", r.ms, r.row, r.tool, r.timeCell(), r.err)
	}
	held := ""
	if r.held != 0 {
		held = fmt.Sprintf("%.2f held", r.held)
	}
	note := ""
	if r.note != "" {
		note = "; " + r.note
	}
	return fmt.Sprintf("%2d ms %-12s %-8s %7.2f s %12s %6.2f CPU s %5d MiB  %d requests: %s%s",
		r.ms, r.row, r.tool, r.seconds, held, r.cpu, r.rss>>20, r.requests.Total(), r.requests, note)
}

// durable returns the seconds until the work was done and S3 had all data.
func (r result) durable() float64 { return max(r.seconds, r.held) }

// find returns the result of one cell.
func (rep *report) find(row, tool string, ms int) (result, bool) {
	i := slices.IndexFunc(rep.results, func(r result) bool { return r.row == row && r.tool == tool && r.ms == ms })
	if i < 0 {
		return result{}, false
	}
	return rep.results[i], true
}

// ahead returns the time of the fastest peer divided by the time of s3mount, both until
// S3 had all data. It returns 0 if there is nothing to compare.
func (rep *report) ahead(row string, ms int) float64 {
	own, ok := rep.find(row, toolOwn, ms)
	if !ok || own.err != "" {
		return 0
	}
	best := 0.0
	for _, p := range rep.results {
		if isPeer(p.tool) && p.row == row && p.ms == ms && p.err == "" && (best == 0 || p.durable() < best) {
			best = p.durable()
		}
	}
	if best == 0 || own.durable() == 0 {
		return 0
	}
	return best / own.durable()
}

// measured returns the groups with the rows that have results.
func (rep *report) measured() (out []group) {
	for _, g := range groups() {
		g.rows = slices.DeleteFunc(g.rows, func(r row) bool {
			return !slices.ContainsFunc(rep.results, func(x result) bool { return x.row == r.name })
		})
		if len(g.rows) > 0 {
			out = append(out, g)
		}
	}
	return out
}

// write writes the files that the options name.
func (rep *report) write(o options) error {
	if o.out != "" {
		if err := os.WriteFile(o.out, []byte(rep.markdown()), 0o644); err != nil {
			return fmt.Errorf("write the tables: %w", err)
		}
	}
	if o.html == "" {
		return nil
	}
	page, err := rep.html()
	if err != nil {
		return err
	}
	if err := os.WriteFile(o.html, page, 0o644); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

// The following methods return cells of the tables.

func (r result) timeCell() string {
	switch {
	case r.skipped:
		return "–"
	case r.err != "":
		return "fails"
	case r.held != 0:
		return fmt.Sprintf("%s (%s)", seconds(r.seconds), seconds(r.held))
	}
	return seconds(r.seconds)
}

// seconds formats a time with three digits, which is the precision of the measurement.
func seconds(s float64) string {
	switch {
	case s >= 100:
		return fmt.Sprintf("%.0f", s)
	case s >= 10:
		return fmt.Sprintf("%.1f", s)
	}
	return fmt.Sprintf("%.2f", s)
}

// perGiB returns the CPU time per GiB of application data. It is empty for rows below
// 64 MiB, where the cost of the start dominates.
func (r result) perGiB() string {
	if r.bytes < 64*mib || r.err != "" {
		return ""
	}
	return seconds(r.cpu * gib / float64(r.bytes))
}

// amplification returns the transferred bytes divided by the requested bytes.
func (r result) amplification() string {
	if r.bytes == 0 || r.moved == 0 || r.err != "" {
		return ""
	}
	return fmt.Sprintf("%.2f", float64(r.moved)/float64(r.bytes))
}

func (r result) memory() string {
	if r.rss == 0 || r.err != "" {
		return ""
	}
	return fmt.Sprint(r.rss >> 20)
}

// remark returns the last column.
func (r result) remark() string {
	if r.err != "" {
		return r.err
	}
	return strings.TrimSuffix(r.requests.String()+"; "+r.note, "; ")
}

func times(x float64) string {
	if x == 0 {
		return ""
	}
	return fmt.Sprintf("%.1f ×", x)
}
