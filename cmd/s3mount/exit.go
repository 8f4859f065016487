package main

import (
	"errors"
	"fmt"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/text"
)

// Exit codes of s3mount. They are part of its interface: scripts and service
// managers decide by them whether to try again. The helper for mount(8) has
// the codes of mount(8) instead, see helper.go.
const (
	exitOK          = 0 // mounted, or ended with everything in S3
	exitFailure     = 1 // anything that has no code of its own
	exitUsage       = 2 // an option, an argument or the bucket's name is wrong
	exitMountpoint  = 3 // the mountpoint is missing, not a directory, not empty or in use
	exitFUSE        = 4 // this machine or user cannot mount: /dev/fuse, fusermount3, fuse.conf
	exitCredentials = 5 // none found, expired, not accepted, or the clock is wrong
	exitBucket      = 6 // the bucket does not exist or denies access
	exitEndpoint    = 7 // the endpoint does not answer, or not as S3 does
	exitUnwritten   = 8 // ended while S3 did not hold everything that was written
)

// exitMeaning is one row of the table of exit codes.
type exitMeaning struct {
	code  int
	means string
}

// exitCodes is what the documentation says of the codes above.
func exitCodes() []exitMeaning {
	return []exitMeaning{
		{exitOK, "mounted; with --foreground: unmounted, and everything is in S3"},
		{exitFailure, "anything without a code of its own"},
		{exitUsage, "an option, an argument or the bucket's name is wrong"},
		{exitMountpoint, "the mountpoint is missing, not a directory, not empty or in use"},
		{exitFUSE, "this machine or user cannot mount: /dev/fuse, fusermount3, fuse.conf"},
		{exitCredentials, "no credentials, or expired or refused ones, or a wrong clock"},
		{exitBucket, "the bucket does not exist, denies access, or is elsewhere"},
		{exitEndpoint, "the endpoint does not answer, or not as S3 does"},
		{exitUnwritten, "ended while S3 did not hold everything that was written"},
	}
}

// failure is an error that knows the exit code it ends the process with.
type failure struct {
	code int
	err  error
}

// fail makes a failure; the arguments are those of fmt.Errorf.
func fail(code int, format string, args ...any) error {
	return &failure{code: code, err: fmt.Errorf(format, args...)}
}

func (f *failure) Error() string { return f.err.Error() }

func (f *failure) Unwrap() error { return f.err }

// exitCode returns the exit code that err ends the process with.
func exitCode(err error) int {
	if err == nil {
		return exitOK
	}
	var f *failure
	if errors.As(err, &f) {
		return f.code
	}
	return exitFailure
}

// errReported stands for an error that the parent prints or that is in the log.
var errReported = errors.New("reported")

// unknownWord says what can stand in the place of a word.
func unknownWord(kind, word string, known []string) error {
	return fail(exitUsage, "there is no %s %q: there are %s", kind, word, text.Enumerate(known))
}
