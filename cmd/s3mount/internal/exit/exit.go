package exit

import (
	"errors"
	"fmt"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/text"
)

// The exit codes of s3mount. They are part of its interface, because scripts and service
// managers decide by the code whether to try again. The helper for mount(8) has the codes
// of mount(8) instead (settings.MountExitCode).
const (
	OK          = 0 // mounted, or ended with everything in S3
	Failure     = 1 // any other failure
	Usage       = 2 // an option, an argument or the bucket's name is wrong
	Mountpoint  = 3 // the mountpoint is missing, not a directory, not empty or in use
	FUSE        = 4 // this machine or user cannot mount: /dev/fuse, fusermount3, fuse.conf
	Credentials = 5 // credentials are missing, expired or refused, or the clock is wrong
	Bucket      = 6 // the bucket does not exist or denies access
	Endpoint    = 7 // the endpoint does not answer, or does not answer like S3
	Unwritten   = 8 // ended before S3 held everything that was written
)

// Meaning is one row of the table of exit codes.
type Meaning struct {
	Code  int
	Means string
}

// Codes returns the descriptions of the codes for the documentation.
func Codes() []Meaning {
	return []Meaning{
		{OK, "mounted; with --foreground: unmounted, and everything is in S3"},
		{Failure, "any other failure"},
		{Usage, "an option, an argument or the name of the bucket is wrong"},
		{Mountpoint, "the mountpoint is missing, not a directory, not empty or in use"},
		{FUSE, "this machine or user cannot mount: /dev/fuse, fusermount3, fuse.conf"},
		{Credentials, "credentials are missing, expired or refused, or the clock is wrong"},
		{Bucket, "the bucket does not exist, denies access, or is in another region"},
		{Endpoint, "the endpoint does not answer, or does not answer like S3"},
		{Unwritten, "ended before S3 held everything that was written"},
	}
}

// Error is an error with the exit code of the process.
type Error struct {
	Code int
	Err  error
}

// Errorf returns an Error. The arguments are the same as for fmt.Errorf.
func Errorf(code int, format string, args ...any) error {
	return &Error{Code: code, Err: fmt.Errorf(format, args...)}
}

func (f *Error) Error() string { return f.Err.Error() }

func (f *Error) Unwrap() error { return f.Err }

// Code returns the exit code for err.
func Code(err error) int {
	if err == nil {
		return OK
	}
	var f *Error
	if errors.As(err, &f) {
		return f.Code
	}
	return Failure
}

// ErrReported stands for an error that the parent prints or that is in the log.
var ErrReported = errors.New("reported")

// UnknownWord says what can stand in the place of a word.
func UnknownWord(kind, word string, known []string) error {
	return Errorf(Usage, "there is no %s %q: there are %s", kind, word, text.Enumerate(known))
}
