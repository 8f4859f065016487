package readahead

import "github.com/s3mount/s3mount/cache"

const (
	// jumpsAtRandom is how many reads in a row continue no stream before they
	// count as random: the first ones may each begin a sequence, and then the
	// rest of the block is what is read next.
	jumpsAtRandom = 3
	// maxJumps lets one read that happens to follow another one change nothing.
	maxJumps = 2 * jumpsAtRandom
	// denseBlocks is how many fine blocks of one block are fetched by themselves:
	// a quarter. Where reads are denser than that the whole block is cheaper: it
	// takes 1.4 ms of a connection of 90 MB/s, a round trip 20 ms.
	denseBlocks = cache.BlockSize / cache.FineSize / 4
)

// sparse decides whether a read of s at off, of which p found no block, is to be
// served by fine blocks: because they are there, or because the reads are random
// and the rest of the block is not worth fetching. If so it ends p and returns
// the same bytes pinned in fine blocks; otherwise nil.
func (r *Reader) sparse(p *Pins, off int64, s *stream) *Pins {
	n := p.Size()
	if n >= cache.BlockSize || !p.Absent() {
		return nil
	}
	fine, random := r.fineBlocks(s)
	if fine == nil {
		return nil
	}
	q := fine.Pin(off, n)
	if !q.Ready() && (!random || r.dense(fine, off, p.End())) {
		q.Done()
		return nil
	}
	p.Done()
	return q
}

// fineBlocks returns the version in fine blocks, nil if there are none, and
// whether the reads are random now; s is the stream of the last one.
func (r *Reader) fineBlocks(s *stream) (fine *cache.Object, random bool) {
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	if s == nil { // closed
		return nil, false
	}
	random = r.jumps >= jumpsAtRandom && !s.certain()
	if r.fine == nil && random {
		r.fine = r.obj.Fine()
	}
	return r.fine, random
}

// dense tells whether the blocks of a range are better fetched whole: they are
// on the disk, or much of them was fetched already.
func (r *Reader) dense(fine *cache.Object, from, to int64) bool {
	v := r.Version()
	for i := from / cache.BlockSize; i*cache.BlockSize < to; i++ {
		if r.m.blocks.Has(v.Key, v.ETag, v.Size, i) || fine.Held(i*cache.BlockSize, cache.BlockSize) >= denseBlocks {
			return true
		}
	}
	return false
}
