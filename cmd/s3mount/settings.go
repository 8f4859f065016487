package main

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/s3mount/s3mount/fs"
	"github.com/s3mount/s3mount/s3"
)

// addressing is where the bucket's name goes in a URL.
type addressing = s3.Addressing

// addressingAuto lets the client choose, by the endpoint.
const addressingAuto = s3.AddressingAuto

// defaultDrainTimeout writes 90 GB at 25 MB/s; what is not in S3 after an hour
// will not be there soon.
const defaultDrainTimeout = time.Hour

// settings is all that the command line, the environment and -o said.
type settings struct {
	version    string // of the program
	source     source
	mountpoint string          // absolute
	alias      string          // what the user wrote for source: a mount of the configuration file
	config     string          // the configuration file
	given      map[string]bool // names of the options that something was said of

	s3        s3.Options
	profile   string
	anonymous bool   // send requests unsigned
	caFile    string // certificates to trust besides those of the system

	account  *account // whom the process becomes; nil if it stays what it is
	fs       fs.Options
	nonempty bool // a mountpoint with files in it will do

	foreground bool
	// drainTimeout bounds the wait for S3 after SIGTERM; 0 is no bound.
	drainTimeout time.Duration
	fake         bool // check the command line, mount nothing
	sloppy       bool // ignore unknown names in -o
	debug        bool
	logFile      string // "" is the system log, or stderr in the foreground
	logLevel     string
	logFormat    string
	metrics      string // where Prometheus is answered; "" is nowhere
}

// slowRequest is the age from which a FUSE request is logged as slow. One that
// makes a single request to S3 is over by then: the last attempt begins before
// the deadline, connects in name resolution and handshake, and is answered or
// given up. Older ones move many bytes, or something is wrong.
func slowRequest(o s3.Options) time.Duration {
	o = o.Defaults()
	return o.Deadline + 2*o.ConnectTimeout + o.ResponseTimeout
}

// defaultSettings are the settings of a mount about which nothing was said.
func defaultSettings() *settings {
	s := &settings{
		given:        map[string]bool{},
		fs:           fs.DefaultOptions(),
		logLevel:     "info",
		drainTimeout: defaultDrainTimeout,
		logFormat:    "text",
	}
	s.s3.Deadline = s3.Options{}.Defaults().Deadline
	s.fs.StateDir = defaultStateDir(os.Geteuid(), os.Getenv)
	return s
}

// defaultStateDir is where recovery files go, by the Filesystem Hierarchy
// Standard for root and by the XDG Base Directory Specification for users.
func defaultStateDir(euid int, getenv func(string) string) string {
	if euid == 0 {
		return "/var/lib/s3mount"
	}
	if dir := getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "s3mount")
	}
	home, err := os.UserHomeDir()
	if err != nil || !filepath.IsAbs(home) {
		// A user without a home: the name carries the number, so that users
		// do not meet in one directory.
		return filepath.Join(os.TempDir(), fmt.Sprintf("s3mount-%d", euid))
	}
	return filepath.Join(home, ".local", "state", "s3mount")
}

// setArguments takes the two positional arguments.
func (s *settings) setArguments(args []string) error {
	switch {
	case len(args) == 0:
		return fail(exitUsage, "say what to mount and where: s3mount bucket[:prefix] mountpoint; see s3mount --help")
	case len(args) == 1:
		return fail(exitUsage, "the mountpoint is missing: s3mount %s mountpoint", args[0])
	case len(args) > 2:
		return fail(exitUsage, "%q is one argument too many: s3mount bucket[:prefix] mountpoint", args[2])
	case args[1] == "":
		return fail(exitUsage, "the mountpoint is an empty string")
	}
	src, err := parseSource(args[0])
	if err != nil {
		return err
	}
	dir, err := filepath.Abs(args[1])
	if err != nil {
		return fail(exitMountpoint, "find the current directory: %w", err)
	}
	s.source, s.mountpoint = src, dir
	s.fs.Bucket, s.fs.Prefix, s.fs.Source = src.bucket, src.prefix, src.spec
	if s.alias != "" {
		s.fs.Source = s.alias
	}
	return nil
}

// check refuses settings that cannot be or contradict each other, and makes
// paths absolute, as a process in the background is in another directory.
func (s *settings) check() error {
	if err := s.checkEndpoint(); err != nil {
		return fail(exitUsage, "--endpoint: %w", err)
	}
	if s.anonymous && s.profile != "" {
		return fail(exitUsage, "--no-sign-request and --profile contradict each other: leave one out")
	}
	for _, path := range []*string{&s.logFile, &s.caFile, &s.fs.StateDir, &s.fs.SpoolDir, &s.fs.CacheDir} {
		if *path == "" {
			continue
		}
		abs, err := filepath.Abs(*path)
		if err != nil {
			return fail(exitUsage, "find the current directory: %w", err)
		}
		*path = abs
	}
	if err := s.useAccount(os.Geteuid()); err != nil {
		return err
	}
	// Package s3 takes 0 for its default. No request is repeated within a nanosecond.
	s.s3.Deadline = max(s.s3.Deadline, time.Nanosecond)
	s.fs.Debug = s.debug
	s.fs.SlowRequest = slowRequest(s.s3)
	if s.debug {
		s.logLevel = "debug"
	}
	if err := s.fs.Validate(); err != nil {
		return fail(exitUsage, "%w", err)
	}
	return nil
}

// checkEndpoint wants the URL of a server, without anything that would be lost
// or would be a secret on the command line.
func (s *settings) checkEndpoint() error {
	if s.s3.Endpoint == "" {
		return nil
	}
	u, err := url.Parse(s.s3.Endpoint)
	switch {
	case err != nil:
		return errors.New("not a URL")
	case u.User != nil:
		return errors.New("a URL must not carry credentials: use a profile or the AWS_ variables")
	case u.Scheme != "http" && u.Scheme != "https":
		return fmt.Errorf("%q does not begin with https:// or http://", s.s3.Endpoint)
	case u.Hostname() == "":
		return fmt.Errorf("%q names no host", s.s3.Endpoint)
	case u.RawQuery != "" || u.Fragment != "":
		return fmt.Errorf("%q has more than scheme, host, port and path", s.s3.Endpoint)
	case strings.HasSuffix(s.s3.Endpoint, "/"+s.source.bucket) && s.s3.Addressing == addressingAuto:
		return fmt.Errorf("%q ends in the bucket's name: give the server's address only", s.s3.Endpoint)
	}
	return nil
}
