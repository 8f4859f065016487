package readahead

import "github.com/s3mount/s3mount/cache"

const (
	// jumpsAtRandom is the number of consecutive reads without a stream after which reads
	// count as random. Each of the first ones may begin a sequence, and then the rest of
	// its block is read next.
	jumpsAtRandom = 3
	// maxJumps ensures that a single read that follows another one by chance has no effect.
	maxJumps = 2 * jumpsAtRandom
	// denseBlocks is the number of fine blocks of one block that are fetched separately. It is
	// a quarter. Beyond it, the whole block is cheaper: it occupies a connection of 90 MB/s
	// for 1.4 ms, and a round trip takes 20 ms.
	denseBlocks = cache.BlockSize / cache.FineSize / 4
)

// sparse decides whether fine blocks serve a read of s at off, when p has found no block. They do if
// they are present, or if the reads are random and the rest of the block is not worth fetching.
// sparse then ends p and returns the same bytes pinned in fine blocks. Otherwise it returns nil.
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

// fineBlocks returns the version in fine blocks, or nil if there are none, and reports whether the
// reads are random now. s is the stream of the last read.
func (r *Reader) fineBlocks(s *stream) (fine *cache.Object, random bool) {
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	if s == nil { // the reader is closed
		return nil, false
	}
	random = r.jumps >= jumpsAtRandom && !s.certain()
	if r.fine == nil && random {
		r.fine = r.obj.Fine()
	}
	return r.fine, random
}

// dense reports whether to fetch the blocks of a range as a whole, because they are on the disk or
// because a large part of them was fetched already.
func (r *Reader) dense(fine *cache.Object, from, to int64) bool {
	v := r.Version()
	for i := from / cache.BlockSize; i*cache.BlockSize < to; i++ {
		if r.m.blocks.Has(v.Key, v.ETag, v.Size, i) || fine.Held(i*cache.BlockSize, cache.BlockSize) >= denseBlocks {
			return true
		}
	}
	return false
}
