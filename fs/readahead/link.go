package readahead

import (
	"math"
	"time"
)

// link holds the measurements of the connections to S3. Manager.mu guards it.
type link struct {
	samples   int           // GETs measured
	ttfb      time.Duration // from the request to the response's headers
	deviation time.Duration // the average deviation of ttfb
	rates     int           // the number of bodies whose speed was measured
	rate      float64       // bytes per second of one body
	all       float64       // bytes per second of all bodies together
}

const (
	// smooth is the weight of the newest measurement in the running averages.
	smooth = 0.25
	// rateSample in bytes is the shortest body whose speed is measured. Shorter ones
	// come out of buffers, or consist of latency only.
	rateSample = 1 << 20
	// bdpLimit bounds the effect of one odd measurement on the windows. It corresponds
	// to a connection of 400 MB/s at 20 ms.
	bdpLimit = 8 << 20
	// horizon is the longest time that the bytes of a window may need to arrive. A longer
	// window would not speed up a slow link, but all other reads, and the next byte of
	// the same stream, would queue behind it.
	horizon = time.Second
	// leastPatience is the shortest time without progress after which a GET is replaced.
	// It is far above the latency of a healthy server (S3 recommends to retry a slow
	// small GET after 2 s), and far below the time-out of TCP.
	leastPatience = 2 * time.Second
	// patienceFactor scales the patience on links with a high latency.
	patienceFactor = 20
)

// observe records a finished GET. running is the number of GETs that ran at the same time.
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

// reach returns the number of bytes that arrive within the horizon, or a very large number
// if nothing is measured yet.
func (l *link) reach() int64 {
	if l.all == 0 {
		return math.MaxInt64
	}
	return int64(l.all * horizon.Seconds())
}

// bdp returns the bandwidth-delay product: the number of bytes that must be requested in
// advance to keep one connection busy.
func (l *link) bdp() int64 {
	return min(int64(l.rate*l.ttfb.Seconds()), bdpLimit)
}

// patience returns the time without progress after which a GET is replaced.
func (l *link) patience() time.Duration {
	return max(leastPatience, patienceFactor*l.ttfb)
}
