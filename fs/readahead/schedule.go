package readahead

import (
	"time"

	"github.com/s3mount/s3mount/s3/fair"
)

// enqueue runs job in a goroutine as soon as a connection is free, before all fetches ahead. The
// jobs of the users take turns. enqueue returns false and does not run the job if the manager is closed.
func (m *Manager) enqueue(u fair.User, job func()) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return false
	}
	m.wg.Add(1)
	if m.running < m.o.Connections {
		m.running++
		go m.run(job)
	} else {
		m.queue.Push(u, job)
	}
	return true
}

// run runs jobs on one connection until none is queued.
func (m *Manager) run(job func()) {
	for job != nil {
		job()
		job = m.next()
	}
	m.pull()
}

// next returns the next queued job for a connection that became free. If there is none, it returns
// nil and releases the connection.
func (m *Manager) next() func() {
	defer m.wg.Done()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.queue.First() == nil {
		m.running--
		return nil
	}
	return m.queue.Pop()
}

// randomFor is how long after a random read some connections stay reserved for the next one.
const randomFor = time.Second

// aheadLimit returns the number of connections for fetches ahead: all of them, or three quarters
// while there are random reads, so that random reads do not queue behind long bodies. m.mu is held.
func (m *Manager) aheadLimit() int {
	if !m.randomAt.IsZero() && time.Since(m.randomAt) < randomFor {
		return max(m.o.Connections-m.o.Connections/4, 1)
	}
	return m.o.Connections
}

// pull starts fetches ahead while connections are free for them. The streams take turns.
func (m *Manager) pull() {
	for {
		s, first, n := m.choose()
		if s == nil {
			return
		}
		fill := s.r.obj.Claim(first, n, false)
		f := &fetch{r: s.r, s: s, fill: fill}
		if fill == nil {
			m.mu.Lock()
			s.starved = true
			s.replan(first, 0, n)
			m.mu.Unlock()
			m.finish(s, nil)
			if job := m.next(); job != nil {
				go m.run(job)
			}
			continue
		}
		m.mu.Lock()
		s.replan(first, fill.Blocks(), n)
		s.fetches = append(s.fetches, f)
		m.mu.Unlock()
		go m.run(f.run)
	}
}

// choose takes a connection for the next stream and returns the blocks that the stream wants. The
// first of them is absent. choose returns nil if there is no stream or no connection.
func (m *Manager) choose() (s *stream, first int64, n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for len(m.hungry) > 0 && m.running < m.aheadLimit() && !m.closed {
		s := m.hungry[0]
		m.hungry = m.hungry[1:]
		s.queued = false
		first, n, ok := s.plan(m.window(s))
		if !ok {
			continue
		}
		at := s.r.obj.Absent(first, first+int64(n))
		s.advance(first, n)
		m.feed(s)
		if at == first+int64(n) {
			continue
		}
		s.inflight++
		m.running++
		m.wg.Add(1)
		return s, at, n - int(at-first)
	}
	return nil, 0, 0
}

// feed adds s to the queue of hungry streams if it has something to fetch. m.mu is held.
func (m *Manager) feed(s *stream) {
	if s.queued || m.closed {
		return
	}
	if _, _, ok := s.plan(m.window(s)); ok {
		s.queued = true
		m.hungry = append(m.hungry, s)
	}
}

// finish ends a fetch ahead for s. f is nil if the fetch never began.
func (m *Manager) finish(s *stream, f *fetch) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s.inflight--
	s.forget(f)
	m.feed(s)
}

// window returns the number of bytes that s may fetch ahead. It keeps the lanes of s busy, and is
// bounded by the share of the memory, the history of s and the speed of the link. m.mu is held.
func (m *Manager) window(s *stream) int64 {
	share := m.blocks.AheadLimit() / int64(max(m.planned, 1))
	want := int64(s.lanes) * (s.fetch + m.link.bdp())
	factor := int64(trustFactor)
	if s.n >= longRead {
		factor = longTrust
	}
	trust := max(factor*s.span, firstTrust)
	if s.local {
		trust = firstTrust
	}
	return min(want, trust, share, max(m.link.reach(), firstTrust), m.o.window)
}
