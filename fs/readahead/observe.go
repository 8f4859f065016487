package readahead

import (
	"slices"

	"github.com/s3mount/s3mount/cache"
)

const (
	// maxStreams is how many sequences of reads are told apart on one reader:
	// enough for the threads of a program that reads one file at several places.
	maxStreams = 4
	// pauseAfter is how many reads elsewhere make a stream look left behind, by
	// a seek for instance. Streams that alternate stay below it.
	pauseAfter = 4 * maxStreams
	// stridedAfter is how many equal steps in a row make a stride.
	stridedAfter = 2
)

// observe takes in a read and returns its stream, and whether that has
// something to fetch ahead. ready tells that the read need not wait.
func (r *Reader) observe(off, n int64, ready bool) (s *stream, hungry bool) {
	m := r.m
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stats.Read += n
	if r.closed || m.closed {
		return nil, false
	}
	r.reads++
	s = r.match(off, n)
	s.stamp = r.reads
	r.lastOff = off
	m.count(s)
	if !ready {
		s.grow(m.o.FetchSize, m.aheadLimit())
	}
	for _, other := range r.streams {
		if r.reads-other.stamp == pauseAfter {
			m.pause(other)
		}
	}
	m.feed(s)
	return s, s.queued
}

// match finds the stream that a read continues, or begins one. Manager.mu is held.
func (r *Reader) match(off, n int64) *stream {
	if r.strides(off) {
		s := r.pick()
		s.begin(off, n)
		s.step = r.step
		s.touch(strided, off, n)
		return s
	}
	for _, s := range r.streams {
		if dir, ok := s.follows(off, n); ok {
			s.touch(dir, off, n)
			return s
		}
	}
	s := r.pick()
	s.begin(off, n)
	return s
}

// strides takes in the step from the last read to this one and tells whether
// it makes a stride that no stream follows yet. Steps within a block are left to
// the other directions: every block is read then.
func (r *Reader) strides(off int64) bool {
	step := off - r.lastOff
	if step != r.step || step <= cache.BlockSize && step >= -cache.BlockSize {
		r.step, r.steps = step, 0
		return false
	}
	r.steps++
	if r.steps < stridedAfter {
		return false
	}
	return !slices.ContainsFunc(r.streams, func(s *stream) bool {
		return s.dir == strided && off == s.off+s.step || s.dir != unknown && s.off == r.lastOff
	})
}

// pick returns a stream to begin anew: a fresh one, one that led nowhere, or the
// one that was not read for longest. Manager.mu is held.
func (r *Reader) pick() *stream {
	if len(r.streams) < maxStreams {
		s := &stream{r: r}
		r.streams = append(r.streams, s)
		return s
	}
	i := 0
	for j, s := range r.streams {
		best := r.streams[i]
		if (s.dir == unknown) != (best.dir == unknown) {
			if s.dir == unknown {
				i = j
			}
		} else if s.stamp < best.stamp {
			i = j
		}
	}
	old := r.streams[i]
	if old.dir == unknown && old.inflight == 0 && !old.queued {
		return old
	}
	r.m.drop(old)
	r.streams[i] = &stream{r: r}
	return r.streams[i]
}

// count keeps Manager.planned up to date. m.mu is held.
func (m *Manager) count(s *stream) {
	if s.planning != s.certain() {
		s.planning = !s.planning
		if s.planning {
			m.planned++
		} else {
			m.planned--
		}
	}
}

// pause stops fetching ahead for a stream that was left behind. If it is read
// again it goes on from there. m.mu is held.
func (m *Manager) pause(s *stream) {
	m.drop(s)
	s.hits, s.n = 0, 0
	s.fetch, s.lanes, s.growAt = firstFetch, 1, 0
	switch s.dir {
	case forward:
		s.ahead = roundDown(s.pos)
	case backward:
		s.ahead = roundUp(s.pos)
	case strided:
		s.ahead = s.off
	}
}

// drop ends what is fetched ahead for s. m.mu is held.
func (m *Manager) drop(s *stream) {
	s.abandon()
	s.fetches = nil
	s.starved = true
	if s.planning {
		s.planning = false
		m.planned--
	}
}
