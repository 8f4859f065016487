package readahead

import (
	"errors"
	"time"
)

const (
	// slowFactor is how many times slower than other bodies a slow body is. The speeds
	// of connections of one link differ by a factor of two or three.
	slowFactor = 10
	// slowLeast is the shortest time after which a body can be slow. The rest of the body
	// must also be expected to take at least as long, otherwise a second GET gains nothing.
	slowLeast = 500 * time.Millisecond
)

// errSlow means that a body is so slow that another GET for the rest is faster.
var errSlow = errors.New("the body is much slower than others")

// flow sums the bytes of all running bodies and the time that they took. Manager.mu guards it.
type flow struct {
	running int
	at      time.Time // the time up to which took is counted
	took    time.Duration
	bytes   int64
}

// count updates took. Then it adds n bytes and adds bodies to the number of bodies.
func (l *flow) count(n int64, bodies int) {
	now := time.Now()
	l.took += time.Duration(l.running) * now.Sub(l.at)
	l.at = now
	l.bytes += n
	l.running += bodies
}

// pace compares the speed of one body with the speed of other bodies.
type pace struct {
	m      *Manager
	start  time.Time
	before flow // the value of flow when this body began
	bytes  int64
}

// newPace starts to compare a body.
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

// got adds n bytes of the body.
func (p *pace) got(n int) {
	p.m.mu.Lock()
	defer p.m.mu.Unlock()
	p.bytes += int64(n)
	p.m.flow.count(int64(n), 0)
}

// resume reports whether the body is slow, that is slowFactor times slower than usual, and a second
// GET for the rest is allowed. The usual speed is the speed of the other bodies at the same time, or
// of earlier bodies if there are none. If the whole link has become slow, a few second GETs find this
// out, and the slow speed becomes the usual one.
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

// usual returns the usual speed of a body in bytes per second, or 0 if it is not known. own is the
// time that this body has taken so far. Manager.mu is held.
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
