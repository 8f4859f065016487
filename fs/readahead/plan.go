package readahead

import "github.com/s3mount/s3mount/cache"

// plan returns the next blocks to fetch ahead within a window of bytes. ok is false if there
// are none now.
func (s *stream) plan(window int64) (first int64, n int, ok bool) {
	if !s.certain() || s.starved || s.inflight >= s.width() {
		return 0, 0, false
	}
	switch s.dir {
	case forward:
		return s.planForward(window)
	case backward:
		return s.planBackward(window)
	default:
		return s.planStrided()
	}
}

// size returns the length of the next GET. If memory pressure has made the window small, it is
// a quarter of the window, so that the window still moves.
func (s *stream) size(window int64) int64 {
	return max(min(s.fetch, roundDown(window/4)), cache.BlockSize)
}

// lastFetch in bytes is the length to which GETs shrink towards the end of an object. The lanes
// share the rest, so that they end at the same time. With GETs of constant length, one connection
// after the other would become idle at the end. A large object costs 15 more GETs with this value,
// and 25 with 2 MiB.
const lastFetch = 4 << 20

// planForward fetches [ahead, high+window). It waits until a whole GET fits into the window, so
// that a reader that moves by small steps does not cause small GETs.
func (s *stream) planForward(window int64) (int64, int, bool) {
	rest := s.r.obj.Size() - s.ahead
	lanes := max(s.lanes/max(s.r.m.planned, 1), 1) // the streams share the connections
	size := min(s.size(window), rest, max(roundUp(rest/int64(lanes)), lastFetch))
	if size <= 0 || s.ahead+size > s.high+max(window, cache.BlockSize) {
		return 0, 0, false
	}
	return s.ahead / cache.BlockSize, int(roundUp(size) / cache.BlockSize), true
}

// planBackward fetches [low-window, ahead), starting with the nearest blocks.
func (s *stream) planBackward(window int64) (int64, int, bool) {
	size := min(s.size(window), s.ahead)
	if size <= 0 || s.ahead-size < s.low-max(window, 2*cache.BlockSize) {
		return 0, 0, false
	}
	return (s.ahead - size) / cache.BlockSize, int(size / cache.BlockSize), true
}

// planStrided fetches the blocks of the next reads, two for each lane.
func (s *stream) planStrided() (int64, int, bool) {
	next := s.ahead + s.step
	if next < 0 || next >= s.r.obj.Size() || (next-s.off)/s.step > int64(2*s.lanes) {
		return 0, 0, false
	}
	first := next / cache.BlockSize
	last := (min(next+s.n, s.r.obj.Size()) - 1) / cache.BlockSize
	return first, int(last - first + 1), true
}

// advance records that the blocks that plan returned are planned.
func (s *stream) advance(first int64, n int) {
	switch s.dir {
	case forward:
		s.ahead = (first + int64(n)) * cache.BlockSize
	case backward:
		s.ahead = first * cache.BlockSize
	case strided:
		s.ahead += s.step
	}
}

// replan records that only got of n planned blocks from first on are being fetched, because memory
// was short or blocks were present. The rest is planned again.
func (s *stream) replan(first int64, got, n int) {
	switch {
	case got == n:
	case s.dir == forward:
		s.ahead = min(s.ahead, (first+int64(got))*cache.BlockSize)
	case s.dir == backward:
		s.ahead = max(s.ahead, (first+int64(n))*cache.BlockSize)
	}
}

// reach returns the number of blocks to fetch together with a read of absent bytes, so that the
// first GET of a stream is already a long one.
func (s *stream) reach(window int64) int {
	if s.dir != forward || !s.certain() {
		return 0
	}
	return int(s.size(window) / cache.BlockSize)
}
