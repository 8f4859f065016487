package writeback

import (
	"context"
	"sort"
)

// snapshot is the content of a range of a file at one moment. Its chunks are frozen, so that later
// writes use other chunks.
type snapshot struct {
	f        *File
	seq      uint64
	off, end int64 // the range
	baseLen  int64
	base     *base // referenced; nil: none
	exts     []extent
	zeros    *zeroObject // the source of long holes; nil: zeros are sent
	pieces   []keptPiece // bytes of the base that were read before the request, in order
}

// snapshot freezes [off, end); the caller holds f.mu.
func (f *File) snapshot(off, end int64) *snapshot {
	s := &snapshot{f: f, seq: f.seq, off: off, end: end, baseLen: f.baseLen, base: f.base}
	f.snaps++
	if s.base != nil {
		s.base.refs++
	}
	for e := range f.ext.in(off, end) {
		e = e.sub(off, end)
		if e.c != nil {
			e.c.refs++
			e.c.frozen++
		}
		s.exts = append(s.exts, e)
	}
	return s
}

// release releases the chunks. The caller holds f.mu, and calls the returned function without it.
func (s *snapshot) release() func() {
	for _, e := range s.exts {
		if e.c != nil {
			e.c.refs--
			e.c.frozen--
			s.f.releaseChunk(e.c)
		}
	}
	s.exts = nil
	s.f.snaps--
	return s.base.drop()
}

// free is like release for callers without the lock.
func (s *snapshot) free() {
	s.f.mu.Lock()
	done := s.release()
	s.f.mu.Unlock()
	done()
}

// kept returns the ranges that equal the base.
func (s *snapshot) kept() []span {
	var out []span
	at := s.off
	add := func(to int64) {
		if to = min(to, s.baseLen); at < to {
			out = append(out, span{at, to})
		}
	}
	for _, e := range s.exts {
		add(e.off)
		at = e.end()
	}
	add(s.end)
	return out
}

// holes returns the ranges of at least least bytes that are zeros because nothing was written there.
func (s *snapshot) holes(least int64) []span {
	var out []span
	hole := span{s.off, s.off}
	add := func(from, to int64) { // adds [from, to), which is zeros
		if from >= to {
			return
		}
		if from != hole.end {
			hole.off = from
		}
		hole.end = to
		n := len(out)
		switch {
		case n > 0 && out[n-1].off == hole.off:
			out[n-1] = hole
		case hole.len() >= least:
			out = append(out, hole)
		}
	}
	at := s.off
	for _, e := range s.exts {
		add(max(at, s.baseLen), e.off)
		if e.c == nil {
			add(e.off, e.end())
		}
		at = e.end()
	}
	add(max(at, s.baseLen), s.end)
	return out
}

// readSome reads from off up to the end of the extent or gap at off, for a caller that reads on up
// to limit and no farther.
func (s *snapshot) readSome(ctx context.Context, p []byte, off, limit int64) (int, error) {
	e, ok := s.at(off)
	end := min(e.end(), s.baseLen, limit)
	e = e.sub(off, off+int64(len(p)))
	switch {
	case ok:
		return int(e.n), s.readExtent(p[:e.n], e)
	case off < s.baseLen:
		n := min(e.n, s.baseLen-off)
		if got, ok, err := s.readKept(p[:n], off); ok {
			return got, err
		}
		return int(n), s.base.readWithin(ctx, p[:n], off, end)
	}
	clear(p[:e.n])
	return int(e.n), nil
}

// at returns the extent at off. If there is none, it returns the gap, and ok is false.
func (s *snapshot) at(off int64) (e extent, ok bool) {
	i := sort.Search(len(s.exts), func(i int) bool { return s.exts[i].end() > off })
	switch {
	case i == len(s.exts):
		return extent{off: off, n: s.end - off}, false
	case s.exts[i].off > off:
		return extent{off: off, n: s.exts[i].off - off}, false
	}
	return s.exts[i], true
}

// readExtent copies e's bytes from memory or the spool.
func (s *snapshot) readExtent(p []byte, e extent) error {
	if e.c == nil {
		clear(p)
		return nil
	}
	mem, at := s.hold(e)
	defer s.letGo(e)
	if mem != nil {
		copy(p, mem)
		return nil
	}
	return s.f.m.spool.read(p, at)
}

// hold keeps e's bytes in place until letGo. It returns the bytes if they are in memory, otherwise
// their offset in the spool.
func (s *snapshot) hold(e extent) (mem []byte, at int64) {
	s.f.mu.Lock()
	defer s.f.mu.Unlock()
	s.f.pin(e.c)
	if e.c.mem != nil {
		return e.c.mem[e.at : e.at+int(e.n)], 0
	}
	return nil, e.c.slot.off + int64(e.at)
}

func (s *snapshot) letGo(e extent) {
	s.f.mu.Lock()
	defer s.f.mu.Unlock()
	s.f.unpin(e.c)
}
