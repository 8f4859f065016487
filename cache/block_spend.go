package cache

// largeShare is the part of the budget (one half) above which an object is too large
// to be kept whole beside the blocks that are fetched ahead and the blocks of other
// readers. A second sequential read of a larger object finds nothing in the cache,
// because the first read has evicted its own start.
const largeShare = 2

// Spend declares that a sequential reader has read the bytes [from, to) and does not
// come back to them. If the object is too large to be kept, or if the disk has the
// bytes, Spend evicts their blocks at once, or as soon as they are unpinned and saved.
// A long read then reuses a little memory that stays in the processor's cache. Spend
// does nothing while others read the object.
func (o *Object) Spend(from, to int64) {
	c := o.c
	var freed *block
	c.mu.Lock()
	if o.refs == 1 {
		for i := from >> o.shift; (i+1)<<o.shift <= to; i++ {
			b := o.blocks[i]
			if b == nil || b.state != blockReady || !b.read {
				continue
			}
			b.spent = true
			if b.list != nil && c.useless(b) {
				freed = c.evict(b, freed)
			}
		}
	}
	c.mu.Unlock()
	c.free(freed)
}

// useless reports whether evicting b loses nothing. c.mu is held.
func (c *Blocks) useless(b *block) bool {
	return b.spent && b.unsaved == nil && (b.saved || b.o.size > c.pool.budget.limit/largeShare)
}
