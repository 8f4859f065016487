package metrics

import (
	"maps"
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/control"
	"github.com/s3mount/s3mount/fs"
	"github.com/s3mount/s3mount/fs/metering"
)

// kind is the type of a family.
type kind string

// The types of Prometheus that there are here.
const (
	counter   kind = "counter"
	gauge     kind = "gauge"
	histogram kind = "histogram"
)

// family is a metric with all its label values. Names follow
// https://prometheus.io/docs/practices/naming/.
type family struct {
	name   string
	kind   kind
	labels []string
	help   string
	read   func(s control.Status) []sample
}

// sample is one value of a family.
type sample struct {
	labels  []string
	value   float64
	latency metering.Latency // of a histogram
}

// families returns the table, in the order of the documentation.
func families() []family {
	return slices.Concat(mountFamilies(), requestFamilies(), s3Families(), cacheFamilies(), writeFamilies())
}

// number returns a family with one value.
func number(name string, k kind, help string, read func(s control.Status) float64) family {
	return family{name: "s3mount_" + name, kind: k, help: help,
		read: func(s control.Status) []sample { return []sample{{value: read(s)}} }}
}

func mountFamilies() []family {
	return []family{
		{name: "s3mount_info", kind: gauge, labels: []string{"version", "source", "mountpoint"}, help: "Always 1. The labels describe the mount.",
			read: func(s control.Status) []sample {
				return []sample{{labels: []string{s.Program, s.Source, s.Mountpoint}, value: 1}}
			}},
		number("start_time_seconds", gauge, "Time of the mount, in seconds since 1970.",
			func(s control.Status) float64 { return float64(s.Started.UnixMilli()) / 1e3 }),
		number("memory_used_bytes", gauge, "Memory for cached and unsaved data.", func(s control.Status) float64 { return float64(s.Memory.Used) }),
		number("memory_limit_bytes", gauge, "Value of --memory-limit.", func(s control.Status) float64 { return float64(s.Memory.Limit) }),
		number("inodes", gauge, "Files and directories that the kernel knows.", func(s control.Status) float64 { return float64(s.Inodes.Known) }),
		number("handles", gauge, "Open files and directories.", func(s control.Status) float64 { return float64(s.Inodes.Open) }),
	}
}

func requestFamilies() []family {
	return []family{
		{name: "s3mount_fuse_request_duration_seconds", kind: histogram, labels: []string{"op"}, help: "Requests of the kernel by operation, from arrival to answer.",
			read: perOperation(func(l metering.Latency) sample { return sample{latency: l} })},
		{name: "s3mount_fuse_request_errors_total", kind: counter, labels: []string{"op"}, help: "Requests of the kernel that were answered with an errno of a failure, such as EIO, EACCES, ESTALE or ENOSPC.",
			read: perOperation(func(l metering.Latency) sample { return sample{value: float64(l.Errors)} })},
		number("fuse_requests_in_flight", gauge, "Requests of the kernel in progress.", func(s control.Status) float64 { return float64(s.Requests.InFlight) }),
		number("fuse_oldest_request_seconds", gauge, "Age of the oldest request of the kernel in progress.", func(s control.Status) float64 { return s.Requests.Oldest }),
		number("fuse_slow_requests_total", counter, "Requests that the watchdog logged: older than --deadline by a second (61 s by default).", func(s control.Status) float64 { return float64(s.Requests.Slow) }),
		number("fuse_read_bytes_total", counter, "Bytes given to programs.", func(s control.Status) float64 { return float64(s.Requests.Read) }),
		number("fuse_written_bytes_total", counter, "Bytes taken from programs.", func(s control.Status) float64 { return float64(s.Requests.Written) }),
	}
}

func s3Families() []family {
	one := func(name, help string, read func(c control.Calls) float64) family {
		return family{name: "s3mount_s3_" + name, kind: counter, labels: []string{"kind"}, help: help,
			read: perCall(func(c control.Calls) sample { return sample{value: read(c)} })}
	}
	return []family{
		{name: "s3mount_s3_request_duration_seconds", kind: histogram, labels: []string{"kind"}, help: "HTTP exchanges with S3 by the name of the request in the API, to the end of the body. Each attempt counts.",
			read: perCall(func(c control.Calls) sample { return sample{latency: c.Latency} })},
		one("request_errors_total", "HTTP exchanges that failed or got no answer. 404 and the results of conditions do not count.",
			func(c control.Calls) float64 { return float64(c.Errors) }),
		one("request_retries_total", "HTTP exchanges that repeat a failed one.", func(c control.Calls) float64 { return float64(c.Retries) }),
		one("sent_bytes_total", "Bytes of bodies sent.", func(c control.Calls) float64 { return float64(c.Sent) }),
		one("received_bytes_total", "Bytes of bodies received.", func(c control.Calls) float64 { return float64(c.Received) }),
	}
}

