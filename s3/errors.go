package s3

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// These errors are the kinds of failure for errors.Is. Every error of this package is
// an *Error. It has one of these kinds, or none if the kind is unknown; then Status,
// Code and Message describe the server's answer.
var (
	ErrNotFound           = errors.New("not found")
	ErrNoSuchBucket       = errors.New("no such bucket") // is also ErrNotFound
	ErrForbidden          = errors.New("forbidden")
	ErrArchived           = errors.New("the object is archived, and must be restored first") // is also ErrForbidden
	ErrPreconditionFailed = errors.New("precondition failed")
	ErrNotModified        = errors.New("not modified")
	ErrInvalidRange       = errors.New("range not satisfiable")
	ErrConflict           = errors.New("conflicting operation")
	ErrThrottled          = errors.New("throttled") // is also ErrTransient
	ErrRedirect           = errors.New("bucket is served elsewhere")
	ErrTransient          = errors.New("transient failure")
	ErrExpiredCredentials = errors.New("expired credentials") // is also ErrForbidden
	ErrNoCredentials      = errors.New("no credentials")
	ErrClockSkew          = errors.New("clock differs from the server's")
	ErrNotImplemented     = errors.New("not implemented by the server")
	ErrInvalidInput       = errors.New("invalid input")
	ErrTooLarge           = errors.New("too large")
	ErrChecksum           = errors.New("checksum mismatch")
	// ErrLostUpload means that the server failed while it completed an upload, reported
	// the upload as complete when the request was repeated, and has no such object. The
	// caller must upload again.
	ErrLostUpload = errors.New("upload lost by the server") // is also ErrTransient
	// ErrDeadline means that Options.Deadline passed, or the retry budget was
	// exhausted, before a transient failure went away. The error also has the kind of
	// that failure.
	ErrDeadline = errors.New("deadline for retries passed")
)

// Error describes a failed operation
// (https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html). errors.Is and
// errors.As reach the underlying error through Unwrap.
type Error struct {
	Op          string // name of the operation in the S3 API, such as "GetObject"
	Bucket, Key string
	Status      int    // HTTP status, or 0 without a response
	Code        string // S3 error code, or "" if the response has none
	Message     string
	RequestID   string
	HostID      string
	Region      string        // region of the bucket, if the server named it
	Endpoint    string        // host to which the server redirects
	RetryAfter  time.Duration // value of the Retry-After header
	Err         error         // underlying error, such as a network error

	kind       error // one of the kinds, or nil if unknown
	retry      bool  // another attempt may succeed
	gaveUp     bool  // the deadline or the retry budget ended the retries
	serverTime time.Time
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Op)
	if e.Bucket != "" {
		fmt.Fprintf(&b, " %s", e.Bucket)
	}
	if e.Key != "" {
		fmt.Fprintf(&b, " %q", e.Key)
	}
	b.WriteString(": ")
	if e.kind != nil {
		b.WriteString(e.kind.Error())
	} else {
		b.WriteString("failed")
	}
	if e.Status != 0 {
		fmt.Fprintf(&b, " (status %d", e.Status)
		for _, s := range []string{e.Code, e.Message} {
			if s != "" {
				b.WriteString(", " + s)
			}
		}
		if e.RequestID != "" {
			b.WriteString(", request " + e.RequestID)
		}
		b.WriteString(")")
	} else if e.Message != "" {
		b.WriteString(": " + e.Message)
	}
	if e.gaveUp {
		b.WriteString("; " + ErrDeadline.Error())
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	return b.String()
}

// Unwrap returns the underlying error.
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether target is a kind of e.
func (e *Error) Is(target error) bool {
	switch target {
	case nil:
		return false
	case e.kind:
		return true
	case ErrNotFound:
		return e.kind == ErrNoSuchBucket
	case ErrTransient:
		return e.kind == ErrThrottled || e.kind == ErrLostUpload
	case ErrForbidden:
		return e.kind == ErrExpiredCredentials || e.kind == ErrClockSkew || e.kind == ErrArchived
	case ErrDeadline:
		return e.gaveUp
	}
	return false
}

// classify sets kind and retry by the code, or by the status if the code is unknown.
func (e *Error) classify() {
	if c, ok := classOfCode(e.Code); ok {
		e.kind, e.retry = c.kind, c.retry
		return
	}
	// Some servers answer throttling as 403.
	if isThrottleCode(e.Code) || e.Status == 403 && e.RetryAfter > 0 {
		e.kind, e.retry = ErrThrottled, true
		return
	}
	e.kind, e.retry = classOfStatus(e.Status)
	if e.kind == nil && e.Code == "AccessDenied" { // in a response with status 200
		e.kind = ErrForbidden
	}
	if e.kind == ErrNotFound && e.Code != "" && !strings.HasPrefix(e.Code, "NoSuch") {
		// The object is not known to be absent.
		e.kind = nil
		if absentUser(e.Code) {
			e.kind = ErrForbidden
		}
	}
}

