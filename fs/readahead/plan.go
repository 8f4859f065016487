package readahead

import "github.com/s3mount/s3mount/cache"

// plan returns the next blocks to fetch ahead within a window of bytes; false if
// there are none now.
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

// size returns how long the next GET is: a quarter of a window that memory
// pressure has made small, so that it still moves.
func (s *stream) size(window int64) int64 {
	return max(min(s.fetch, roundDown(window/4)), cache.BlockSize)
}

// lastFetch in bytes is how short GETs become towards the end of an object. They share
// what is left among the lanes, so that these end together: with GETs of the same length
// to the end one connection after the other falls idle, for as long as a GET takes. It
// costs some 15 GETs more for a large object; 2 MiB would cost 25.
const lastFetch = 4 << 20

// planForward fetches [ahead, high+window). It waits until a whole GET fits in,
// so that a reader which moves by small steps does not cause small GETs.
func (s *stream) planForward(window int64) (int64, int, bool) {
	rest := s.r.obj.Size() - s.ahead
	lanes := max(s.lanes/max(s.r.m.planned, 1), 1) // the streams share the connections
	size := min(s.size(window), rest, max(roundUp(rest/int64(lanes)), lastFetch))
	if size <= 0 || s.ahead+size > s.high+max(window, cache.BlockSize) {
		return 0, 0, false
	}
	return s.ahead / cache.BlockSize, int(roundUp(size) / cache.BlockSize), true
}

// planBackward fetches [low-window, ahead), the nearest first.
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

// advance tells that the blocks that plan returned are planned.
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

// took tells that only got of n planned blocks from first on are being fetched:
// memory was short or others were present. The rest is planned again.
func (s *stream) took(first int64, got, n int) {
	switch {
	case got == n:
	case s.dir == forward:
		s.ahead = min(s.ahead, (first+int64(got))*cache.BlockSize)
	case s.dir == backward:
		s.ahead = max(s.ahead, (first+int64(n))*cache.BlockSize)
	}
}

// reach returns how many blocks beyond a read of absent bytes are fetched together
// with it, as far as they are absent too, so that the first GET of a stream already
// is a long one.
func (s *stream) reach(window int64) int {
	if s.dir != forward || !s.certain() {
		return 0
	}
	return int(s.size(window) / cache.BlockSize)
}
