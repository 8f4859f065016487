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
	// backwardHits is how many reads downwards show a direction: one may be two
	// requests of the kernel that overtook each other.
	backwardHits = 2
	// firstTrust in bytes is the window that a stream may have from its start, and
	// the one for what the disk cache has: that is there without a round trip, and
	// more of it ahead would only take memory (of a file of 128 MiB all of it).
	firstTrust = 8 << 20
	// localLanes is how many fetches ahead load from the disk cache at a time: with the
	// one of a read as many as keep a disk busy, and few enough that the read's own gets
	// a processor. The first MiB of a cached file took 5 to 16 ms beside up to 16 of
	// them on two processors, beside 2 it takes 4 to 8 (medians of seven).
	localLanes = 2
	// trustFactor bounds the window by what the stream has covered so far. It is
	// what makes a stream as fast as the link after four round trips; of what it
	// has asked for when it ends, most has not come yet and is cut off.
	trustFactor = 8
	// longTrust is that of a stream by reads of longRead bytes and more, as of cp, dd
	// and, once the kernel's own readahead has grown, cat: they mostly read to the end.
	// With it, and last GETs of 2 MiB, 1 GiB was read in 1.27 to 1.30 s at 20 ms, without
	// in 1.31 to 1.35 s; with 24 no faster.
	longTrust = 16
	longRead  = 512 << 10
	// firstSlack and slack bound how far from its expected place a read still
	// counts as the next one of a stream, in lengths of a read: of one that has
	// just begun, and of one with some history. The kernel has several requests
	// under way, which arrive in any order; out of 1,024 requests of 1 MiB on a
	// busy machine a few came 4 MiB late. Taking those for a seek would halve the
	// window for a while.
	firstSlack, slack = 2, 8
	// slackLimit in bytes bounds both.
	slackLimit = 8 << 20
)

// stream is one sequence of reads of a Reader and what is fetched for it. It is
// guarded by Manager.mu.
type stream struct {
	r     *Reader
	dir   direction
	hits  int   // reads that continued it
	off   int64 // of the last read
	n     int64 // of the last read
	low   int64 // where the lowest read began
	high  int64 // where the highest read ended
	span  int64 // bytes that its reads have covered, since the last pause
	spent int64 // forward: up to where the cache was told that the reader is past it
	ahead int64 // forward, backward: up to where fetches are planned; strided: the last offset planned
	step  int64 // from one read to the next, if it is always the same; otherwise 0
	stamp int64 // Reader.reads at the last touch

	fetch  int64 // bytes of the next GET
	lanes  int   // GETs at a time
	growAt int64 // value of span at the last growth

	inflight int      // fetches ahead that run
	fetches  []*fetch // these, and those of reads that reach ahead
	queued   bool     // in Manager.hungry
	starved  bool     // there was no memory, or no answer; wait for the next read
	local    bool     // the disk cache had all of the last fetch, or is believed to have the first
	planning bool     // counted in Manager.planned
}

// follows tells whether a read continues s, and in which direction.
func (s *stream) follows(off, n int64) (direction, bool) {
	if s.dir == strided {
		return strided, off == s.off+s.step
	}
	slack := int64(slack)
	if s.hits < backwardHits {
		slack = firstSlack
	}
	slack = max(min(slack*max(n, s.n), slackLimit), 2*s.step, -2*s.step)
	up := off >= s.low && off >= s.high-slack && off <= s.high+slack
	down := off < s.low && off+n >= s.low-slack && off+n <= s.low+slack
	switch {
	case up && (s.dir != backward || s.hits < backwardHits):
		return forward, true
	case down && s.dir != forward:
		return backward, true
	case down && off >= s.high-slack: // the first requests of the kernel, out of order
		return forward, true
	}
	return unknown, false
}

// begin makes s a new stream that starts with this read.
func (s *stream) begin(off, n int64) {
	s.dir, s.hits, s.off, s.n = unknown, 0, off, n
	s.low, s.high, s.span, s.ahead, s.step, s.growAt = off, off+n, n, 0, 0, 0
	s.spent = roundUp(off)
	s.fetch = min(max(roundUp(16*n), 2*cache.BlockSize), firstFetch)
	s.lanes, s.starved, s.local = 1, false, s.r.local
	if off == 0 && n >= bigRead {
		s.turn(forward)
	}
}

// turn gives a stream its direction.
func (s *stream) turn(dir direction) {
	s.dir = dir
	switch dir {
	case forward:
		s.ahead = roundDown(s.high)
	case backward:
		s.ahead = roundUp(s.low)
		s.fetch = min(s.fetch, backwardFetch)
	case strided:
		s.ahead = s.off
	}
}

// touch takes in a read that continues s.
func (s *stream) touch(dir direction, off, n int64) {
	s.hits++
	s.starved = false
	s.span += max(s.low-off, 0) + max(off+n-s.high, 0)
	s.off, s.n = off, n
	s.low, s.high = min(s.low, off), max(s.high, off+n)
	if s.dir != dir {
		s.turn(dir)
	}
	switch dir {
	case forward:
		s.ahead = max(s.ahead, roundDown(s.high))
	case backward:
		s.ahead = min(s.ahead, roundUp(s.low))
	case strided:
		if (s.ahead-off)*s.step < 0 { // behind the reader
			s.ahead = off
		}
	}
}

// certain tells that enough reads have shown where the stream goes.
func (s *stream) certain() bool {
	switch s.dir {
	case unknown:
		return false
	case strided:
		return true
	case backward:
		return s.hits >= backwardHits
	default:
		return s.n >= bigRead || s.hits >= 2
	}
}

// grow widens what is fetched ahead, after a read had to wait: longer GETs and
// more of them, these first: short GETs side by side are there sooner. Each step
// waits until the reader has used part of the last.
// How far it reaches is bounded by Manager.window.
func (s *stream) grow(maxFetch int64, maxLanes int) {
	if s.growAt != 0 && s.span-s.growAt < s.fetch/4 && s.dir != strided {
		return
	}
	s.growAt = s.span
	if s.dir == backward {
		maxFetch = min(maxFetch, backwardFetch)
	}
	if s.dir != strided {
		s.fetch = min(2*s.fetch, maxFetch)
	}
	s.lanes = min(4*s.lanes, maxLanes)
}

// width returns how many fetches ahead may run now.
func (s *stream) width() int {
	if s.local {
		return min(s.lanes, localLanes)
	}
	return s.lanes
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
