package servers

import (
	"regexp"
	"slices"

	"github.com/s3mount/s3mount/s3/s3test"
)

// The names of the servers that the tests can start.
const (
	Versitygw = "versitygw"
	Gofakes3  = "gofakes3"
	MinIO     = "minio"
	Ceph      = "ceph"
)

// Server describes one S3 server for the tests and README.md.
type Server struct {
	Name    string // chooses the server in the tests; empty: they cannot start it
	Title   string // its name in README.md; empty: README.md does not list it
	Version string // that was tested
	Limits  []Limit

	// Missing and Instead are the cells of a server that was not tested.
	Missing, Instead string
}

// Limit is something that cannot pass on a server. It names a test or a feature.
type Limit struct {
	// Test matches the full names of tests, the subtests included.
	Test string
	// NotRun tests harm the server, or need minutes to fail.
	NotRun bool
	// Feature is something that the conformance suite needs, and Row a row of the
	// suite that fails without it.
	Feature s3test.Feature
	Row     string
	// Reason says in what way the server differs.
	Reason string
	// Instead describes how s3mount replaces the feature. README.md omits limits
	// without it, because s3mount does not need the feature.
	Instead string
}

// Get returns the entry of a server that the tests can start.
func Get(name string) (Server, bool) {
	for _, s := range All {
		if s.Name == name && name != "" {
			return s, true
		}
	}
	return Server{}, false
}

// Find returns the limit of a test on a server.
func Find(server, test string) (Limit, bool) {
	s, _ := Get(server)
	for _, l := range s.Limits {
		if l.Test != "" && regexp.MustCompile("^(?:"+l.Test+")$").MatchString(test) {
			return l, true
		}
	}
	return Limit{}, false
}

// Lacks reports whether the server lacks a feature.
func (s Server) Lacks(f s3test.Feature) bool {
	return slices.ContainsFunc(s.Limits, func(l Limit) bool { return f != "" && l.Feature == f })
}

// Features returns the limits that are features of the conformance suite.
func (s Server) Features() (limits []Limit) {
	for _, l := range s.Limits {
		if l.Feature != "" {
			limits = append(limits, l)
		}
	}
	return limits
}
