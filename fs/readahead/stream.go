package readahead

import (
	"slices"

	"github.com/s3mount/s3mount/cache"
)

// direction is how a stream moves through its object.
type direction uint8

const (
	unknown  direction = iota // one read so far, or random ones
	forward                   // each read begins about where the last ended
	backward                  // each read ends about where the last began
	strided                   // reads at equal distances
)

const (
	// bigRead in bytes is a read that shows by itself that more will follow:
	// the kernel's readahead for a small read at the start of a file asks for less.
	bigRead = 128 << 10
	// firstFetch in bytes is the largest GET of a stream that has just begun.
	// It doubles from there: a header costs little, a long file is at full
	// speed after four steps.
	firstFetch = 1 << 20
	// backwardFetch in bytes bounds GETs of a backward stream: bodies run
	// forward, so that the bytes wanted first come last.
	backwardFetch = 1 << 20
	// slackLimit in bytes bounds how far from its expected place a read still
	// counts as the next one of a stream: the kernel has several requests of up
	// to 1 MiB under way, which arrive in any order.
	slackLimit = 4 << 20
)

// stream is one sequence of reads of a Reader and what is fetched for it. It is
// guarded by Manager.mu.
type stream struct {
	r     *Reader
	dir   direction
	hits  int   // reads that continued it
	off   int64 // of the last read
	n     int64 // of the last read
	pos   int64 // forward: the end of the furthest read; backward: the start of the lowest
	ahead int64 // forward, backward: up to where fetches are planned; strided: the last offset planned
	step  int64 // strided: from one read to the next
	stamp int64 // Reader.reads at the last touch

	fetch  int64 // bytes of the next GET
	lanes  int   // GETs at a time
	growAt int64 // grow again only when pos is beyond

	inflight int      // fetches ahead that run
	fetches  []*fetch // these, and those of reads that reach ahead
	queued   bool     // in Manager.hungry
	starved  bool     // there was no memory; wait for the next read
	planning bool     // counted in Manager.planned
}

// slack returns how far off a read of n bytes may be.
func (s *stream) slack(n int64) int64 { return min(2*max(n, s.n), slackLimit) }

// follows tells whether a read continues s, and in which direction.
func (s *stream) follows(off, n int64) (direction, bool) {
	slack := s.slack(n)
	switch {
	case s.dir == strided:
		return strided, off == s.off+s.step
	case s.dir != backward && off >= s.pos-slack && off <= s.pos+slack && (s.dir == forward || off >= s.off):
		return forward, true
	case s.dir != forward && off < s.off+s.n && off+n >= s.pos-slack && off+n <= s.pos+slack:
		return backward, true
	}
	return unknown, false
}

// begin makes s a new stream that starts with this read.
func (s *stream) begin(off, n int64) {
	s.dir, s.hits, s.off, s.n = unknown, 0, off, n
	s.pos, s.ahead, s.step, s.growAt = off+n, 0, 0, 0
	s.fetch = min(max(roundUp(16*n), 2*cache.BlockSize), firstFetch)
	s.lanes, s.starved = 1, false
	if off == 0 && n >= bigRead {
		s.turn(forward, off, n)
	}
}

// turn gives a stream of unknown direction its direction with this read.
func (s *stream) turn(dir direction, off, n int64) {
	s.dir = dir
	switch dir {
	case forward:
		s.pos, s.ahead = off+n, roundDown(off+n)
	case backward:
		s.pos, s.ahead = off, roundUp(off)
		s.fetch = min(s.fetch, backwardFetch)
	case strided:
		s.ahead = off
	}
}

// touch takes in a read that continues s.
func (s *stream) touch(dir direction, off, n int64) {
	if s.dir == unknown {
		s.turn(dir, off, n)
	}
	s.hits++
	s.starved = false
	switch dir {
	case forward:
		s.pos = max(s.pos, off+n)
		s.ahead = max(s.ahead, roundDown(s.pos))
	case backward:
		s.pos = min(s.pos, off)
		s.ahead = min(s.ahead, roundUp(s.pos))
	case strided:
		if (s.ahead-off)*s.step < 0 { // behind the reader
			s.ahead = off
		}
	}
	s.off, s.n = off, n
}

// certain tells that enough reads have shown where the stream goes.
func (s *stream) certain() bool {
	switch s.dir {
	case unknown:
		return false
	case strided:
		return true
	default:
		return s.n >= bigRead || s.hits >= 2
	}
}

// grow widens what is fetched ahead, after a read had to wait: first the GETs,
// then their number. Each step waits until the reader has used part of the last.
func (s *stream) grow(maxFetch int64, maxLanes int) {
	moved := s.pos - s.growAt
	if s.dir == backward {
		moved = -moved
	}
	if s.growAt != 0 && moved < s.fetch/4 && s.dir != strided {
		return
	}
	s.growAt = s.pos
	if s.dir == backward {
		maxFetch = min(maxFetch, backwardFetch)
	}
	if s.dir != strided && s.fetch < maxFetch {
		s.fetch = min(2*s.fetch, maxFetch)
		s.lanes = max(s.lanes, 2)
		return
	}
	s.lanes = min(2*s.lanes, maxLanes)
}

// forget takes a finished fetch off the list.
func (s *stream) forget(f *fetch) {
	if i := slices.Index(s.fetches, f); i >= 0 {
		s.fetches = slices.Delete(s.fetches, i, i+1)
	}
}

// abandon tells the running fetches that nobody waits for the rest of them.
func (s *stream) abandon() {
	for _, f := range s.fetches {
		f.unwanted.Store(true)
	}
}

func roundDown(n int64) int64 { return n / cache.BlockSize * cache.BlockSize }
func roundUp(n int64) int64   { return roundDown(n + cache.BlockSize - 1) }
