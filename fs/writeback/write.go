package writeback

import (
	"context"

	"github.com/s3mount/s3mount/cache"
)

// WriteAt writes all of p at off, or nothing. It waits for memory (P11). It returns a background
// error (I5), ErrConflict, ErrNoSpace, ErrTooLarge, or the context's error.
func (f *File) WriteAt(ctx context.Context, p []byte, off int64) (int, error) {
	if _, err := f.write(ctx, p, off); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Append writes all of p at the current end, atomically, and returns the offset of p. It returns
// the errors of WriteAt.
func (f *File) Append(ctx context.Context, p []byte) (off int64, err error) {
	return f.write(ctx, p, atEnd)
}

// atEnd is the offset of an append.
const atEnd = -1

// write gets memory without the lock, and then writes p with the lock. If concurrent writes have
// increased the need, it gets more memory.
func (f *File) write(ctx context.Context, p []byte, off int64) (int64, error) {
	st := stock{}
	defer st.giveBack(f.m.pool)
	for {
		at, need, err := f.tryWrite(ctx, p, off, &st)
		if err != nil || need == 0 {
			return at, err
		}
		if err := st.get(ctx, f, need); err != nil {
			return 0, err
		}
	}
}

// tryWrite writes p if st has enough memory. Otherwise need is the amount that is missing.
func (f *File) tryWrite(ctx context.Context, p []byte, off int64, st *stock) (at, need int64, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if off == atEnd {
		off = f.size
	}
	end := off + int64(len(p))
	if off < 0 || end < off || end > f.m.o.maxSize {
		return 0, 0, ErrTooLarge
	}
	if len(p) == 0 {
		return off, 0, f.takeErr()
	}
	runs, lack := f.plan(off, end)
	if lack > st.bytes {
		st.whole = f.ext.before(off) != nil && runs[0].off == off && f.ext.before(off).end() == off
		return 0, lack - st.bytes, nil
	}
	if err := f.change(ctx, off, end); err != nil {
		return 0, 0, err
	}
	f.overwrite(p, off)
	for _, r := range runs {
		f.fill(p[r.off-off:r.end-off], r.off, st)
	}
	f.size = max(f.size, end)
	f.advance()
	return off, 0, nil
}

// plan returns the runs of [off, end) that cannot be written in place, and the new memory that they need.
func (f *File) plan(off, end int64) (runs []span, lack int64) {
	at := off // the start of the present run
	flush := func(to int64) {
		if at < to {
			runs = append(runs, span{at, to})
			lack += max(0, to-at-int64(f.tail(at).room(at)))
		}
	}
	for e := range f.ext.in(off, end) {
		if e.c.mutable() {
			flush(max(e.off, off))
			at = min(e.end(), end)
		}
	}
	flush(end)
	return runs, lack
}

// tail returns the extent that ends at off, or nil.
func (f *File) tail(off int64) *extent {
	if e := f.ext.before(off); e != nil && e.end() == off {
		return e
	}
	return nil
}

// room returns the number of bytes that can be appended to e's chunk at the file's offset off,
// where e ends.
func (e *extent) room(off int64) int {
	if e == nil || e.c == nil || e.at+int(e.n) != e.c.used {
		return 0
	}
	return e.c.room()
}

// overwrite writes p into the extents that can be changed in place.
func (f *File) overwrite(p []byte, off int64) {
	end := off + int64(len(p))
	for at := f.ext.find(off); ; at = f.ext.next(at) {
		e := f.ext.get(at)
		if e == nil || e.off >= end {
			return
		}
		if e.c.mutable() {
			s := e.sub(off, end)
			copy(e.c.mem[s.at:], p[s.off-off:s.end()-off])
			e.seq = f.seq
		}
	}
}

// fill writes p at off into new extents. st has the memory.
func (f *File) fill(p []byte, off int64, st *stock) {
	f.cut(off, off+int64(len(p)))
	if t := f.tail(off); t.room(off) > 0 {
		n := copy(t.c.mem[t.c.used:], p)
		t.c.used += n
		if t.c.frozen == 0 {
			t.seq = f.seq
			f.ext.grow(t, int64(n))
			f.m.dirty.Add(int64(n))
		} else { // the snapshot's bytes stay a separate extent (I6)
			f.insert(extent{off: off, n: int64(n), seq: f.seq, c: t.c, at: t.c.used - n})
		}
		p, off = p[n:], off+int64(n)
	}
	for len(p) > 0 {
		if st.last.room() == 0 {
			f.newChunk(st)
		}
		c := st.last
		n := copy(c.mem[c.used:], p)
		c.used += n
		f.insert(extent{off: off, n: int64(n), seq: f.seq, c: c, at: c.used - n})
		p, off = p[n:], off+int64(n)
	}
}

// newChunk makes a chunk from the memory of st. Other runs of the same write use the rest of the
// chunk first.
func (f *File) newChunk(st *stock) {
	c := &chunk{mem: st.take()}
	f.mem += int64(cap(c.mem))
	f.m.memory.Add(int64(cap(c.mem)))
	st.last = c
}

// stock is the unused memory of a write.
type stock struct {
	bufs  [][]byte
	bytes int64
	last  *chunk // the chunk made last, which may have room
	whole bool   // the write continues an extent, so that whole blocks are worthwhile
}

// get adds n bytes or more.
func (s *stock) get(ctx context.Context, f *File, n int64) error {
	for n > 0 {
		size := cache.BlockSize
		if n < cache.BlockSize && !s.whole {
			size = int(n)
		}
		b, err := f.m.get(ctx, f, size)
		if err != nil {
			return err
		}
		b = b[:cap(b)]
		s.bufs = append(s.bufs, b)
		s.bytes += int64(len(b))
		n -= int64(len(b))
	}
	return nil
}

// take returns one piece of memory.
func (s *stock) take() []byte {
	b := s.bufs[0]
	s.bufs = s.bufs[1:]
	s.bytes -= int64(len(b))
	return b
}

// giveBack releases the unused memory.
func (s *stock) giveBack(pool *cache.Pool) {
	for _, b := range s.bufs {
		pool.Put(b)
	}
}
