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
	// maxErrorBody bounds what is read of an error's body: S3's are below 1 KiB.
	maxErrorBody = 64 << 10
	// maxMessage bounds what is kept of an error's message.
	maxMessage = 1024
)

// networkError places an error that came instead of an answer.
func (x *exchange) networkError(doing string, err error) *Error {
	e := x.k.fail(err)
	e.Status = x.at.Status
	if x.ctx.Err() != nil {
		e.Err = contextError(x.ctx)
		return e
	}
	if x.body != nil {
		x.cancel(nil) // so that nobody is left reading the body
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

// answerError reads an answer that is an error.
func (x *exchange) answerError(resp *response) *Error {
	e := &Error{Op: x.k.op, Bucket: x.k.bucket, Key: x.k.key, Status: resp.status}
	h := resp.header
	e.RequestID, e.HostID = first(h, "X-Amz-Request-Id"), first(h, "X-Amz-Id-2")
	e.Region = first(h, "X-Amz-Bucket-Region")
	e.serverTime, _ = http.ParseTime(first(h, "Date"))
	now := e.serverTime // by the clock that Retry-After is told by
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
		// A proxy's: it tells nothing of the object.
		e.kind, e.retry = ErrTransient, true
	}
	return e
}

var errWebPage = errors.New("answer is not S3's: a web page")

// isWebPage recognizes the page that a proxy or a captive portal answers with
// status 200 to everything: HTML, as an object may be, but with nothing that S3
// tells of an object or a request.
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

// setLocation keeps the host of a redirect.
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

// parseError reads an <Error> document into e. Fields of e that it does not
// give stay as they are.
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

// retryAfter reads the header of that name (RFC 9110, section 10.2.3).
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

// first is Header.Get for names already in canonical form.
func first(h http.Header, name string) string {
	if v := h[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}
