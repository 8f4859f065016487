package servers

import (
	"regexp"
	"slices"

	"github.com/s3mount/s3mount/s3"
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

	// Missing describes what a server that was not tested lacks, and Replaced and
	// Instead describe how s3mount replaces it, as in Limit.
	Missing  string
	Replaced []s3.Feature
	Instead  string
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
	// Replaced are the features of package s3 that the server lacks. Package s3
	// describes how it replaces them.
	Replaced []s3.Feature
	// Instead describes how s3mount replaces something that is not in the table of
	// package s3. README.md omits limits with neither, because s3mount does not need
	// the feature.
	Instead string
}

// alternatives returns how s3mount replaces the features and what instead describes.
func alternatives(features []s3.Feature, instead string) (all []string) {
	for _, f := range features {
		all = append(all, f.Instead())
	}
	if instead != "" {
		all = append(all, instead)
	}
	return all
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
