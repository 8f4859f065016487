package readahead

import (
	"slices"

	"github.com/s3mount/s3mount/cache"
)

// direction is the direction of a stream.
type direction uint8

const (
	unknown  direction = iota // one read so far, or random reads
	forward                   // each read begins near the end of the last one
	backward                  // each read ends near the start of the last one
	strided                   // reads at equal distances
)

const (
	// bigRead in bytes is the size of a read after which more reads are expected. The
	// kernel's readahead for a small read at the start of a file is smaller.
	bigRead = 128 << 10
	// firstFetch in bytes is the largest GET of a new stream. The size doubles from
	// there: a header costs little, and a long file reaches full speed after four steps.
	firstFetch = 1 << 20
	// backwardFetch in bytes bounds GETs of a backward stream. Bodies run forward, so
	// the bytes that are needed first arrive last.
	backwardFetch = 1 << 20
	// backwardHits is the number of downward reads that make a backward stream. A single
	// one may come from two requests of the kernel that arrived out of order.
	backwardHits = 2
	// firstTrust in bytes is the window of a new stream, and the window of a stream that the
	// disk cache serves. Such bytes need no round trip, and a larger window would only use
	// memory.
	firstTrust = 8 << 20
	// localLanes is the number of concurrent fetches ahead from the disk cache. Together with
	// the fetch of the read they keep a disk busy, and they leave a processor to the read's
	// own fetch. The first MiB of a cached file took 5 to 16 ms beside 16 of them on two
	// processors, and 4 to 8 ms beside 2 (medians of seven).
	localLanes = 2
	// trustFactor bounds the window to a multiple of the bytes that the stream has covered. A
	// stream reaches the speed of the link after four round trips. When a stream ends, most
	// of its requested bytes have not arrived yet and are cancelled.
	trustFactor = 8
	// longTrust replaces trustFactor for reads of at least longRead bytes. cp and dd send such
	// reads, and cat does after the kernel's own readahead has grown. These programs mostly
	// read to the end. 1 GiB was read in 1.27 to 1.30 s at 20 ms with it, in 1.31 to 1.35 s
	// without it, and no faster with 24.
	longTrust = 16
	longRead  = 512 << 10
	// firstSlack and slack bound the distance between the expected and the real place of the
	// next read of a stream, in lengths of a read. firstSlack applies to a new stream. The
	// kernel sends several requests at once, which arrive in any order: of 1,024 requests of
	// 1 MiB on a busy machine a few came 4 MiB late. If they counted as seeks, the window
	// would be halved for a while.
	firstSlack, slack = 2, 8
	// slackLimit in bytes bounds both.
	slackLimit = 8 << 20
)

// stream is one sequence of reads of a Reader and its fetches. Manager.mu guards it.
type stream struct {
	r     *Reader
	dir   direction
	hits  int   // reads that continued it
	off   int64 // offset of the last read
	n     int64 // length of the last read
	low   int64 // start of the lowest read
	high  int64 // end of the highest read
	span  int64 // bytes that the reads have covered since the last pause
	spent int64 // forward: the end of the bytes that were spent
	ahead int64 // forward, backward: the end of the planned fetches; strided: the last planned offset
	step  int64 // distance between reads if it is constant, otherwise 0
	stamp int64 // Reader.reads at the last touch

	fetch  int64 // bytes of the next GET
	lanes  int   // GETs at a time
	growAt int64 // value of span at the last growth

	inflight int      // running fetches ahead
	fetches  []*fetch // the running fetches, including fetches of reads that reach ahead
	queued   bool     // in Manager.hungry
	starved  bool     // memory or an answer was missing; wait for the next read
	local    bool     // the disk cache had all of the last fetch, or is expected to have the first one
	planning bool     // counted in Manager.planned
}

// follows reports whether a read continues s, and in which direction.
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
	case down && off >= s.high-slack: // the first requests of the kernel arrived out of order
		return forward, true
	}
	return unknown, false
}

// begin turns s into a new stream that starts with this read.
func (s *stream) begin(off, n int64) {
	s.dir, s.hits, s.off, s.n = unknown, 0, off, n
	s.low, s.high, s.span, s.ahead, s.step, s.growAt = off, off+n, n, 0, 0, 0
	s.spent = roundUp(off)
	s.fetch = min(max(roundUp(16*n), 2*cache.BlockSize), firstFetch)
	s.lanes, s.starved, s.local = 1, false, s.r.local
	if off == 0 && n >= bigRead {
		s.setDirection(forward)
	}
}

// setDirection sets the direction of a stream.
func (s *stream) setDirection(dir direction) {
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

// touch records a read that continues s.
func (s *stream) touch(dir direction, off, n int64) {
	s.hits++
	s.starved = false
	s.span += max(s.low-off, 0) + max(off+n-s.high, 0)
	s.off, s.n = off, n
	s.low, s.high = min(s.low, off), max(s.high, off+n)
	if s.dir != dir {
		s.setDirection(dir)
	}
	switch dir {
	case forward:
		s.ahead = max(s.ahead, roundDown(s.high))
	case backward:
		s.ahead = min(s.ahead, roundUp(s.low))
	case strided:
		if (s.ahead-off)*s.step < 0 { // it is behind the reader
			s.ahead = off
		}
	}
}

// certain reports whether enough reads have shown the direction of the stream.
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

// grow increases the number of lanes and the size of GETs after a read had to wait. The lanes grow
// faster, because short GETs in parallel arrive earlier. A forward or backward stream grows again only
// after the reader has read a quarter of a GET further. Manager.window bounds the result.
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

// width returns the number of fetches ahead that may run now.
func (s *stream) width() int {
	if s.local {
		return min(s.lanes, localLanes)
	}
	return s.lanes
}

// forget removes a finished fetch from the list.
func (s *stream) forget(f *fetch) {
	if i := slices.Index(s.fetches, f); i >= 0 {
		s.fetches = slices.Delete(s.fetches, i, i+1)
	}
}

// abandon marks the running fetches as unwanted.
func (s *stream) abandon() {
	for _, f := range s.fetches {
		f.unwanted.Store(true)
	}
}

func roundDown(n int64) int64 { return n / cache.BlockSize * cache.BlockSize }
func roundUp(n int64) int64   { return roundDown(n + cache.BlockSize - 1) }
