package readahead

import (
	"context"
	"errors"
	"time"

	"github.com/s3mount/s3mount/s3"
)

const (
	// hedgeSamples is the number of measured answers before an answer can be late.
	hedgeSamples = 8
	// An answer is late after the average time plus hedgeDeviations times the average
	// deviation, and not before hedgeFactor times the average time. Answers that are
	// spread evenly are never late.
	hedgeDeviations, hedgeFactor = 4, 3
	// hedgeLeast is longer than usual pauses of the machine itself.
	hedgeLeast = 50 * time.Millisecond
	// hedgeShare bounds the second GETs to one in so many GETs, so that a server that
	// is slow as a whole gets at most 5 % more requests.
	hedgeShare = 20
)

// lateAfter returns the time after which an answer is late, or 0 if it is not known.
func (l *link) lateAfter() time.Duration {
	if l.samples < hedgeSamples {
		return 0
	}
	return max(l.ttfb+hedgeDeviations*l.deviation, hedgeFactor*l.ttfb, hedgeLeast)
}

// answer is the outcome of one GET of a hedge.
type answer struct {
	i    int // of the GET
	out  *s3.GetOutput
	err  error
	ttfb time.Duration
}

// hedge is one GET, or the same GET sent twice.
type hedge struct {
	m       *Manager
	ctx     context.Context
	in      *s3.GetInput
	answers chan answer           // unbuffered
	stops   [2]context.CancelFunc // of the GETs that were sent
	done    chan struct{}         // closed when nobody receives answers any more
}

// send sends a GET. If the answer is late, it sends the same GET once more on another
// connection and uses the first answer. One slow replica or connection then costs little
// more than a round trip. send also returns the time to the headers of the answer. The
// body of the answer ends with ctx.
func (m *Manager) send(ctx context.Context, in *s3.GetInput) (*s3.GetOutput, time.Duration, error) {
	late := m.lateAfter()
	if late == 0 {
		start := time.Now()
		out, err := m.get(ctx, in)
		return out, time.Since(start), err
	}
	h := &hedge{m: m, ctx: ctx, in: in, answers: make(chan answer), done: make(chan struct{})}
	defer close(h.done)
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
				if a.err != nil && !final(a.err) { // the other GET may succeed
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

// send sends the i-th GET. Its context ends with the context of the hedge, or when the other
// GET has won.
func (h *hedge) send(i int) {
	ctx, stop := context.WithCancel(h.ctx)
	h.stops[i] = stop
	go func() {
		start := time.Now()
		out, err := h.m.get(ctx, h.in)
		select {
		case h.answers <- answer{i, out, err, time.Since(start)}:
		case <-h.done: // the other GET has won
			if err == nil {
				out.Body.Close()
			}
			h.m.giveBack()
		}
	}()
}

// final reports whether an error is a decision of S3 that a repetition does not change.
func final(err error) bool {
	for _, e := range []error{s3.ErrNotFound, s3.ErrPreconditionFailed, s3.ErrNotModified, s3.ErrInvalidRange, s3.ErrForbidden} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// lateAfter returns the time after which an answer is late, or 0 if it is not known.
func (m *Manager) lateAfter() time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.link.lateAfter()
}

// spareConnection takes a connection for a second GET if one is free and hedgeShare allows
// it. The caller returns it with giveBack.
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

// giveBack passes a spare connection to the next waiter.
func (m *Manager) giveBack() {
	if job := m.next(); job != nil {
		go m.run(job)
		return
	}
	m.pull()
}
