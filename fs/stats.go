package fs

import (
	"time"

	"github.com/s3mount/s3mount/fs/metering"
	"github.com/s3mount/s3mount/fs/writeback"
)

// Upload is a file that is being uploaded.
type Upload = writeback.Upload

// Stats contains the counters and gauges of a mount. Its JSON form is part of the
// control interface: fields are added and never changed. Counters start at 0 with the
// mount. Sizes are in bytes.
type Stats struct {
	Requests metering.Requests  `json:"fuse"`
	Cache    CacheStats         `json:"cache"`
	Memory   MemoryStats        `json:"memory"`
	Writes   WriteStats         `json:"writes"`
	Journal  JournalStats       `json:"journal"`
	Reads    ReadStats          `json:"reads"`
	Inodes   InodeStats         `json:"inodes"`
	Closes   CloseStats         `json:"closes"`  // the series of closes that waited for S3 for the longest time
	Uploads  []writeback.Upload `json:"uploads"` // files on their way to S3, by key
	Kept     KeptStats          `json:"kept"`
	Waiting  []WaitingStats     `json:"waiting"` // journals of earlier mounts that this one does not replay
}

// HitsMisses counts the requests that a cache could and could not answer.
type HitsMisses struct {
	Hits   int64 `json:"hits"`
	Misses int64 `json:"misses"`
	Bytes  int64 `json:"bytes"` // memory or disk space of the cache
}

// CacheStats describes the three caches. Metadata counts lookups, Blocks counts reads
// (a miss had to wait), and Disk counts blocks.
type CacheStats struct {
	Metadata HitsMisses `json:"metadata"`
	Blocks   HitsMisses `json:"blocks"`
	Disk     HitsMisses `json:"disk"`
}

// MemoryStats describes the memory budget.
type MemoryStats struct {
	Used  int64 `json:"used"`
	Limit int64 `json:"limit"`
}

// WriteStats describes unsaved files.
type WriteStats struct {
	Files     int   `json:"files"`   // open for writing, or being saved
	Dirty     int64 `json:"dirty"`   // bytes that S3 does not hold, holes included
	Spool     int64 `json:"spool"`   // of them, on disk
	Uploads   int64 `json:"uploads"` // multipart uploads under way
	InFlight  int64 `json:"in_flight"`
	Commits   int64 `json:"commits"`   // counter: objects written
	Conflicts int64 `json:"conflicts"` // counter: commits that found another version
	Recovered int64 `json:"recovered"` // counter: files kept in the recovery directory
}

// JournalStats describes the records in the journal.
type JournalStats struct {
	Count  int     `json:"count"`
	Bytes  int64   `json:"bytes"`
	Oldest float64 `json:"oldest_seconds"` // age of the oldest, 0 if there is none
}

// KeptStats describes the files in the recovery directory, including those of other
// mounts.
type KeptStats struct {
	Dir   string `json:"dir"`
	Files int    `json:"files"`
	Bytes int64  `json:"bytes"`
}

// WaitingStats describes a journal of an earlier mount that was not replayed.
type WaitingStats struct {
	Journal string `json:"journal"` // a directory
	Source  string `json:"source"`  // a writable mount of it replays the journal
	Records int    `json:"records"`
	Bytes   int64  `json:"bytes"`
}

// ReadStats describes the fetches from S3.
type ReadStats struct {
	Running int   `json:"running"`
	Queued  int   `json:"queued"`  // waiting for a connection
	Fetched int64 `json:"fetched"` // counter: bytes into blocks
	Read    int64 `json:"read"`    // counter: bytes out of blocks

	Verified   int64 `json:"verified"`   // counter: objects with the checksum that S3 has for all their bytes
	Unverified int64 `json:"unverified"` // counter: objects that were not compared with a checksum
	Corrupt    int64 `json:"corrupt"`    // counter: wrong checksums
}

// InodeStats describes the inodes that the kernel knows.
type InodeStats struct {
	Known int `json:"known"`
	Open  int `json:"open"` // handles
}

// Stats returns a reading of all counters and gauges. It makes no S3 request.
func (m *Mount) Stats() Stats { return m.o.stats() }

func (o *observed) stats() Stats {
	s := o.f.stats()
	s.Requests = o.requests.Requests()
	return s
}

// stats collects the counters and gauges of the packages below.
func (f *filesystem) stats() (s Stats) {
	names, reads, blocks, disk := f.ns.Stats(), f.reads.Stats(), f.blocks.Stats(), f.blocks.DiskStats()
	s.Cache = CacheStats{
		Metadata: HitsMisses{names.Hits, names.Misses, names.Bytes},
		Blocks:   HitsMisses{reads.Hits, reads.Misses, blocks.Bytes},
		Disk:     HitsMisses{disk.Hits, disk.Misses, disk.Bytes},
	}
	budget := f.blocks.Pool().Budget()
	s.Memory = MemoryStats{Used: budget.Used(), Limit: budget.Limit()}
	s.Reads = ReadStats{Running: reads.Running, Queued: reads.Queued, Fetched: reads.Fetched, Read: reads.Read,
		Verified: reads.Verified, Unverified: reads.Unverified, Corrupt: reads.Corrupt}
	w := f.writes.Stats()
	s.Writes = WriteStats{Files: w.Files, Dirty: w.Unsaved, Spool: w.Spool, Uploads: w.Uploads, InFlight: w.InFlight,
		Commits: w.Commits, Conflicts: w.Conflicts, Recovered: w.Recovered}
	s.Journal = JournalStats{Count: w.Queued, Bytes: w.QueuedBytes}
	if !w.QueuedSince.IsZero() {
		s.Journal.Oldest = max(time.Since(w.QueuedSince), 0).Seconds()
	}
	s.Uploads = f.writes.Uploads()
	k := f.writes.Kept()
	s.Kept = KeptStats{Dir: k.Dir, Files: k.Files, Bytes: k.Bytes}
	s.Waiting = []WaitingStats{}
	for _, w := range f.stillWaiting() {
		s.Waiting = append(s.Waiting, WaitingStats{Journal: w.Dir, Source: f.o.sourceOf(w.Prefix), Records: w.Records, Bytes: w.Bytes})
	}
	s.Closes = f.closes.longestSeries()
	s.Inodes = InodeStats{Known: f.inodes.count(), Open: f.handles.count()}
	return s
}
