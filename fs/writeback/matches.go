package writeback

import (
	"context"

	"github.com/s3mount/s3mount/cache"
)

// matches reports whether version v has the size, the written bytes and the holes of l. It does not
// compare the ranges that l takes from the base.
func (m *Manager) matches(ctx context.Context, v Version, l left) (bool, error) {
	if v.Size != l.Size {
		return false, nil
	}
	b := &base{v: v, r: m.o.OpenBase(v), owned: true, refs: 1}
	defer func() { b.drop()() }()
	want, got := make([]byte, cache.BlockSize), make([]byte, cache.BlockSize)
	same := true
	err := l.each(want, func(p []byte, off int64) error {
		if !same {
			return nil
		}
		if err := b.read(ctx, got[:len(p)], off); err != nil {
			return err
		}
		same = string(p) == string(got[:len(p)])
		return nil
	})
	for _, z := range l.holes() {
		for off := z.off; err == nil && same && off < z.end; off += int64(len(got)) {
			p := got[:min(int64(len(got)), z.end-off)]
			if err = b.read(ctx, p, off); err == nil {
				same = allZero(p)
			}
		}
	}
	return same && err == nil, err
}

// holes returns the ranges that read as zeros: extents of zeros, and ranges that neither an extent
// nor the base covers.
func (r *record) holes() (out []span) {
	at := int64(0)
	gap := func(to int64) {
		if from := max(at, r.BaseLen); from < to {
			out = append(out, span{from, to})
		}
	}
	for _, e := range r.Extents {
		gap(e.Off)
		at = e.Off + e.N
		if e.Zero {
			out = append(out, span{e.Off, at})
		}
	}
	gap(r.Size)
	return out
}
