package settings

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/exit"
	"github.com/s3mount/s3mount/fs"
	"github.com/s3mount/s3mount/s3"
)

// addressing is where the bucket's name goes in a URL.
type addressing = s3.Addressing

// addressingAuto lets the client choose by the endpoint.
const addressingAuto = s3.AddressingAuto

// defaultDrainTimeout is long enough to write 90 GB at 25 MB/s. Data that S3 does not hold
// after an hour will probably not get there soon.
const defaultDrainTimeout = time.Hour

// Settings holds the values of all options and arguments.
type Settings struct {
	Version    string // of the program
	Source     Source
	Mountpoint string          // absolute
	alias      string          // the name of the mount in the configuration file, if the user gave it
	config     string          // the configuration file
	Given      map[string]bool // names of the options that were given

	S3        s3.Options
	Profile   string
	Anonymous bool   // send requests unsigned
	CaFile    string // further trusted certificate authorities
	// CertFile and KeyFile are a client certificate and its private key, in PEM.
	CertFile, KeyFile string
	// CustomerKeyFile is the file with the key for SSE-C.
	CustomerKeyFile string

	Account  *Account // user that the process becomes; nil if it does not change
	FS       fs.Options
	Nonempty bool // the mountpoint may contain files

	Foreground bool
	// DrainTimeout limits the wait for S3 after SIGTERM. 0 means no limit.
	DrainTimeout time.Duration
	Fake         bool // check the command line, mount nothing
	sloppy       bool // ignore unknown names in -o
	Debug        bool
	LogFile      string // "" for the system log, or stderr in the foreground
	LogLevel     string
	LogFormat    string
	Metrics      string // address for Prometheus; "" for none
}

// leastDeadline is the shortest deadline of a read, so that a healthy server can answer it
// even if --deadline is shorter. Package s3 has the same limit.
const leastDeadline = 5 * time.Second

// slowRequest returns the age from which a FUSE request is logged as slow. A call
// to S3 that moves few bytes ends by the deadline, so an older request moves many
// bytes, makes many calls, or hangs.
func slowRequest(o s3.Options) time.Duration {
	return max(o.Deadline, leastDeadline) + time.Second
}

// Defaults returns the settings of a mount without options.
func Defaults() *Settings {
	s := &Settings{
		Given:        map[string]bool{},
		FS:           fs.DefaultOptions(),
		LogLevel:     "info",
		DrainTimeout: defaultDrainTimeout,
		LogFormat:    "text",
	}
	s.S3.Deadline = s3.Options{}.Defaults().Deadline
	s.FS.StateDir = defaultStateDir(os.Geteuid(), os.Getenv)
	return s
}

// defaultStateDir returns the state directory according to the Filesystem Hierarchy Standard
// for root, and to the XDG Base Directory Specification for users.
func defaultStateDir(euid int, getenv func(string) string) string {
	if euid == 0 {
		return "/var/lib/s3mount"
	}
	if dir := getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "s3mount")
	}
	home, err := os.UserHomeDir()
	if err != nil || !filepath.IsAbs(home) {
		// The user has no home. The name contains the number of the user, so that users
		// do not share a directory.
		return filepath.Join(os.TempDir(), fmt.Sprintf("s3mount-%d", euid))
	}
	return filepath.Join(home, ".local", "state", "s3mount")
}

// SetArguments sets the two positional arguments.
func (s *Settings) SetArguments(args []string) error {
	switch {
	case len(args) == 0:
		return exit.Errorf(exit.Usage, "name a bucket and a mountpoint: s3mount bucket[:prefix] mountpoint; see s3mount --help")
	case len(args) == 1:
		return exit.Errorf(exit.Usage, "the mountpoint is missing: s3mount %s mountpoint", args[0])
	case len(args) > 2:
		return exit.Errorf(exit.Usage, "%q is one argument too many: s3mount bucket[:prefix] mountpoint", args[2])
	case args[1] == "":
		return exit.Errorf(exit.Usage, "the mountpoint is an empty string")
	}
	src, err := parseSource(args[0])
	if err != nil {
		return err
	}
	dir, err := filepath.Abs(args[1])
	if err != nil {
		return exit.Errorf(exit.Mountpoint, "find the current directory: %w", err)
	}
	s.Source, s.Mountpoint = src, dir
	s.FS.Bucket, s.FS.Prefix, s.FS.Source = src.Bucket, src.Prefix, src.Spec
	if s.alias != "" {
		s.FS.Source = s.alias
	}
	return nil
}

// check refuses settings that are invalid or contradict each other. It makes paths absolute,
// because a process in the background has another working directory.
func (s *Settings) check() error {
	if err := s.checkEndpoint(); err != nil {
		return exit.Errorf(exit.Usage, "--endpoint: %w", err)
	}
	if s.Anonymous && s.Profile != "" {
		return exit.Errorf(exit.Usage, "--no-sign-request and --profile contradict each other: leave one out")
	}
	if err := errors.Join(s.checkAWSEndpoint(), s.checkObjects()); err != nil {
		return exit.Errorf(exit.Usage, "%w", err)
	}
	for _, path := range []*string{&s.LogFile, &s.CaFile, &s.CertFile, &s.KeyFile, &s.CustomerKeyFile, &s.FS.StateDir, &s.FS.SpoolDir, &s.FS.CacheDir} {
		if *path == "" {
			continue
		}
		abs, err := filepath.Abs(*path)
		if err != nil {
			return exit.Errorf(exit.Usage, "find the current directory: %w", err)
		}
		*path = abs
	}
	if err := s.useAccount(os.Geteuid()); err != nil {
		return err
	}
	// 0 selects the default of package s3. No request is retried within a nanosecond.
	s.S3.Deadline = max(s.S3.Deadline, time.Nanosecond)
	s.FS.Debug = s.Debug
	s.FS.Deadline = max(s.S3.Deadline, leastDeadline)
	s.FS.SlowRequest = slowRequest(s.S3)
	if s.Debug {
		s.LogLevel = "debug"
	}
	if err := s.FS.Validate(); err != nil {
		return exit.Errorf(exit.Usage, "%w", err)
	}
	return nil
}

// checkEndpoint checks that the endpoint is the URL of a server, without a secret and without
// parts that would be ignored.
func (s *Settings) checkEndpoint() error {
	if s.S3.Endpoint == "" {
		return nil
	}
	u, err := url.Parse(s.S3.Endpoint)
	switch {
	case err != nil:
		return errors.New("not a URL")
	case u.User != nil:
		return errors.New("a URL must not carry credentials: use a profile or the AWS_ variables")
	case u.Scheme != "http" && u.Scheme != "https":
		return fmt.Errorf("%q does not begin with https:// or http://", s.S3.Endpoint)
	case u.Hostname() == "":
		return fmt.Errorf("%q names no host", s.S3.Endpoint)
	case u.RawQuery != "" || u.Fragment != "":
		return fmt.Errorf("%q has more than scheme, host, port and path", s.S3.Endpoint)
	case strings.HasSuffix(s.S3.Endpoint, "/"+s.Source.Bucket) && s.S3.Addressing == addressingAuto:
		return fmt.Errorf("%q ends in the bucket's name: give the server's address only", s.S3.Endpoint)
	}
	return nil
}