func cacheFamilies() []family {
	one := func(name string, k kind, help string, read func(h fs.HitsMisses) int64) family {
		return family{name: "s3mount_cache_" + name, kind: k, labels: []string{"cache"}, help: help,
			read: func(s control.Status) []sample {
				return []sample{
					{labels: []string{"metadata"}, value: float64(read(s.Cache.Metadata))},
					{labels: []string{"blocks"}, value: float64(read(s.Cache.Blocks))},
					{labels: []string{"disk"}, value: float64(read(s.Cache.Disk))},
				}
			}}
	}
	return []family{
		one("hits_total", counter, "Lookups of names (metadata), reads (blocks) and blocks (disk) that the cache answered.", func(h fs.HitsMisses) int64 { return h.Hits }),
		one("misses_total", counter, "Lookups, reads and blocks that the cache did not answer at once.", func(h fs.HitsMisses) int64 { return h.Misses }),
		one("bytes", gauge, "Size of the cache. The disk cache counts all mounts that share it.", func(h fs.HitsMisses) int64 { return h.Bytes }),
		number("fetched_bytes_total", counter, "Bytes read from S3 into blocks.", func(s control.Status) float64 { return float64(s.Reads.Fetched) }),
		number("verified_objects_total", counter, "Objects that were read from S3 as a whole and match the checksum in S3.", func(s control.Status) float64 { return float64(s.Reads.Verified) }),
		number("unverified_objects_total", counter, "Objects that were read from S3 without a checksum of all that was read.", func(s control.Status) float64 { return float64(s.Reads.Unverified) }),
		number("corrupt_objects_total", counter, "Objects whose data did not match the checksum in S3.", func(s control.Status) float64 { return float64(s.Reads.Corrupt) }),
		number("fetches_running", gauge, "Requests of the read path in progress.", func(s control.Status) float64 { return float64(s.Reads.Running) }),
		number("fetches_queued", gauge, "Requests of the read path that wait for a connection.", func(s control.Status) float64 { return float64(s.Reads.Queued) }),
	}
}

func writeFamilies() []family {
	return []family{
		number("unsaved_bytes", gauge, "Bytes of open files that S3 does not hold.", func(s control.Status) float64 { return float64(s.Writes.Dirty) }),
		number("unsaved_files", gauge, "Files that are open for writing or being uploaded.", func(s control.Status) float64 { return float64(s.Writes.Files) }),
		number("spool_bytes", gauge, "Unsaved bytes on the local disk.", func(s control.Status) float64 { return float64(s.Writes.Spool) }),
		number("uploads", gauge, "Multipart uploads in progress.", func(s control.Status) float64 { return float64(s.Writes.Uploads) }),
		number("commits_total", counter, "Objects written.", func(s control.Status) float64 { return float64(s.Writes.Commits) }),
		number("conflicts_total", counter, "Objects that were not written because another client had changed them.", func(s control.Status) float64 { return float64(s.Writes.Conflicts) }),
		number("recovered_files_total", counter, "Files that were saved to the recovery directory.", func(s control.Status) float64 { return float64(s.Writes.Recovered) }),
		number("recovery_files", gauge, "Files in the recovery directory.", func(s control.Status) float64 { return float64(s.Kept.Files) }),
		number("journal_entries", gauge, "Changes in the journal that S3 does not hold.", func(s control.Status) float64 { return float64(s.Journal.Count) }),
		number("journal_bytes", gauge, "Bytes in the journal that S3 does not hold.", func(s control.Status) float64 { return float64(s.Journal.Bytes) }),
		number("journal_oldest_seconds", gauge, "Age of the oldest change in the journal.", func(s control.Status) float64 { return s.Journal.Oldest }),
	}
}

// perOperation returns a function that reads a sample for each FUSE operation.
func perOperation(read func(l metering.Latency) sample) func(s control.Status) []sample {
	return func(s control.Status) []sample { return byName(s.Requests.Operations, read) }
}

// perCall returns a function that reads a sample for each kind of S3 request.
func perCall(read func(c control.Calls) sample) func(s control.Status) []sample {
	return func(s control.Status) []sample { return byName(s.S3, read) }
}

// byName returns a sample for each entry of all, in the order of the names.
func byName[V any](all map[string]V, read func(V) sample) []sample {
	samples := make([]sample, 0, len(all))
	for _, name := range slices.Sorted(maps.Keys(all)) {
		v := read(all[name])
		v.labels = []string{name}
		samples = append(samples, v)
	}
	return samples
}

// desc returns the description of the family for Prometheus.
func (f family) desc() *prometheus.Desc {
	return prometheus.NewDesc(f.name, f.help, f.labels, nil)
}
