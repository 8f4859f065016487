package control

import (
	"time"

	"github.com/s3mount/s3mount/fs"
)

// Version is the version of the interface. It is in the path of each request.
const Version = 1

// The paths of the requests.
const (
	pathStatus = "/v1/status"
	pathSync   = "/v1/sync"
	pathWait   = "/v1/wait"
)

// Status describes a mount, its present state and its counters, which begin at the mount.
type Status struct {
	API        int       `json:"api"`     // Version
	Program    string    `json:"version"` // of s3mount
	PID        int       `json:"pid"`
	Source     string    `json:"source"` // as the user wrote it
	Mountpoint string    `json:"mountpoint"`
	Endpoint   string    `json:"endpoint,omitempty"` // "" is AWS
	Durability string    `json:"durability"`
	ReadOnly   bool      `json:"read_only"`
	Started    time.Time `json:"started"`
	Now        time.Time `json:"now"` // when the counters were read

	fs.Stats
	S3 map[string]Calls `json:"s3"` // by the name of the request in the S3 API

	Features []Feature `json:"features"` // of the server, as far as they are known
}

// Feature is the knowledge about one feature of the server.
type Feature struct {
	Name    string    `json:"name"`
	Support string    `json:"support"` // yes, ignored or refused
	Time    time.Time `json:"time"`    // when it was found out
	Origin  string    `json:"origin"`  // probe, use or profile
	Text    string    `json:"text"`    // one sentence, which names the alternative if the feature is missing
	Missing bool      `json:"missing"`
}

// Progress is the progress of a sync or of the end of a mount.
type Progress struct {
	Bytes   int64       `json:"bytes"`   // bytes that S3 does not hold
	Queued  int         `json:"queued"`  // changes in the journal
	Uploads []fs.Upload `json:"uploads"` // files that are being uploaded
	Done    bool        `json:"done"`    // this is the last line
	Error   string      `json:"error,omitempty"`
	Kept    bool        `json:"kept,omitempty"` // Error is about data in the recovery directory, and nothing is left to write
}

// progressOf returns the progress that s describes.
func progressOf(s fs.Stats) Progress {
	return Progress{Bytes: s.Writes.Dirty + s.Journal.Bytes, Queued: s.Journal.Count, Uploads: s.Uploads}
}
