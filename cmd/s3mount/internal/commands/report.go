package commands

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/text"
	"github.com/s3mount/s3mount/fs/metering"
)

const (
	// reportWidth is the number of columns of the classic terminals. A report is
	// wider only if one word is, such as a path.
	reportWidth = 80
	// reportNames is the width of the longest row name, such as "requests".
	reportNames = 8
)

// row is a line of a report: a name and a text.
type row struct {
	name, text string
	warning    bool // someone has to act on it
}

// report is the text that status and top show.
type report struct {
	strings.Builder
	colours palette
}

// heading adds the first line of a mount.
func (r *report) heading(line string) {
	r.WriteString(r.colours.bold(strings.Join(wrap(line, reportWidth, "  "), "\n")) + "\n")
}

// rows adds rows below each other.
func (r *report) rows(rows []row) {
	indent := strings.Repeat(" ", 2+reportNames+2)
	for _, one := range rows {
		line := fmt.Sprintf("  %-*s  ", reportNames, one.name)
		lines := wrap(one.text, reportWidth-len(indent), "")
		value := strings.Join(lines, "\n"+indent)
		if one.warning {
			value = r.colours.yellow(value)
		}
		r.WriteString(line + value + "\n")
	}
}

// lines adds indented lines, which are wrapped.
func (r *report) lines(lines []string) {
	for _, line := range lines {
		r.WriteString("  " + strings.Join(wrap(line, reportWidth-2, "  "), "\n  ") + "\n")
	}
}

// requests adds a table of the requests that were made in a time, the most frequent
// first. It adds nothing if there were none.
func (r *report) requests(title string, all map[string]metering.Latency, in time.Duration) {
	names := slices.Collect(maps.Keys(all))
	names = slices.DeleteFunc(names, func(n string) bool { return all[n].Count == 0 })
	slices.SortFunc(names, func(a, b string) int {
		if all[a].Count != all[b].Count {
			return int(int64(all[b].Count) - int64(all[a].Count))
		}
		return strings.Compare(a, b)
	})
	if len(names) == 0 {
		return
	}
	const columns = "%-25s %10v %9v %7v %8v %8v"
	r.WriteString(r.colours.bold(fmt.Sprintf(columns, title, "count", "per s", "errors", "p50", "p99")) + "\n")
	for _, name := range names {
		l := all[name]
		line := fmt.Sprintf(columns, name, l.Count, fmt.Sprintf("%.1f", float64(l.Count)/max(in.Seconds(), 1e-3)),
			l.Errors, text.Seconds(l.P50), text.Seconds(l.P99))
		if l.Errors > 0 {
			line = r.colours.yellow(line)
		}
		r.WriteString(line + "\n")
	}
}

// wrap breaks a text between words so that no line is longer than width. All lines
// but the first begin with indent. A word that is longer than a line stays whole.
func wrap(line string, width int, indent string) []string {
	var lines []string
	current := ""
	for i, word := range strings.Split(line, " ") {
		switch {
		case i == 0:
			current = word
		case len([]rune(current))+1+len([]rune(word)) > width:
			lines = append(lines, current)
			current = indent + word
		default:
			current += " " + word
		}
	}
	return append(lines, current)
}

// shorten keeps the end of a text that is too long for a number of columns: the end
// of a key says more than its beginning.
func shorten(s string, columns int) string {
	const dots = "..."
	runes := []rune(s)
	if len(runes) <= columns {
		return s
	}
	return dots + string(runes[len(runes)-max(columns-len(dots), 0):])
}
