package s3test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

// Transport wraps next so that the faults strike on their way to it. It fits
// s3.Options.Transport.
func (f *Faults) Transport(next http.RoundTripper) http.RoundTripper {
	return &faultTransport{faults: f, next: next}
}

type faultTransport struct {
	faults *Faults
	next   http.RoundTripper
}

// CloseIdleConnections lets http.Client reach the transport below.
func (t *faultTransport) CloseIdleConnections() {
	if c, ok := t.next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// RoundTrip implements http.RoundTripper.
func (t *faultTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	fault, _ := t.faults.choose(r)
	if err := pause(r.Context(), t.faults.Latency+fault.Delay); err != nil {
		closeBody(r.Body)
		return nil, err
	}
	switch {
	case fault.Err != nil:
		closeBody(r.Body)
		return nil, fault.Err
	case fault.Status != 0:
		closeBody(r.Body)
		return fault.response(r), nil
	case fault.Duplicate:
		return t.twice(r)
	}
	res, err := t.send(r, fault)
	if err != nil {
		return nil, err
	}
	switch {
	case fault.Lost:
		discard(res)
		return nil, resetError()
	case fault.ErrorInBody != "":
		discard(res)
		return xmlResponse(r, http.StatusOK, fault.ErrorInBody), nil
	}
	return res, nil
}

// send passes a request on, with its bodies as slow and as short as they are to be.
func (t *faultTransport) send(r *http.Request, f Fault) (*http.Response, error) {
	ctx := r.Context()
	if body := wrapBody(ctx, r.Body, f, t.faults.Bandwidth, true); body != r.Body {
		clone := *r
		clone.Body = body
		clone.GetBody = nil // a resend below would go around the fault
		r = &clone
	}
	res, err := t.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	res.Body = wrapBody(ctx, res.Body, f, t.faults.Bandwidth, false)
	return res, nil
}

// twice sends a request two times and returns the second answer.
func (t *faultTransport) twice(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, fmt.Errorf("read the body to send it twice: %w", err)
		}
		closeBody(r.Body)
	}
	for second := false; ; second = true {
		clone := *r
		if r.Body != nil {
			clone.Body = io.NopCloser(bytes.NewReader(body))
		}
		res, err := t.next.RoundTrip(&clone)
		if err != nil || second {
			return res, err
		}
		discard(res)
	}
}

// response is the fault's own answer.
func (f Fault) response(r *http.Request) *http.Response {
	res := xmlResponse(r, f.Status, f.Code)
	if f.RetryAfter > 0 {
		res.Header.Set("Retry-After", retryAfter(f.RetryAfter))
	}
	return res
}

// retryAfter is a time in whole seconds, rounded up.
func retryAfter(d time.Duration) string {
	return strconv.FormatInt(int64((d+time.Second-1)/time.Second), 10)
}

// xmlResponse is an answer with an S3 error in its body.
func xmlResponse(r *http.Request, status int, code string) *http.Response {
	body := document(code)
	if r.Method == http.MethodHead {
		body = nil
	}
	return &http.Response{
		Status: fmt.Sprintf("%d %s", status, http.StatusText(status)), StatusCode: status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header:        http.Header{"Content-Type": {"application/xml"}, "X-Amz-Request-Id": {"INJECTED"}},
		Body:          io.NopCloser(bytes.NewReader(body)),
		ContentLength: int64(len(body)),
	}
}

// closeBody meets a RoundTripper's duty to close the request's body.
func closeBody(body io.ReadCloser) {
	if body != nil {
		_ = body.Close() // it was never read
	}
}

// discard takes an answer off the wire, so that the server has finished it.
func discard(res *http.Response) {
	_, _ = io.Copy(io.Discard, res.Body) // the answer does not count
	closeBody(res.Body)
}
