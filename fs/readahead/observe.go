package readahead

import (
	"time"

	"github.com/s3mount/s3mount/cache"
)

const (
	// maxStreams is the number of streams that one reader distinguishes. It is enough for
	// the threads of a program that reads one file at several places.
	maxStreams = 4
	// pauseAfter is the number of reads elsewhere after which a stream pauses. Streams that
	// alternate stay below it.
	pauseAfter = 4 * maxStreams
	// stridedAfter is the number of equal steps in a row that make a stride.
	stridedAfter = 2
)

// observe records a read. It returns the stream of the read and reports whether the stream
// has something to fetch ahead. ready reports whether the read can be answered at once.
func (r *Reader) observe(off, n int64, ready bool) (s *stream, hungry bool) {
	m := r.m
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stats.Read += n
	if ready {
		m.stats.Hits++
	} else {
		m.stats.Misses++
	}
	if r.closed || m.closed {
		return nil, false
	}
	r.reads++
	before := r.last
	s = r.match(off, n)
	s.stamp, r.last = r.reads, s
	if s.hits > 0 {
		r.jumps /= 2
	} else {
		r.jumps = min(r.jumps+1, maxJumps)
	}
	m.count(s)
	if !ready && s.hits == 0 && before != nil && before.hits == 0 {
		m.randomAt = time.Now()
	}
	if !ready {
		s.grow(m.o.fetchSize, m.aheadLimit())
	}
	for _, other := range r.streams {
		if r.reads-other.stamp == pauseAfter {
			m.pause(other)
		}
	}
	m.feed(s)
	r.spend(s)
	return s, s.queued
}

// spend calls cache.Object.Spend for the bytes that a stream has passed, if the reader has
// only one stream. Manager.mu is held.
func (r *Reader) spend(s *stream) {
	to := roundDown(s.high - slackLimit)
	if s.dir != forward || !s.certain() || to <= s.spent {
		return
	}
	for _, other := range r.streams {
		if other != s && other.planning {
			return
		}
	}
	r.obj.Spend(s.spent, to)
	s.spent = to
}

// match returns the stream that a read continues, or a new stream. Manager.mu is held.
func (r *Reader) match(off, n int64) *stream {
	step := r.stride(off)
	for _, s := range r.streams {
		if dir, ok := s.follows(off, n); ok {
			s.touch(dir, off, n)
			return s
		}
	}
	s := r.pick()
	s.begin(off, n)
	s.step = step
	switch {
	case step > cache.BlockSize || step < -cache.BlockSize:
		s.touch(strided, off, n)
	case step > 0: // the step is within a block, and all blocks are read
		s.touch(forward, off, n)
	case step < 0:
		s.touch(backward, off, n)
	}
	return s
}

// stride records the step from the last read to this one. It returns the step if it was the
// same several times, otherwise 0.
func (r *Reader) stride(off int64) int64 {
	step := off - r.lastOff
	r.lastOff = off
	if step != r.step {
		r.step, r.steps = step, 0
		return 0
	}
	r.steps++
	if r.steps < stridedAfter || r.last.dir == forward || r.last.dir == backward {
		return 0 // a step between two streams is not a stride
	}
	return step
}

// pick returns a stream that can begin anew: a new one, one without hits, or the one that was
// not read for the longest time. Manager.mu is held.
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

// count updates Manager.planned. m.mu is held.
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

// pause stops fetching ahead for a stream that was left behind. The next read of the stream
// resumes it. m.mu is held.
func (m *Manager) pause(s *stream) {
	m.drop(s)
	s.hits, s.n, s.span, s.growAt = 0, 0, 0, 0
	s.fetch, s.lanes = firstFetch, 1
	s.setDirection(s.dir)
}

// drop stops the fetches ahead for s. m.mu is held.
func (m *Manager) drop(s *stream) {
	s.abandon()
	s.fetches = nil
	s.starved = true
	if s.planning {
		s.planning = false
		m.planned--
	}
}
