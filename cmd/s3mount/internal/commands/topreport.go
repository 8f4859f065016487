package commands

import (
	"fmt"
	"time"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/control"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/text"
	"github.com/s3mount/s3mount/fs"
	"github.com/s3mount/s3mount/fs/metering"
)

// describeInterval returns a frame of s3mount top: the work of a mount between two
// readings, and its present state.
func describeInterval(before, now control.Status, p prices, colours palette) string {
	before, now = text.Deep(before), text.Deep(now)
	took := max(now.Now.Sub(before.Now), time.Millisecond)
	calls := callsSince(before.S3, now.S3)
	sent, received := bytesOf(calls)
	r := report{colours: colours}
	r.heading(headline(now))
	r.rows([]row{
		{name: "programs", text: rateText(took, "read", since(before.Requests.Read, now.Requests.Read), "write", since(before.Requests.Written, now.Requests.Written))},
		{name: "S3", text: rateText(took, "receive", received, "send", sent)},
	})
	r.rows(stateRows(now))
	r.rows([]row{
		{name: "hits", text: cacheText(cacheSince(before.Cache, now.Cache))},
		errorsRow(now),
		{name: "cost", text: fmt.Sprintf("%s so far, %s per hour at this rate", p.money(p.cost(now.S3)), p.money(p.cost(calls)/took.Hours()))},
	})
	r.rows(warningRows(now))
	r.uploads(now.Uploads)
	operations := map[string]metering.Latency{}
	for name, l := range now.Requests.Operations {
		operations[name] = l.Since(before.Requests.Operations[name])
	}
	r.requests("request", operations, took)
	r.requests("S3", latencies(calls), took)
	return r.String()
}

// since returns the growth of a counter. A counter that has become smaller belongs
// to another process, which began at 0.
func since(before, now uint64) uint64 {
	if now < before {
		return now
	}
	return now - before
}

// rateText describes the throughput in two directions.
func rateText(took time.Duration, in string, inBytes uint64, out string, outBytes uint64) string {
	if inBytes == 0 && outBytes == 0 {
		return "idle"
	}
	rate := func(n uint64) string { return text.Size(int64(float64(n)/took.Seconds())) + "/s" }
	return fmt.Sprintf("%s %s, %s %s", in, rate(inBytes), out, rate(outBytes))
}

// callsSince returns the calls between two readings.
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

// bytesOf returns the bytes that calls have sent and received.
func bytesOf(calls map[string]control.Calls) (sent, received uint64) {
	for _, c := range calls {
		sent, received = sent+c.Sent, received+c.Received
	}
	return sent, received
}

// errorsRow counts the errors and the retries since the mount began.
func errorsRow(s control.Status) row {
	var failed, retried uint64
	for _, c := range s.S3 {
		failed, retried = failed+c.Errors, retried+c.Retries
	}
	if failed == 0 && retried == 0 {
		return row{name: "errors", text: "none"}
	}
	return row{name: "errors", warning: failed > 0, text: fmt.Sprintf("%s and %d retries so far", text.Count(int(failed), "error"), retried)}
}

// cacheSince returns the hits and misses between two readings.
func cacheSince(before, now fs.CacheStats) fs.CacheStats {
	delta := func(old, h fs.HitsMisses) fs.HitsMisses {
		if old.Hits > h.Hits || old.Misses > h.Misses {
			return h
		}
		return fs.HitsMisses{Hits: h.Hits - old.Hits, Misses: h.Misses - old.Misses, Bytes: h.Bytes}
	}
	return fs.CacheStats{Metadata: delta(before.Metadata, now.Metadata), Blocks: delta(before.Blocks, now.Blocks), Disk: delta(before.Disk, now.Disk)}
}
