package commands

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/control"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/text"
	"github.com/s3mount/s3mount/fs"
	"github.com/s3mount/s3mount/fs/metering"
)

// describeInterval returns a frame of s3mount top: the work of a mount between two
// readings, and its present state.
func describeInterval(before, now control.Status, p prices) string {
	before, now = text.Deep(before), text.Deep(now)
	took := max(now.Now.Sub(before.Now), time.Millisecond)
	rate := func(from, to uint64) string {
		if to < from {
			from = 0 // another process answers
		}
		return text.Size(int64(float64(to-from)/took.Seconds())) + "/s"
	}
	calls := callsSince(before.S3, now.S3)
	sent, received := bytesOf(calls)
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", headline(now))
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	rows := [][2]string{{"programs", fmt.Sprintf("read %s, write %s", rate(before.Requests.Read, now.Requests.Read), rate(before.Requests.Written, now.Requests.Written))},
		{"S3", fmt.Sprintf("receive %s, send %s, %s", rate(0, received), rate(0, sent), errorsText(now))}}
	for _, row := range gaugeRows(now) {
		switch row[0] {
		case "moved": // the rates say more
		case "caches":
			rows = append(rows, [2]string{"caches", cacheText(cacheSince(before.Cache, now.Cache))})
		default:
			rows = append(rows, row)
		}
	}
	perHour := p.cost(calls) / took.Hours()
	rows = append(rows, [2]string{"cost", fmt.Sprintf("%s so far, %s an hour like now", p.money(p.cost(now.S3)), p.money(perHour))})
	for _, row := range rows {
		fmt.Fprintf(w, "  %s\t%s\n", row[0], row[1])
	}
	w.Flush()
	for _, line := range uploadLines(now.Uploads) {
		fmt.Fprintf(&b, "  %s\n", line)
	}
	operations := map[string]metering.Latency{}
	for name, l := range now.Requests.Operations {
		operations[name] = l.Since(before.Requests.Operations[name])
	}
	w = requestWriter(&b)
	requestTable(w, "request", operations, took)
	requestTable(w, "S3", latencies(calls), took)
	w.Flush()
	return b.String()
}

// callsSince is what was requested between two readings.
func callsSince(before, now map[string]control.Calls) map[string]control.Calls {
	all := make(map[string]control.Calls, len(now))
	for name, c := range now {
		old := before[name]
		if old.Count > c.Count || old.Retries > c.Retries || old.Sent > c.Sent || old.Received > c.Received {
			old = control.Calls{} // another process answers
		}
		all[name] = control.Calls{Latency: c.Since(old.Latency), Retries: c.Retries - old.Retries, Sent: c.Sent - old.Sent, Received: c.Received - old.Received}
	}
	return all
}

func bytesOf(calls map[string]control.Calls) (sent, received uint64) {
	for _, c := range calls {
		sent, received = sent+c.Sent, received+c.Received
	}
	return sent, received
}

// errorsText counts what went wrong since the mount.
func errorsText(s control.Status) string {
	var failed, retried uint64
	for _, c := range s.S3 {
		failed, retried = failed+c.Errors, retried+c.Retries
	}
	return fmt.Sprintf("%s and %d repetitions so far", text.Count(int(failed), "error"), retried)
}

// cacheSince is what the caches did between two readings.
func cacheSince(before, now fs.CacheStats) fs.CacheStats {
	since := func(old, h fs.HitsMisses) fs.HitsMisses {
		if old.Hits > h.Hits || old.Misses > h.Misses {
			return h
		}
		return fs.HitsMisses{Hits: h.Hits - old.Hits, Misses: h.Misses - old.Misses, Bytes: h.Bytes}
	}
	return fs.CacheStats{Metadata: since(before.Metadata, now.Metadata), Blocks: since(before.Blocks, now.Blocks), Disk: since(before.Disk, now.Disk)}
}
