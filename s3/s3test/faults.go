package s3test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"syscall"
	"time"
)

// Faults makes requests fail on purpose, the same ones in every run: wrap a
// client's transport with Transport (as s3.Options.Transport wants it), or
// set it as Options.Faults to let the faults strike inside the server. One
// Faults may serve many clients; its rules count over all of them. The zero
// value does nothing; NewFaults is a shorthand.
type Faults struct {
	// Latency is added before every request.
	Latency time.Duration
	// Bandwidth, if not 0, is how many bytes per second a connection moves in
	// each direction.
	Bandwidth int64

	mu     sync.Mutex
	rules  []*ruleState
	seen   int
	struck int
}

// Rule selects the requests of a fault: the matching ones from the Nth on, Times in a
// row.
type Rule struct {
	Match func(*http.Request) bool // nil matches every request
	Nth   int                      // the first one struck; 0 and 1 are the first match
	Times int                      // how many in a row; 0 is one, negative is all from then on
	Fault Fault
}

// ruleState is a rule with the number of its matches so far.
type ruleState struct {
	Rule
	matched int
}

// NewFaults returns Faults with these rules. The first rule that strikes a
// request decides; all rules count it.
func NewFaults(rules ...Rule) *Faults {
	f := &Faults{}
	f.Add(rules...)
	return f
}

// Add adds rules, which count from now on.
func (f *Faults) Add(rules ...Rule) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range rules {
		f.rules = append(f.rules, &ruleState{Rule: r})
	}
}

// Clear removes all rules and counts; Latency and Bandwidth stay.
func (f *Faults) Clear() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules, f.seen, f.struck = nil, 0, 0
}

// Seen is the number of requests since the start or the last Clear.
func (f *Faults) Seen() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.seen
}

// Struck is the number of requests that a rule made fail. A test that fails
// the n-th request for every n is done when it is 0.
func (f *Faults) Struck() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.struck
}

// choose counts r and returns the fault that strikes it.
func (f *Faults) choose(r *http.Request) (Fault, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seen++
	var chosen *ruleState
	for _, s := range f.rules {
		if s.Match != nil && !s.Match(r) {
			continue
		}
		s.matched++
		if chosen == nil && s.strikes() {
			chosen = s
		}
	}
	if chosen == nil {
		return Fault{}, false
	}
	f.struck++
	return chosen.Fault, true
}

// strikes reports whether the rule applies to the match that was just counted.
func (s *ruleState) strikes() bool {
	after := s.matched - max(s.Nth, 1)
	return after >= 0 && (s.Times < 0 || after < max(s.Times, 1))
}

// Fault is a change of a request or its answer. Use the constructors, or combine
// fields: Delay comes first, and one of the others applies.
type Fault struct {
	// Delay holds the request back.
	Delay time.Duration
	// Err breaks the connection before the server sees the request. A client
	// behind Transport gets this very error, one of a server with faults a
	// broken connection.
	Err error
	// Status answers with this status and S3 error code; the request is not executed.
	Status     int
	Code       string
	RetryAfter time.Duration // in the answer, if not 0
	// Lost executes the request and breaks the connection instead of the answer.
	Lost bool
	// ErrorInBody executes the request and answers 200 with an error of this
	// code in the body, as CompleteMultipartUpload and CopyObject may.
	ErrorInBody string
	// Duplicate executes the request twice; the second answer is the answer.
	Duplicate bool
	// Cut ends the answer's body, or the request's, early.
	Cut *Cut
	// Flip changes one byte of the answer's body, or of the request's.
	Flip *Flip
}

// Flip inverts the byte at offset At of a body.
type Flip struct {
	At      int64
	Request bool // in the request's body instead of the answer's
}

// End is how a body ends early.
type End uint8

// The ends.
const (
	// Truncate closes the connection: the reader sees an unexpected EOF.
	Truncate End = iota
	// Reset resets the connection.
	Reset
	// Stall keeps the connection and sends nothing more.
	Stall
)

// Cut ends a body after some bytes.
type Cut struct {
	After   int64 // bytes that still come through
	How     End
	Request bool // cut the request's body instead of the answer's
}

// Fail breaks the connection with err before the request is sent; nil stands for a reset.
func Fail(err error) Fault {
	if err == nil {
		err = resetError()
	}
	return Fault{Err: err}
}

// Delay holds a request back.
func Delay(d time.Duration) Fault { return Fault{Delay: d} }

// SlowDown answers 503 SlowDown, with Retry-After if it is not 0.
func SlowDown(retryAfter time.Duration) Fault {
	return Fault{Status: http.StatusServiceUnavailable, Code: "SlowDown", RetryAfter: retryAfter}
}

// InternalError answers 500 InternalError.
func InternalError() Fault {
	return Fault{Status: http.StatusInternalServerError, Code: "InternalError"}
}

// Answer answers any S3 error.
func Answer(status int, code string) Fault { return Fault{Status: status, Code: code} }

// LoseAnswer executes the request but breaks the connection instead of answering.
func LoseAnswer() Fault { return Fault{Lost: true} }

// Twice executes the request two times.
func Twice() Fault { return Fault{Duplicate: true} }

// ErrorInside executes the request and answers 200 with an error in the body.
func ErrorInside(code string) Fault { return Fault{ErrorInBody: code} }

// CutAnswer ends the answer's body after n bytes.
func CutAnswer(n int64, how End) Fault { return Fault{Cut: &Cut{After: n, How: how}} }

// CutRequest ends the request's body after n bytes.
func CutRequest(n int64, how End) Fault { return Fault{Cut: &Cut{After: n, How: how, Request: true}} }

// FlipAnswer changes the byte at offset n of the answer's body.
func FlipAnswer(n int64) Fault { return Fault{Flip: &Flip{At: n}} }

// FlipRequest changes the byte at offset n of the request's body.
func FlipRequest(n int64) Fault { return Fault{Flip: &Flip{At: n, Request: true}} }

// resetError returns the error of a connection reset.
func resetError() error { return &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET} }

// OnKind matches requests of these kinds, named as in Server.Requests, with
// the bucket in the path.
func OnKind(kinds ...string) func(*http.Request) bool {
	return func(r *http.Request) bool { return slices.Contains(kinds, KindOf(r)) }
}

// OnKey matches requests for this key, with the bucket in the path.
func OnKey(key string) func(*http.Request) bool {
	return func(r *http.Request) bool { return parsed(r).key == key }
}

// Both matches requests that a and b match.
func Both(a, b func(*http.Request) bool) func(*http.Request) bool {
	return func(r *http.Request) bool { return a(r) && b(r) }
}

// KindOf returns the kind of an S3 request as in Server.Requests.
func KindOf(r *http.Request) string { return parsed(r).kind }

// parsed takes a request apart, on either side of the wire.
func parsed(r *http.Request) *call {
	if r.RequestURI == "" {
		clone := *r
		clone.RequestURI = r.URL.RequestURI()
		r = &clone
	}
	c := &call{Server: &Server{}, r: r}
	if err := c.parse(); err == nil {
		c.kind, _ = c.route()
	}
	return c
}

// pause waits, or returns why ctx ended.
func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// document is the XML of an error answer.
func document(code string) []byte {
	x := &xmlWriter{}
	x.b.WriteString(`<?xml version="1.0" encoding="UTF-8"?>` + "\n")
	e := apiError{code: code, message: fmt.Sprintf("Injected %s.", code)}
	x.in("Error", func() { e.elements(x, "INJECTED") })
	return x.b.Bytes()
}
