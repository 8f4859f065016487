package writeback

import (
	"context"
	"errors"
	"fmt"

	"github.com/s3mount/s3mount/cache"
)

// errNotDiscarded means that the file may still be committed, which needs its base.
var errNotDiscarded = errors.New("the file was not discarded")

// DetachBase makes a discarded file independent of its base, whose object is about to be deleted.
// It reads the ranges that only the base has and adds them as extents. Concurrent writes take
// precedence. DetachBase returns errors of reads and of memory, after which the file still uses the
// base.
func (f *File) DetachBase(ctx context.Context) error {
	st := stock{}
	defer st.giveBack(f.m.pool)
	for {
		gap, b, err := f.onlyInBase()
		if b == nil || err != nil {
			return err
		}
		p := make([]byte, gap.len())
		err = b.read(ctx, p, gap.off)
		if need := gap.len() - st.bytes; err == nil && need > 0 {
			err = st.get(ctx, f, need)
		}
		f.mu.Lock()
		done := b.drop()
		if err == nil {
			f.fillGaps(p, gap.off, &st)
		}
		f.mu.Unlock()
		done()
		if err != nil {
			return fmt.Errorf("detach %q from its base: %w", f.Key(), err)
		}
	}
}

// onlyInBase returns the first range, of at most a block, that only the base has, and adds a
// reference to the base. If there is no such range, it removes the base from the file.
func (f *File) onlyInBase() (gap span, held *base, err error) {
	f.mu.Lock()
	var done func()
	switch gaps := f.gaps(span{0, f.baseLen}); {
	case f.state != stateDiscarded:
		err = errNotDiscarded
	case len(gaps) > 0:
		gap, held = gaps[0], f.base
		gap.end = min(gap.end, gap.off+cache.BlockSize)
		held.refs++
	case f.base != nil:
		done = f.rebase(nil, 0)
	}
	f.mu.Unlock()
	if done != nil {
		done()
	}
	return gap, held, err
}

// gaps returns the parts of s without extents.
func (f *File) gaps(s span) (out []span) {
	at := s.off
	for e := range f.ext.in(s.off, s.end) {
		if at < e.off {
			out = append(out, span{at, e.off})
		}
		at = max(at, e.end())
	}
	if at < s.end {
		out = append(out, span{at, s.end})
	}
	return out
}

// fillGaps inserts p, bytes of the base from off on, where neither a write nor a truncation has
// replaced them in the meantime. st has the memory.
func (f *File) fillGaps(p []byte, off int64, st *stock) {
	for _, g := range f.gaps(span{off, min(off+int64(len(p)), f.baseLen)}) {
		f.fill(p[g.off-off:g.end-off], g.off, st)
	}
}
