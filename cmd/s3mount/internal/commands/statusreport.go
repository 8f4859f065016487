package commands

import (
	"fmt"
	"strings"
	"time"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/control"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/progress"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/text"
	"github.com/s3mount/s3mount/fs"
	"github.com/s3mount/s3mount/fs/metering"
)

// maxShownUploads is the number of uploads that are listed. Further ones are counted.
const maxShownUploads = 10

// describeStatus returns the text of s3mount status for one mount.
func describeStatus(s control.Status, colours palette) string {
	s = text.Deep(s)
	r := report{colours: colours}
	r.heading(headline(s))
	rows := append(stateRows(s), row{name: "hits", text: cacheText(s.Cache)}, row{name: "transfer",
		text: fmt.Sprintf("%s read, %s written", text.Size(int64(s.Requests.Read)), text.Size(int64(s.Requests.Written)))})
	r.rows(append(rows, warningRows(s)...))
	r.lines(featureLines(s.Features))
	r.uploads(s.Uploads)
	r.requests("request", s.Requests.Operations, s.Now.Sub(s.Started))
	r.requests("S3", latencies(s.S3), s.Now.Sub(s.Started))
	return r.String()
}

// headline names the mount.
func headline(s control.Status) string {
	server := s.Endpoint
	if server == "" {
		server = "AWS"
	}
	return fmt.Sprintf("%s: %s at %s", s.Mountpoint, s.Source, server)
}

// processText describes the process that serves the mount.
func processText(s control.Status) string {
	mode := ""
	if s.ReadOnly {
		mode = ", read-only"
	}
	return fmt.Sprintf("%d, up %s%s", s.PID, s.Now.Sub(s.Started).Round(time.Second), mode)
}

// stateRows describes the present state of a mount.
func stateRows(s control.Status) []row {
	rows := []row{
		{name: "process", text: processText(s)},
		{name: "memory", text: fmt.Sprintf("%s of %s", text.Size(s.Memory.Used), text.Size(s.Memory.Limit))},
		{name: "unsaved", text: unsavedText(s.Writes)},
	}
	if s.Journal.Count > 0 || s.Durability == "journal" {
		rows = append(rows, row{name: "journal", text: journalText(s.Journal)})
	}
	rows = append(rows, row{name: "requests", text: inFlightText(s.Requests)})
	if s.Closes.Long() {
		rows = append(rows, row{name: "closes", text: closesText(s.Closes)})
	}
	return rows
}

// closesText says what a journal would have saved.
func closesText(c fs.CloseStats) string {
	return fmt.Sprintf("%s one by one waited %s for S3; --durability=journal saves that", text.Count(c.Files, "file"), text.Seconds(c.Waited))
}

func unsavedText(w fs.WriteStats) string {
	if w.Dirty == 0 && w.Files == 0 && w.Uploads == 0 {
		return "nothing"
	}
	return fmt.Sprintf("%s in %s, %s in progress", text.Size(w.Dirty), text.Count(w.Files, "open file"), text.Count(int(w.Uploads), "upload"))
}

func journalText(j fs.JournalStats) string {
	if j.Count == 0 {
		return "empty"
	}
	return fmt.Sprintf("%s, %s, the oldest is %s old", text.Count(j.Count, "change"), text.Size(j.Bytes), text.Seconds(j.Oldest))
}

func inFlightText(r metering.Requests) string {
	if r.InFlight == 0 {
		return "none in progress"
	}
	return fmt.Sprintf("%d in progress, the oldest for %s", r.InFlight, text.Seconds(r.Oldest))
}

// warningRows describes the things that someone has to look at.
func warningRows(s control.Status) []row {
	var rows []row
	if k := s.Kept; k.Files > 0 {
		rows = append(rows, row{name: "kept", warning: true, text: fmt.Sprintf("%s, %s, in %s: copy them to where they belong, then remove them",
			text.Count(k.Files, "file"), text.Size(k.Bytes), k.Dir)})
	}
	for _, w := range s.Waiting {
		rows = append(rows, row{name: "waiting", warning: true, text: fmt.Sprintf("%s, %s, of an earlier mount in %s: mount %s writable to upload them",
			text.Count(w.Records, "change"), text.Size(w.Bytes), w.Journal, w.Source)})
	}
	if n := s.Writes.Conflicts + s.Writes.Recovered; n > 0 {
		rows = append(rows, row{name: "trouble", warning: true, text: fmt.Sprintf("%s with other writers, %s kept in the recovery directory",
			text.Count(int(s.Writes.Conflicts), "conflict"), text.Count(int(s.Writes.Recovered), "file"))})
	}
	return rows
}

// cacheText describes the share of lookups that each cache answered.
func cacheText(c fs.CacheStats) string {
	share := func(name string, h fs.HitsMisses) string {
		if h.Hits+h.Misses == 0 {
			return name + " unused"
		}
		return fmt.Sprintf("%s %.1f %%", name, 100*float64(h.Hits)/float64(h.Hits+h.Misses))
	}
	return strings.Join([]string{share("names", c.Metadata), share("reads", c.Blocks), share("disk", c.Disk)}, ", ")
}

// uploads adds a line for each upload in progress.
func (r *report) uploads(uploads []fs.Upload) {
	for i, u := range uploads {
		if i == maxShownUploads {
			fmt.Fprintf(r, "  and %d more uploads in progress\n", len(uploads)-i)
			return
		}
		key := u.Key
		u.Key = ""
		line := "  " + progress.FileLine(u)
		r.WriteString(line + shorten(text.Printable(key), reportWidth-len(line)) + "\n")
	}
}

// latencies returns the latencies of calls.
func latencies(calls map[string]control.Calls) map[string]metering.Latency {
	all := make(map[string]metering.Latency, len(calls))
	for name, c := range calls {
		all[name] = c.Latency
	}
	return all
}

// featureLines describes the features that the server lacks.
func featureLines(known []control.Feature) []string {
	var lines []string
	for _, one := range known {
		if one.Missing {
			lines = append(lines, one.Text+" (found by "+one.Origin+", "+one.Time.Local().Format("2 January 2006")+")")
		}
	}
	return lines
}
