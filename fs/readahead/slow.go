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

// resume tells that the body is slow, that is slowFactor times slower than what the
// others had while it ran, and takes a second GET for the rest of it out of
// the share of those. Where all are slow, or none runs beside it, it is the link.
func (p *pace) resume(rest int) bool {
	own := time.Since(p.start)
	if own < slowLeast {
		return false
	}
	m := p.m
	m.mu.Lock()
	defer m.mu.Unlock()
	bytes, took := m.flow.bytes-p.before.bytes-p.bytes, m.flow.took-p.before.took-own
	if bytes < rateSample || took <= 0 || m.stats.Hedges > m.stats.Gets/hedgeShare {
		return false
	}
	usual, mine := float64(bytes)/took.Seconds(), float64(p.bytes)/own.Seconds()
	if mine*slowFactor >= usual || float64(rest) < mine*slowLeast.Seconds() {
		return false
	}
	m.stats.Hedges++
	return true
}