// absentUser reports whether code means an unknown access key. Some servers send it
// with status 404, which must not look like an absent object.
func absentUser(code string) bool {
	return strings.Contains(code, "User") || strings.Contains(code, "AccessKey")
}

type errorClass struct {
	kind  error
	retry bool
}

// AWS documents the following about error codes
// (https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html, read in December 2026):
//
//   - The status alone does not determine the reaction. RequestTimeout, IncompleteBody and BadDigest are
//     400 and worth a retry. ExpiredToken, EntityTooLarge, KeyTooLongError and MetadataTooLarge
//     are 400 and are not. RequestTimeTooSkewed is 403, and so is InvalidObjectState, the
//     answer to a GET of an archived object.
//   - SlowDown and ServiceUnavailable are 503, InternalError is 500, OperationAborted and
//     ConditionalRequestConflict are 409. All five ask for a retry.
//   - CopyObject, UploadPartCopy, CompleteMultipartUpload and DeleteObjects can send an error
//     in the body of an answer with the status 200.
//   - The answer to a HEAD has no body and therefore no code.
//   - Answers of 4xx cost as much as others, answers of 5xx cost nothing
//     (https://docs.aws.amazon.com/AmazonS3/latest/userguide/ErrorCodeBilling.html).

// classOfCode returns the class of a code whose meaning the status alone does not show.
func classOfCode(code string) (errorClass, bool) {
	switch code {
	case "NoSuchBucket":
		return errorClass{ErrNoSuchBucket, false}, true
	case "NoSuchUser":
		return errorClass{ErrForbidden, false}, true
	case "NoSuchKey", "NoSuchVersion", "NoSuchUpload", "NotFound":
		return errorClass{ErrNotFound, false}, true
	case "PreconditionFailed", "ConditionalRequestFailed":
		return errorClass{ErrPreconditionFailed, false}, true
	case "NotModified":
		return errorClass{ErrNotModified, false}, true
	case "InvalidRange":
		return errorClass{ErrInvalidRange, false}, true
	case "ConditionalRequestConflict", "OperationAborted":
		// "A conflicting operation occurred during the request": S3 says to try again.
		return errorClass{ErrConflict, true}, true
	case "SlowDown", "RequestLimitExceeded", "TooManyRequests", "BandwidthLimitExceeded":
		return errorClass{ErrThrottled, true}, true
	case "InternalError", "InternalServerError", "ServiceUnavailable", "RequestTimeout",
		"RequestTimeoutException", "BusyTryAgainLater", "Busy":
		return errorClass{ErrTransient, true}, true
	case "BadDigest", "InvalidDigest", "XAmzContentChecksumMismatch", "XAmzContentSHA256Mismatch":
		return errorClass{ErrChecksum, code == "BadDigest" || code == "XAmzContentChecksumMismatch"}, true
	case "IncompleteBody":
		return errorClass{ErrTransient, true}, true
	case "ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "RequestExpired":
		return errorClass{ErrExpiredCredentials, false}, true
	case "RequestTimeTooSkewed":
		return errorClass{ErrClockSkew, false}, true
	case "PermanentRedirect", "TemporaryRedirect", "AuthorizationHeaderMalformed":
		return errorClass{ErrRedirect, false}, true
	case "InvalidObjectState":
		return errorClass{ErrArchived, false}, true
	case "NotImplemented":
		return errorClass{ErrNotImplemented, false}, true
	case "EntityTooLarge", "KeyTooLongError", "MaxMessageLengthExceeded", "MetadataTooLarge":
		return errorClass{ErrTooLarge, false}, true
	}
	return errorClass{}, false
}

// isThrottleCode reports whether code contains one of the words that vendors use for
// throttling.
func isThrottleCode(code string) bool {
	return strings.Contains(code, "Throttl") || strings.Contains(code, "TooManyRequest") ||
		strings.Contains(code, "SlowDown") || strings.Contains(code, "LimitExceeded") &&
		strings.HasPrefix(code, "Request")
}

func classOfStatus(status int) (kind error, retry bool) {
	switch status {
	case 301, 302, 307, 308:
		return ErrRedirect, false
	case 304:
		return ErrNotModified, false
	case 401, 403:
		return ErrForbidden, false
	case 404, 410:
		return ErrNotFound, false
	case 408:
		return ErrTransient, true
	case 409:
		return ErrConflict, false
	case 412:
		return ErrPreconditionFailed, false
	case 413:
		return ErrTooLarge, false
	case 416:
		return ErrInvalidRange, false
	case 429:
		return ErrThrottled, true
	case 501:
		return ErrNotImplemented, false
	}
	if status >= 500 {
		return ErrTransient, true
	}
	return nil, false
}

// inputError returns the error of a call that is not sent, because its input is
// invalid.
func inputError(op, bucket, key, message string) *Error {
	return &Error{Op: op, Bucket: bucket, Key: clip(key, MaxKeyLength), Message: message, kind: ErrInvalidInput}
}
