package s3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"time"
)

// call is one request of the API with all its attempts.
type call struct {
	op          string
	method      string
	bucket, key string
	params      query
	header      http.Header // canonical names; attempts do not change it
	body        *payload    // nil if the request has no body
	document    []byte      // XML body, if body is nil
	expect100   bool
	copied      int64  // bytes that the server copies before it answers, or an upper bound
	noConflict  bool   // do not retry after a conflict with another writer
	lost        bool   // an attempt without an answer may have succeeded
	unconfirmed bool   // the answer does not say that the server uses the customer's key
	keyless     bool   // sent without the customer's key, because the object has none
	unasked     bool   // sent without X-Amz-Checksum-Mode after a refusal
	host        string // target of a redirect of this call; "" if none
	last        identity
	start       time.Time // start of the first attempt, including its wait for a connection
	// consume reads the response within the attempt, so that a truncated body or an
	// error in the body is retried like any failure. If it is nil, the caller of do
	// reads the body.
	consume func(*response) error
}

// identity holds the credentials, region, host and clock skew of the last attempt.
// Remedies compare it with the current values, because another call may have changed
// them since.
type identity struct {
	key    string // access key ID, or "" for an unsigned request
	region string
	host   string
	skew   time.Duration
}

// response is a successful HTTP response. Its body must be read to the end or closed.
type response struct {
	status int
	// length of the body, or -1 if unknown
	header http.Header
	length int64 // of the body; -1 if not known
	body   *recvBody
}

// exchange is one attempt in progress.
type exchange struct {
	c      *Client
	k      *call
	ctx    context.Context // the caller's context
	cancel context.CancelCauseFunc
	own    context.Context // derived from ctx; ended by cancel
	wd     *watchdog
	body   *sendBody
	at     Attempt
	sent   bool // the request was passed to the transport
	ended  bool
}

// attempt makes one HTTP exchange. The error says whether another attempt may succeed.
func (c *Client) attempt(ctx context.Context, k *call, try int) (*response, *Error) {
	if try == 0 {
		k.start = time.Now()
	}
	if e := c.takeSlot(ctx, k, try); e != nil {
		return nil, e
	}
	own, cancel := context.WithCancelCause(ctx)
	x := &exchange{c: c, k: k, ctx: ctx, own: own, cancel: cancel,
		at: Attempt{Op: k.op, Bucket: k.bucket, Retry: try, Start: time.Now()}}
	x.wd = newWatchdog(cancel, c.opts.StallTimeout)
	resp, err := x.run()
	if err != nil {
		if k.body != nil && x.body != nil {
			k.body.sent = k.body.sent || x.body.sent.Load() > 0
		}
		k.lost = k.lost || x.sent && !unsent(err) && (err.Status == 0 || err.Status/100 == 2 || err.Status >= http.StatusInternalServerError)
		x.at.Err = err
		x.end()
		if k.body != nil && x.body != nil && x.body.sum != nil && x.body.sent.Load() == x.body.size {
			k.body.sum = x.body.sum.value()
		}
		return nil, err
	}
	return resp, nil
}

// allowance returns how long an attempt may wait for a connection and for an answer.
// The limit is the deadline of the call. The first attempt has at least minPatience,
// including its wait for a connection, and every other attempt has at least
// lastAttempt.
func (c *Client) allowance(k *call, try int) time.Duration {
	waited := time.Since(k.start)
	left := c.opts.Deadline - waited
	if try == 0 {
		left = max(left, minPatience-waited)
	}
	return max(left, lastAttempt)
}

// lastAttempt is the least time of an attempt. A healthy S3 server needs less for
// nearly all answers.
const lastAttempt = time.Second

// errNoSlot means that other calls used all connections until the deadline.
var errNoSlot = errors.New("no connection became free in time")

