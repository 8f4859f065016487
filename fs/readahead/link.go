package readahead

import (
	"math"
	"time"
)

// link is what the fetches have measured of the way to S3. It is guarded by
// Manager.mu.
type link struct {
	samples   int           // GETs measured
	ttfb      time.Duration // from the request to the response's headers
	deviation time.Duration // of that, on average
	rates     int           // bodies of which the speed was measured
	rate      float64       // bytes per second of one body
	all       float64       // bytes per second of all bodies together
}

const (
	// smooth is the weight of the newest measurement in the running averages.
	smooth = 0.25
	// rateSample in bytes is the least body whose speed is taken for the
	// connection's: shorter ones come out of buffers, or are all latency.
	rateSample = 1 << 20
	// bdpLimit bounds what one odd measurement can do to the windows: it is a
	// connection of 400 MB/s at 20 ms.
	bdpLimit = 8 << 20
	// horizon is how long what is fetched ahead may take to arrive: more would
	// not make a slow link faster, but everybody else's reads, and the next
	// byte of this one, would queue behind it.
	horizon = time.Second
	// leastPatience is how long any fetch may stand still before it is tried
	// on another connection: far over what a healthy server needs (S3 tells to
	// retry a slow small GET after 2 s), far under the time-out of TCP.
	leastPatience = 2 * time.Second
	// patienceFactor scales patience on links that are slow as a rule.
	patienceFactor = 20
)

// observe takes in one finished GET, beside which others ran: running in all.
func (l *link) observe(ttfb time.Duration, bytes int64, body time.Duration, running int) {
	if l.ttfb == 0 {
		l.ttfb = ttfb
	}
	l.samples++
	l.deviation += time.Duration(smooth * float64((ttfb-l.ttfb).Abs()-l.deviation))
	l.ttfb += time.Duration(smooth * float64(ttfb-l.ttfb))
	if bytes < rateSample || body <= 0 {
		return
	}
	rate := float64(bytes) / body.Seconds()
	all := rate * float64(running)
	l.rates++
	if l.rate == 0 {
		l.rate, l.all = rate, all
	}
	l.rate += smooth * (rate - l.rate)
	l.all += smooth * (all - l.all)
}

// reach returns how many bytes arrive within the horizon; as many as one likes
// while nothing is known.
func (l *link) reach() int64 {
	if l.all == 0 {
		return math.MaxInt64
	}
	return int64(l.all * horizon.Seconds())
}

// bdp returns the bytes that one connection could have carried while it waited
// for a response: what has to be asked for in advance to keep it busy.
func (l *link) bdp() int64 {
	return min(int64(l.rate*l.ttfb.Seconds()), bdpLimit)
}

// patience returns how long a fetch may stand still before it is tried anew.
func (l *link) patience() time.Duration {
	return max(leastPatience, patienceFactor*l.ttfb)
}
