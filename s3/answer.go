package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	// maxErrorBody is the largest prefix of an error body that is read. Error documents
	// of S3 are below 1 KiB.
	maxErrorBody = 64 << 10
	// maxMessage is the longest part of an error message that is kept, in bytes.
	maxMessage = 1024
)

// networkError returns the error of an attempt that ended without a response. doing
// describes the failed step and may be empty. Errors of the context and of the caller's
// reader take precedence over err.
func (x *exchange) networkError(doing string, err error) *Error {
	e := x.k.fail(err)
	e.Status = x.at.Status
	if x.ctx.Err() != nil {
		e.Err = contextError(x.ctx)
		return e
	}
	if x.body != nil {
		// The body must not be in use when the call returns.
		x.cancel(nil)
		if src := x.body.failure(); src != nil {
			e.Err = src
			if errors.Is(src, errBodyShort) {
				e.kind = ErrInvalidInput
			}
			return e
		}
	}
	if cause := context.Cause(x.own); cause != nil && cause != context.Canceled {
		e.Err = cause
	}
	if doing != "" {
		e.Err = fmt.Errorf("%s: %w", doing, e.Err)
	}
	e.kind, e.retry = ErrTransient, !permanent(err)
	return e
}

func (x *exchange) credentialError(err error) *Error {
	e := x.k.fail(err)
	if x.ctx.Err() != nil {
		e.Err = contextError(x.ctx)
		return e
	}
	e.kind = ErrNoCredentials
	return e
}

// answerError returns the error that a response describes
// (https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html). A document
// that is not from S3 is quoted in Message.
func (x *exchange) answerError(resp *response) *Error {
	e := &Error{Op: x.k.op, Bucket: x.k.bucket, Key: x.k.key, Status: resp.status}
	h := resp.header
	e.RequestID, e.HostID = first(h, "X-Amz-Request-Id"), first(h, "X-Amz-Id-2")
	e.Region = first(h, "X-Amz-Bucket-Region")
	e.serverTime, _ = http.ParseTime(first(h, "Date"))
	// Retry-After can be a date, which is compared with the clock of the server.
	now := e.serverTime
	if now.IsZero() {
		now = time.Now()
	}
	e.RetryAfter = retryAfter(first(h, "Retry-After"), now)
	body, err := io.ReadAll(io.LimitReader(resp.body, maxErrorBody))
	foreign := false
	if perr := parseError(body, e); perr != nil && err == nil {
		foreign = true
		e.Message = "answer is not S3's: " + firstLine(body)
	}
	e.setLocation(first(h, "Location"))
	e.classify()
	if foreign && e.kind == ErrNotFound {
		// A proxy sent this 404. It does not mean that the object is absent.
		e.kind, e.retry = ErrTransient, true
	}
	return e
}

var errWebPage = errors.New("answer is not S3's: a web page")

// isWebPage reports whether a response with status 200 is the page of a proxy or a
// captive portal. Such a page is HTML, like some objects, but has none of the headers
// that S3 sends with objects.
func isWebPage(h http.Header) bool {
	if !strings.HasPrefix(first(h, "Content-Type"), "text/html") {
		return false
	}
	for _, name := range [...]string{"Etag", "Last-Modified", "X-Amz-Request-Id", "X-Amz-Id-2"} {
		if h[name] != nil {
			return false
		}
	}
	return true
}

// setLocation sets Endpoint to the host of the Location header, unless the error
// document has named an endpoint.
func (e *Error) setLocation(location string) {
	if e.Endpoint != "" || location == "" {
		return
	}
	_, rest, ok := strings.Cut(location, "://")
	if !ok {
		return
	}
	e.Endpoint, _, _ = strings.Cut(rest, "/")
}

// parseError reads an <Error> document into e. It leaves fields that the document lacks
// unchanged. An empty document is not an error.
func parseError(data []byte, e *Error) error {
	if len(strings.TrimSpace(string(data[:min(len(data), 256)]))) == 0 {
		return nil
	}
	root := ""
	s := xmlScanner{data: data}
	err := s.walk(func(parent, name, text []byte) error {
		if parent == nil {
			root = string(name)
		}
		if string(parent) != "Error" && s.depth != 1 {
			return nil
		}
		v := clip(strings.TrimSpace(string(text)), maxMessage)
		switch string(name) {
		case "Code":
			e.Code = v
		case "Message":
			e.Message = v
		case "RequestId":
			setDefault(&e.RequestID, v)
		case "HostId":
			setDefault(&e.HostID, v)
		case "Region":
			setDefault(&e.Region, v)
		case "Endpoint":
			e.Endpoint = v
		}
		return nil
	})
	if err == nil && e.Code == "" {
		err = fmt.Errorf("root element is %q", clip(root, 40))
	}
	return err
}

// retryAfter parses the Retry-After header (RFC 9110, section 10.2.3). It returns 0 if
// the value is empty or invalid.
func retryAfter(v string, now time.Time) time.Duration {
	if n, err := strconv.ParseInt(v, 10, 32); err == nil {
		return time.Duration(max(n, 0)) * time.Second
	}
	if t, err := http.ParseTime(v); err == nil {
		return max(t.Sub(now), 0)
	}
	return 0
}

func firstLine(body []byte) string {
	s := strings.TrimSpace(string(body[:min(len(body), 200)]))
	s, _, _ = strings.Cut(s, "\n")
	return strconv.Quote(clip(s, 100))
}

// first returns the first value of a header, or "". Unlike Header.Get, it expects name
// in canonical form and therefore does not allocate.
func first(h http.Header, name string) string {
	if v := h[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}
