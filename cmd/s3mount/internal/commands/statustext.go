package commands

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/control"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/progress"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/text"
	"github.com/s3mount/s3mount/fs"
	"github.com/s3mount/s3mount/fs/metering"
)

// maxShownUploads: more files than that on their way are counted, not listed.
const maxShownUploads = 10

// describeStatus returns the text of s3mount status for one mount.
func describeStatus(s control.Status) string {
	s = text.Deep(s)
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", headline(s))
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, row := range gaugeRows(s) {
		fmt.Fprintf(w, "  %s\t%s\n", row[0], row[1])
	}
	w.Flush()
	for _, line := range featureLines(s.Features) {
		fmt.Fprintf(&b, "  %s\n", line)
	}
	for _, line := range uploadLines(s.Uploads) {
		fmt.Fprintf(&b, "  %s\n", line)
	}
	w = requestWriter(&b)
	requestTable(w, "request", s.Requests.Operations, s.Now.Sub(s.Started))
	requestTable(w, "S3", latencies(s.S3), s.Now.Sub(s.Started))
	w.Flush()
	return b.String()
}

// headline says which mount it is.
func headline(s control.Status) string {
	server := s.Endpoint
	if server == "" {
		server = "AWS"
	}
	mode := ""
	if s.ReadOnly {
		mode = ", read-only"
	}
	return fmt.Sprintf("%s: %s at %s%s, process %d, up %s", s.Mountpoint, s.Source, server, mode,
		s.PID, s.Now.Sub(s.Started).Round(time.Second))
}

// gaugeRows are what there is now, as pairs of a name and a text.
func gaugeRows(s control.Status) [][2]string {
	rows := [][2]string{
		{"memory", fmt.Sprintf("%s of %s", text.Size(s.Memory.Used), text.Size(s.Memory.Limit))},
		{"unsaved", fmt.Sprintf("%s in %s, %s under way", text.Size(s.Writes.Dirty), text.Count(s.Writes.Files, "open file"), text.Count(int(s.Writes.Uploads), "upload"))},
	}
	if s.Journal.Count > 0 || s.Durability == "journal" {
		rows = append(rows, [2]string{"journal", fmt.Sprintf("%s, %s, the oldest %s old", text.Count(s.Journal.Count, "thing"),
			text.Size(s.Journal.Bytes), text.Seconds(s.Journal.Oldest))})
	}
	rows = append(rows, [2]string{"caches", cacheText(s.Cache)},
		[2]string{"waiting", fmt.Sprintf("%s of programs, the oldest %s old", text.Count(s.Requests.InFlight, "request"), text.Seconds(s.Requests.Oldest))},
		[2]string{"moved", fmt.Sprintf("%s read, %s written", text.Size(int64(s.Requests.Read)), text.Size(int64(s.Requests.Written)))})
	if k := s.Kept; k.Files > 0 {
		rows = append(rows, [2]string{"kept", fmt.Sprintf("%s, %s, in %s: copy them to where they belong, then remove them",
			text.Count(k.Files, "file"), text.Size(k.Bytes), k.Dir)})
	}
	for _, w := range s.Waiting {
		rows = append(rows, [2]string{"waiting", fmt.Sprintf("%s, %s, of an earlier mount in %s: mount %s writable to upload them",
			text.Count(w.Records, "change"), text.Size(w.Bytes), w.Journal, w.Source)})
	}
	if n := s.Writes.Conflicts + s.Writes.Recovered; n > 0 {
		rows = append(rows, [2]string{"trouble", fmt.Sprintf("%s with other writers, %s kept in the recovery directory",
			text.Count(int(s.Writes.Conflicts), "conflict"), text.Count(int(s.Writes.Recovered), "file"))})
	}
	return rows
}

// cacheText says how often the caches could answer.
func cacheText(c fs.CacheStats) string {
	share := func(name string, h fs.HitsMisses) string {
		if h.Hits+h.Misses == 0 {
			return name + " unused"
		}
		return fmt.Sprintf("%s %.1f %%", name, 100*float64(h.Hits)/float64(h.Hits+h.Misses))
	}
	return "hits: " + strings.Join([]string{share("names", c.Metadata), share("reads", c.Blocks), share("disk", c.Disk)}, ", ")
}

// uploadLines lists the files that are on their way.
func uploadLines(uploads []fs.Upload) []string {
	var lines []string
	for i, u := range uploads {
		if i == maxShownUploads {
			return append(lines, fmt.Sprintf("and %d more files on their way", len(uploads)-i))
		}
		lines = append(lines, progress.FileLine(u))
	}
	return lines
}

// requestWriter aligns the tables of requests below each other.
func requestWriter(b *strings.Builder) *tabwriter.Writer {
	return tabwriter.NewWriter(b, 0, 0, 2, ' ', tabwriter.AlignRight)
}

// requestTable writes a table of requests that were made in a time, the most
// frequent first.
func requestTable(w *tabwriter.Writer, title string, all map[string]metering.Latency, in time.Duration) {
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
	fmt.Fprintf(w, "%-25s\tcount\tper s\terrors\tp50\tp99\t\n", title)
	for _, name := range names {
		l := all[name]
		fmt.Fprintf(w, "%-25s\t%d\t%.1f\t%d\t%s\t%s\t\n", name, l.Count, float64(l.Count)/max(in.Seconds(), 1e-3),
			l.Errors, text.Seconds(l.P50), text.Seconds(l.P99))
	}
}

// latencies takes the latencies out of calls.
func latencies(calls map[string]control.Calls) map[string]metering.Latency {
	all := make(map[string]metering.Latency, len(calls))
	for name, c := range calls {
		all[name] = c.Latency
	}
	return all
}

// featureLines describes what the server lacks.
func featureLines(known []control.Feature) []string {
	var lines []string
	for _, one := range known {
		if one.Missing {
			lines = append(lines, one.Text+" (found by "+one.Origin+", "+one.Time.Local().Format("2 January 2006")+")")
		}
	}
	return lines
}
