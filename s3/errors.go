package s3

import (
	"errors"
	"time"
)

// The kinds of failure. Every error of this package that is not one of a
// context is an *Error for which errors.Is with at least one of these, or
// none of them (unknown), holds.
var (
	ErrNotFound           = errors.New("not found")
	ErrNoSuchBucket       = errors.New("no such bucket") // is also ErrNotFound
	ErrForbidden          = errors.New("forbidden")
	ErrPreconditionFailed = errors.New("precondition failed")
	ErrNotModified        = errors.New("not modified")
	ErrInvalidRange       = errors.New("range not satisfiable")
	ErrConflict           = errors.New("conflicting operation")
	ErrThrottled          = errors.New("throttled") // is also ErrTransient
	ErrRedirect           = errors.New("bucket is served elsewhere")
	ErrTransient          = errors.New("transient failure")
	ErrExpiredCredentials = errors.New("expired credentials")
	ErrNoCredentials      = errors.New("no credentials")
	ErrClockSkew          = errors.New("clock differs from the server's")
	ErrNotImplemented     = errors.New("not implemented by the server")
	ErrInvalidInput       = errors.New("invalid input")
	ErrTooLarge           = errors.New("too large")
	ErrChecksum           = errors.New("checksum mismatch")
	ErrDeadline           = errors.New("deadline for retries passed")
)

// Error tells what failed, on what, and what the server said.
type Error struct {
	Op          string // as S3's API pages name it, e.g. "GetObject"
	Bucket, Key string
	Status      int    // HTTP status; 0 if no response came
	Code        string // S3's error code; "" if the response had none
	Message     string
	RequestID   string
	HostID      string
	Region      string        // the bucket's region, where the server told it
	Endpoint    string        // where the server redirects to
	RetryAfter  time.Duration // as the server asked
	Err         error         // the cause below, e.g. a network error
	kind        error
}

func (e *Error) Error() string { return e.Op }

// Unwrap returns the cause below.
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether target is the kind of e.
func (e *Error) Is(target error) bool { return e.kind == target }