// takeSlot waits for one of the client's connections, up to the deadline of the call. The users
// of the contexts of calls get connections in turn (package fair).
func (c *Client) takeSlot(ctx context.Context, k *call, try int) *Error {
	if c.slots.TryAcquire() {
		return nil
	}
	wait, cancel := context.WithTimeoutCause(ctx, c.allowance(k, try), errNoSlot)
	defer cancel()
	err := c.slots.Acquire(wait)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return k.fail(contextError(ctx))
	}
	e := k.fail(errNoSlot)
	e.kind, e.gaveUp = ErrTransient, true
	return e
}

// slowestCopy is the lowest expected rate of a copy inside a server, in bytes per
// second. AWS copies an object of 5 GiB in some minutes.
const slowestCopy = 10 << 20

// patience returns how long the exchange waits for the header of the response. A server
// that copies gets additional time in proportion to the bytes, at most ten times
// Options.ResponseTimeout.
func (x *exchange) patience() time.Duration {
	o := &x.c.opts
	wait := min(o.ResponseTimeout+2*o.ConnectTimeout, x.c.allowance(x.k, x.at.Retry))
	copying := time.Duration(float64(x.k.copied) / slowestCopy * float64(time.Second))
	return wait + min(copying, 10*o.ResponseTimeout)
}

func (x *exchange) run() (*response, *Error) {
	req, e := x.request()
	if e != nil {
		return nil, e
	}
	x.wd.await(x.patience())
	x.sent = true
	hr, err := x.c.rt.RoundTrip(req)
	x.wd.pause()
	x.at.Header = time.Since(x.at.Start)
	if err != nil {
		return nil, x.networkError("", err)
	}
	x.at.Status, x.at.RequestID = hr.StatusCode, first(hr.Header, "X-Amz-Request-Id")
	resp := &response{status: hr.StatusCode, header: hr.Header, length: hr.ContentLength,
		body: &recvBody{x: x, src: hr.Body, left: hr.ContentLength, eof: hr.Body == http.NoBody}}
	if hr.StatusCode/100 != 2 {
		return nil, x.fail(resp, x.answerError(resp))
	}
	if isWebPage(hr.Header) {
		e := x.k.fail(errWebPage)
		e.Status = hr.StatusCode
		return nil, x.fail(resp, e)
	}
	if err := x.c.checkCustomerKey(x.k, hr.Header); err != nil {
		return nil, x.fail(resp, x.consumeError(resp, err))
	}
	if x.k.consume == nil {
		return resp, nil
	}
	if x.body != nil && x.body.sent.Load() < x.body.size {
		return nil, x.fail(resp, x.networkError("", errEarlyAnswer))
	}
	if err := x.k.consume(resp); err != nil {
		return nil, x.fail(resp, x.consumeError(resp, err))
	}
	resp.body.Close()
	return resp, nil
}

var errEarlyAnswer = errors.New("server answered before it had the body")

// fail ends an attempt that has received a response.
func (x *exchange) fail(resp *response, e *Error) *Error {
	x.at.Err = e
	resp.body.Close()
	return e
}

// consumeError converts an error of call.consume to an *Error.
func (x *exchange) consumeError(resp *response, err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		e.Op, e.Bucket, e.Key = x.k.op, x.k.bucket, x.k.key
		setDefault(&e.Status, resp.status)
		setDefault(&e.RequestID, first(resp.header, "X-Amz-Request-Id"))
		return e
	}
	var p permanentError
	if errors.As(err, &p) {
		e := x.k.fail(p.error)
		e.Status = resp.status
		return e
	}
	return x.networkError("read response", err)
}

