package commands

import (
	"net/http"
	"sync"
	"time"
)

// badSkew is the difference of clocks from which one should do something: S3
// refuses requests from 15 minutes on, and times of files are off before that.
const badSkew = time.Minute

// sameClock is less than can be told: a Date has whole seconds, and some servers
// read their clock once a second.
const sameClock = 2 * time.Second

// serverClock compares the clock of a server with the clock of this machine, by the
// Date of its answers (RFC 9110, section 6.6.1).
type serverClock struct {
	mu    sync.Mutex
	diff  time.Duration // how far this machine is ahead
	known bool
}

// watch wraps a transport.
func (c *serverClock) watch(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(req *http.Request) (*http.Response, error) {
		before := time.Now()
		resp, err := next.RoundTrip(req)
		if err != nil {
			return resp, err
		}
		if date, parseErr := http.ParseTime(resp.Header.Get("Date")); parseErr == nil {
			// The server looked at its clock in between, and cut its second off.
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

// RoundTrip calls it.
func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// skew returns how far this machine is ahead of the server, once it has answered.
func (c *serverClock) skew() (time.Duration, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.diff, c.known
}

// judgeSkew says whether a difference of the clocks matters. One that S3 refuses
// was an error of the bucket's check already.
func judgeSkew(skew time.Duration) finding {
	way := "ahead of"
	if skew < 0 {
		way = "behind"
	}
	if abs := skew.Abs(); abs >= badSkew {
		return doubtful("this machine is %s %s the server: set its clock (timedatectl set-ntp true)", abs.Round(time.Second), way)
	}
	if skew.Abs() <= sameClock {
		return found("as the server's")
	}
	return found("%s %s the server's", skew.Abs().Round(time.Second), way)
}
