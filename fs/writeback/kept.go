package writeback

import (
	"context"
	"errors"
	"fmt"

	"github.com/s3mount/s3mount/cache"
)

// keptPiece is a run of the base's bytes that a commit has read before its
// request: in memory of the pool, or in the spool.
type keptPiece struct {
	off  int64
	n    int
	mem  []byte
	slot slot
}

func (k keptPiece) end() int64 { return k.off + int64(k.n) }

// fetchKept reads the bytes of the base that the snapshot keeps, so that no
// request reads them while it makes the object: some servers answer neither a
// GET nor a PUT of a key while the other one is under way. freeKept gives the
// memory back.
func (s *snapshot) fetchKept(ctx context.Context) error {
	for _, k := range s.kept() {
		for off := k.off; off < k.end; off += cache.BlockSize {
			if err := s.fetchPiece(ctx, off, min(cache.BlockSize, k.end-off), k.end); err != nil {
				s.freeKept()
				return err
			}
		}
	}
	return nil
}

// fetchPiece reads n bytes at off; the caller will read on up to end.
func (s *snapshot) fetchPiece(ctx context.Context, off, n, end int64) error {
	m := s.f.m
	mem := m.pool.TryGet(int(n))
	spill := mem == nil
	if spill {
		mem = m.pool.GetForced(int(n)) // until it is in the spool
	}
	if err := s.base.readWithin(ctx, mem, off, end); err != nil {
		m.pool.Put(mem)
		return err
	}
	piece := keptPiece{off: off, n: int(n), mem: mem}
	if spill {
		at, err := m.spool.store([][]byte{mem})
		switch {
		case err == nil:
			m.pool.Put(mem)
			piece.mem, piece.slot = nil, at
		case !errors.Is(err, ErrNoSpace): // a full spool leaves it in memory: one file at a time does that (I8)
			m.pool.Put(mem)
			return fmt.Errorf("keep old bytes: %w", err)
		}
	}
	s.pieces = append(s.pieces, piece)
	return nil
}

// freeKept gives back what fetchKept has read.
func (s *snapshot) freeKept() {
	m := s.f.m
	for _, k := range s.pieces {
		if k.mem != nil {
			m.pool.Put(k.mem)
		}
		m.spool.release(k.slot)
	}
	s.pieces = nil
}

// readKept reads bytes of the base at off out of what fetchKept has read. It
// returns false if they are not there.
func (s *snapshot) readKept(p []byte, off int64) (n int, ok bool, err error) {
	for _, k := range s.pieces {
		if off < k.off || off >= k.end() {
			continue
		}
		at := off - k.off
		n = int(min(int64(len(p)), int64(k.n)-at))
		if k.mem != nil {
			return copy(p[:n], k.mem[at:]), true, nil
		}
		return n, true, s.f.m.spool.read(p[:n], k.slot.off+at)
	}
	return 0, false, nil
}
