package readahead

import (
	"errors"
	"time"
)

const (
	// slowFactor is how many times slower than the others beside it a body must be
	// to be called slow. Connections of one link differ by two or three times.
	slowFactor = 10
	// slowLeast is how long a body is given before it can be slow, and how long its
	// rest must be expected to take at its pace: less would gain nothing.
	slowLeast = 500 * time.Millisecond
)

// errSlow says that a body comes so much slower than others that its rest is better
// asked for on another connection.
var errSlow = errors.New("far slower than others")

// flow counts what all running bodies have brought, and the time that they took for
// it, one after the other. Guarded by Manager.mu.
type flow struct {
	running int
	at      time.Time // up to when took is counted
	took    time.Duration
	bytes   int64
}

// count brings took up to date, then counts n bytes and a body more or less.
func (l *flow) count(n int64, bodies int) {
	now := time.Now()
	l.took += time.Duration(l.running) * now.Sub(l.at)
	l.at = now
	l.bytes += n
	l.running += bodies
}

// pace is one body of a GET beside the others.
type pace struct {
	m      *Manager
	start  time.Time
	before flow // all of them when this one began
	bytes  int64
}

// newPace begins to compare a body.
func (m *Manager) newPace() *pace {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.flow.count(0, 1)
	return &pace{m: m, start: time.Now(), before: m.flow}
}

// end ends the comparison.
func (p *pace) end() {
	p.m.mu.Lock()
	defer p.m.mu.Unlock()
	p.m.flow.count(0, -1)
}

// got counts n bytes more of the body.
func (p *pace) got(n int) {
	p.m.mu.Lock()
	defer p.m.mu.Unlock()
	p.bytes += int64(n)
	p.m.flow.count(int64(n), 0)
}

// resume tells that the body is slow, that is slowFactor times slower than usual, and
// takes a second GET for the rest of it out of the share of those. Usual is what the
// others had while it ran: where all are slow it is the link. For a body that is alone
// it is what those before it had. A link that has turned slow is so found out by a few
// second GETs, until slow is usual.
func (p *pace) resume(rest int) bool {
	own := time.Since(p.start)
	if own < slowLeast {
		return false
	}
	m := p.m
	m.mu.Lock()
	defer m.mu.Unlock()
	usual, mine := p.usual(own), float64(p.bytes)/own.Seconds()
	if m.stats.Hedges > m.stats.Gets/hedgeShare || mine*slowFactor >= usual || float64(rest) < mine*slowLeast.Seconds() {
		return false
	}
	m.stats.Hedges++
	return true
}

// usual returns how many bytes per second a body has as a rule, beside one that has
// taken own so far; 0: that is not known. Manager.mu is held.
func (p *pace) usual(own time.Duration) float64 {
	bytes, took := p.m.flow.bytes-p.before.bytes-p.bytes, p.m.flow.took-p.before.took-own
	switch {
	case bytes >= rateSample && took > 0:
		return float64(bytes) / took.Seconds()
	case took < own/2 && p.m.link.rates >= hedgeSamples:
		return p.m.link.rate
	}
	return 0
}