// request builds and signs the HTTP request.
func (x *exchange) request() (*http.Request, *Error) {
	c, k := x.c, x.k
	rawQuery := k.params.encode()
	t, err := c.locate(k.bucket, k.key, c.region(k.bucket))
	if err != nil {
		var e *Error
		if errors.As(err, &e) {
			e.Op = k.op
			return nil, e
		}
		return nil, k.fail(err)
	}
	if k.host != "" {
		t.host = k.host
	}
	k.last = identity{region: t.region, host: t.host, skew: time.Duration(c.skew.Load())}
	h := make(http.Header, len(k.header)+8)
	for name, v := range k.header {
		h[name] = v
	}
	u := &url.URL{Scheme: t.scheme, Host: t.host, Path: t.path, RawQuery: rawQuery}
	if plain, err := url.PathUnescape(t.path); err == nil && plain != t.path {
		u.Path, u.RawPath = plain, t.path
	}
	req := (&http.Request{Method: k.method, URL: u, Host: t.host, Header: h,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}).WithContext(x.own)
	if err := x.attachBody(req); err != nil {
		e := k.fail(fmt.Errorf("read body: %w", err))
		return nil, e
	}
	h["User-Agent"] = []string{c.opts.UserAgent}
	if c.opts.RequesterPays {
		h["X-Amz-Request-Payer"] = []string{"requester"}
	}
	cr, signed, err := c.credentials(x.own)
	if err != nil {
		return nil, x.credentialError(err)
	}
	k.last.key = cr.AccessKeyID
	switch at := (signTarget{t.region, t.service, time.Now().Add(k.last.skew).UTC()}); {
	case signed && t.region == anyRegion:
		if err := c.signAnywhere(req, cr, at); err != nil {
			return nil, k.fail(err)
		}
	case signed:
		c.signer.sign(req, t.path, rawQuery, cr, at)
	default:
		delete(h, "X-Amz-Content-Sha256")
		if h.Get("X-Amz-Trailer") != "" {
			h["X-Amz-Content-Sha256"] = []string{unsignedTrailer}
		}
	}
	if name := badHeader(h); name != "" {
		return nil, inputError(k.op, k.bucket, k.key, "header "+name+" would hold a control character")
	}
	return req, nil
}

func (x *exchange) attachBody(req *http.Request) error {
	c, k, h := x.c, x.k, req.Header
	if k.expect100 {
		h["Expect"] = []string{"100-continue"}
	}
	switch {
	case k.body != nil:
		k.body.noTrailer = isMultiRegion(k.bucket)
		b, err := c.prepare(k.body, h)
		if err != nil {
			return err
		}
		b.wd = x.wd
		b.responseTimeout = min(b.responseTimeout, c.allowance(k, x.at.Retry))
		x.body = b
		req.Body, req.ContentLength = b, b.size
		if b.sum != nil {
			req.ContentLength += frameLen(b.size, b.sum.algorithm)
		}
		if req.ContentLength == 0 {
			req.Body = http.NoBody
		}
	case k.document != nil:
		if h["X-Amz-Content-Sha256"] == nil {
			h["X-Amz-Content-Sha256"] = []string{sha256Hex(k.document)}
		}
		req.Body = io.NopCloser(bytes.NewReader(k.document))
		req.ContentLength = int64(len(k.document))
	default:
		h["X-Amz-Content-Sha256"] = emptyPayloadHeader
	}
	return nil
}

// end releases the resources of the attempt and reports it to the observer and the log.
// It is called when the response body has been read or closed, and has no effect when
// called again.
func (x *exchange) end() {
	if x.ended {
		return
	}
	x.ended = true
	x.wd.stop()
	x.cancel(nil)
	if x.body != nil {
		x.body.stop()
		x.at.BytesSent = x.body.sent.Load()
	}
	x.c.slots.Release()
	x.at.Duration = time.Since(x.at.Start)
	if x.c.opts.Observer != nil {
		x.c.opts.Observer(x.at)
	}
	if log := x.c.opts.Logger; log.Enabled(x.ctx, slog.LevelDebug) {
		log.LogAttrs(x.ctx, slog.LevelDebug, "s3 attempt", slog.String("op", x.k.op),
			slog.String("bucket", x.k.bucket), slog.String("key", x.k.key), slog.Int("retry", x.at.Retry),
			slog.Int("status", x.at.Status), slog.String("request_id", x.at.RequestID), slog.Duration("duration", x.at.Duration),
			slog.Int64("sent", x.at.BytesSent), slog.Int64("received", x.at.BytesReceived), slog.Any("error", x.at.Err))
	}
}
