package writeback

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sort"
)

// snapshot is the content of a range of a file at one moment. Its chunks are
// frozen: what is written later goes elsewhere.
type snapshot struct {
	f        *File
	seq      uint64
	off, end int64 // the range
	baseLen  int64
	base     *base // referenced; nil: none
	exts     []extent
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

// release lets the chunks go; the caller holds f.mu and calls the returned
// function without it.
func (s *snapshot) release() func() {
	for _, e := range s.exts {
		if e.c != nil {
			e.c.refs--
			e.c.frozen--
			s.f.settle(e.c)
		}
	}
	s.exts = nil
	s.f.snaps--
	return s.base.drop()
}

// free is release for callers without the lock.
func (s *snapshot) free() {
	s.f.mu.Lock()
	done := s.release()
	s.f.mu.Unlock()
	done()
}

// kept returns the ranges whose bytes are the base's.
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

// body reads [off, off+n) of a snapshot. It can be sent again: it is an
// io.Seeker over what the snapshot froze. Chunks may move to the spool between
// two reads.
type body struct {
	ctx      context.Context // of the request; reads of the base end with it
	s        *snapshot
	off, end int64
	at       int64
	moved    func() // called after each read: the request is not stuck
	err      error  // what a read failed with: tells our failures from the server's
	sums     *sums  // of all bytes, once they were read in order; nil: not wanted
	summed   int64  // where the sums have got to
}

// body makes a reader of [off, off+n) whose reads of the base end with ctx.
func (s *snapshot) body(ctx context.Context, off, n int64) *body {
	return &body{ctx: ctx, s: s, off: off, end: off + n, at: off, moved: func() {}}
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	if b.at >= b.end {
		return 0, io.EOF
	}
	p = p[:min(int64(len(p)), b.end-b.at)]
	n, err := b.s.readSome(b.ctx, p, b.at)
	if err != nil {
		b.err = err
		return 0, err
	}
	if b.sums != nil && b.at <= b.summed && b.summed < b.at+int64(n) {
		_, _ = b.sums.Write(p[b.summed-b.at : n])
		b.summed = b.at + int64(n)
	}
	b.at += int64(n)
	b.moved()
	return n, nil
}

// Seek implements io.Seeker.
func (b *body) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekStart:
		offset += b.off
	case io.SeekCurrent:
		offset += b.at
	case io.SeekEnd:
		offset += b.end
	default:
		return 0, errors.New("seek body: invalid whence")
	}
	if offset < b.off {
		return 0, fmt.Errorf("seek body: negative position %d", offset-b.off)
	}
	b.at = offset
	return b.at - b.off, nil
}

// readSome reads from off up to the end of the extent or gap that is there.
func (s *snapshot) readSome(ctx context.Context, p []byte, off int64) (int, error) {
	i := sort.Search(len(s.exts), func(i int) bool { return s.exts[i].end() > off })
	if i < len(s.exts) && s.exts[i].off <= off {
		e := s.exts[i]
		e = e.sub(off, min(e.end(), off+int64(len(p))))
		return int(e.n), s.readExtent(p[:e.n], e)
	}
	n := int64(len(p))
	if i < len(s.exts) {
		n = min(n, s.exts[i].off-off)
	}
	if off < s.baseLen {
		n = min(n, s.baseLen-off)
		return int(n), s.base.read(ctx, p[:n], off)
	}
	clear(p[:n])
	return int(n), nil
}

// readExtent copies e's bytes out of memory or the spool.
func (s *snapshot) readExtent(p []byte, e extent) error {
	if e.c == nil {
		clear(p)
		return nil
	}
	s.f.mu.Lock()
	s.f.pin(e.c)
	mem, at := e.c.mem, e.c.slot.off
	s.f.mu.Unlock()
	var err error
	if mem != nil {
		copy(p, mem[e.at:])
	} else {
		err = s.f.m.spool.read(p, at+int64(e.at))
	}
	s.f.mu.Lock()
	s.f.unpin(e.c)
	s.f.mu.Unlock()
	return err
}
