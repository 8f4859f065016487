package writeback

import (
	"context"
	"errors"
	"fmt"

	"github.com/s3mount/s3mount/cache"
)

// keptPiece is a run of the base's bytes that a commit has read before its request, in pool memory or
// in the spool.
type keptPiece struct {
	off  int64
	n    int
	mem  []byte
	slot slot
}

func (k keptPiece) end() int64 { return k.off + int64(k.n) }

// fetchKept reads the bytes of the base that the snapshot keeps, so that no read of the base runs
// during the PUT. Some servers do not answer a GET of a key during a PUT of that key. The caller must
// call freeKept.
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

// fetchPiece reads n bytes at off, for a caller that reads on up to end.
func (s *snapshot) fetchPiece(ctx context.Context, off, n, end int64) error {
	m := s.f.m
	mem := m.pool.TryGet(int(n))
	spill := mem == nil
	if spill {
		mem = m.pool.GetForced(int(n)) // released when the bytes are in the spool
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
		case !errors.Is(err, ErrNoSpace): // if the spool is full, the bytes stay in memory; only one file at a time does so (I8)
			m.pool.Put(mem)
			return fmt.Errorf("store bytes of the base: %w", err)
		}
	}
	s.pieces = append(s.pieces, piece)
	return nil
}

// freeKept releases the bytes that fetchKept has read.
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

// readKept reads bytes of the base at off that fetchKept has read. ok is false if they are absent.
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
