package readahead

import (
	"context"
	"errors"
	"time"

	"github.com/s3mount/s3mount/s3"
)

const (
	// hedgeSamples is how many answers must have been measured before one can be
	// called late.
	hedgeSamples = 8
	// hedgeDeviations and hedgeFactor say what is late: more than the usual time
	// and four times the usual distance from it, and three times the usual time.
	// Of evenly spread answers none is.
	hedgeDeviations, hedgeFactor = 4, 3
	// hedgeLeast keeps a pause of the machine from looking like a slow replica.
	hedgeLeast = 50 * time.Millisecond
	// hedgeShare bounds the second requests: one in so many GETs, so that a server
	// which is slow as a whole gets at most 5 % more to do.
	hedgeShare = 20
)

// lateAfter returns when a GET without an answer is late; 0: that is not known.
func (l *link) lateAfter() time.Duration {
	if l.samples < hedgeSamples {
		return 0
	}
	return max(l.ttfb+hedgeDeviations*l.deviation, hedgeFactor*l.ttfb, hedgeLeast)
}

// answer is what one of the GETs of a hedge came to.
type answer struct {
	i    int // of the GET
	out  *s3.GetOutput
	err  error
	ttfb time.Duration
}

// hedge is one GET, or the same twice.
type hedge struct {
	m       *Manager
	ctx     context.Context
	in      *s3.GetInput
	answers chan answer           // unbuffered
	stops   [2]context.CancelFunc // of the GETs that were sent
	settled chan struct{}         // closed when nobody listens to answers any more
}

// send sends a GET. If its answer is late it sends the same once more, on another
// connection, and takes what comes first: one slow replica or connection out of
// many then costs little more than a round trip. It returns the time to the
// answer's headers, too. The answer's body ends with ctx.
func (m *Manager) send(ctx context.Context, in *s3.GetInput) (*s3.GetOutput, time.Duration, error) {
	late := m.lateAfter()
	if late == 0 {
		start := time.Now()
		out, err := m.get(ctx, in)
		return out, time.Since(start), err
	}
	h := &hedge{m: m, ctx: ctx, in: in, answers: make(chan answer), settled: make(chan struct{})}
	defer close(h.settled)
	h.send(0)
	timer := time.NewTimer(late)
	defer timer.Stop()
	for sent := 1; ; {
		select {
		case <-timer.C:
			switch {
			case sent == 2:
			case m.spareConnection():
				h.send(1)
				sent++
			default:
				timer.Reset(late)
			}
		case a := <-h.answers:
			if sent == 2 && h.stops[1-a.i] != nil {
				if a.err != nil && !final(a.err) { // the other one may do better
					h.stops[a.i]()
					h.stops[a.i] = nil
					m.giveBack()
					continue
				}
				h.stops[1-a.i]()
			}
			return a.out, a.ttfb, a.err
		}
	}
}

// send sends the i-th GET. Its context ends with that of the hedge, or when the
// other GET has won.
func (h *hedge) send(i int) {
	ctx, stop := context.WithCancel(h.ctx)
	h.stops[i] = stop
	go func() {
		start := time.Now()
		out, err := h.m.get(ctx, h.in)
		select {
		case h.answers <- answer{i, out, err, time.Since(start)}:
		case <-h.settled: // the other GET has won
			if err == nil {
				out.Body.Close()
			}
			h.m.giveBack()
		}
	}()
}

// final tells that S3 has decided: asking again gives no other answer.
func final(err error) bool {
	for _, e := range []error{s3.ErrNotFound, s3.ErrPreconditionFailed, s3.ErrNotModified, s3.ErrInvalidRange, s3.ErrForbidden} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// lateAfter returns when a GET without an answer is late; 0: that is not known.
func (m *Manager) lateAfter() time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.link.lateAfter()
}

// spareConnection takes a connection for a second GET, if one is free and the
// share of second GETs allows it. giveBack ends it.
func (m *Manager) spareConnection() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed || m.running >= m.o.Connections || m.stats.Hedges > m.stats.Gets/hedgeShare {
		return false
	}
	m.stats.Hedges++
	m.running++
	m.wg.Add(1)
	return true
}

// giveBack gives a spare connection to who waits for one.
func (m *Manager) giveBack() {
	if job := m.next(); job != nil {
		go m.run(job)
		return
	}
	m.pull()
}
