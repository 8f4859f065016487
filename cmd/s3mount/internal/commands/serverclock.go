package commands

import (
	"net/http"
	"sync"
	"time"
)

// badSkew is the difference of clocks that needs a correction. S3 refuses requests from
// 15 minutes on, and smaller differences already make the times of files wrong.
const badSkew = time.Minute

// sameClock is the largest difference that may be an error of the measurement: a Date
// has whole seconds, and some servers read their clock once a second.
const sameClock = 2 * time.Second

// serverClock compares the clock of a server with the clock of this machine, by the
// Date of its answers (RFC 9110, section 6.6.1).
type serverClock struct {
	mu    sync.Mutex
	diff  time.Duration // lead of this machine
	known bool
}

// watch returns a transport that compares the clocks at each answer.
func (c *serverClock) watch(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(req *http.Request) (*http.Response, error) {
		before := time.Now()
		resp, err := next.RoundTrip(req)
		if err != nil {
			return resp, err
		}
		if date, parseErr := http.ParseTime(resp.Header.Get("Date")); parseErr == nil {
			// The server read its clock in between, and truncated to seconds.
			middle := before.Add(time.Since(before) / 2)
			c.mu.Lock()
			c.diff, c.known = middle.Sub(date.Add(time.Second/2)), true
			c.mu.Unlock()
		}
		return resp, nil
	})
}

// roundTripper is a function as a transport.
type roundTripper func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// skew returns the lead of this machine over the server. ok is false if no answer had a
// date.
func (c *serverClock) skew() (time.Duration, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.diff, c.known
}

// judgeSkew returns the finding for a difference of the clocks. A difference that S3
// refuses is an error of the earlier check of the bucket.
func judgeSkew(skew time.Duration) finding {
	way := "ahead of"
	if skew < 0 {
		way = "behind"
	}
	if abs := skew.Abs(); abs >= badSkew {
		return doubtful("this machine is %s %s the server: set its clock (timedatectl set-ntp true)", abs.Round(time.Second), way)
	}
	if skew.Abs() <= sameClock {
		return found("equal to the clock of the server")
	}
	return found("%s %s the clock of the server", skew.Abs().Round(time.Second), way)
}
