package cache

// largeShare is the part of the budget that an object may fill and still be kept
// whole beside what is fetched ahead and what others read. Of a larger one a
// sequential reader finds nothing again: what it comes back for was evicted last
// for what it read since.
const largeShare = 2

// Spend tells that the bytes [from, to) were read by one who reads on and does not
// come back. If the object is too large to be kept, or the disk has them, their
// blocks are evicted at once, or else when they are unpinned and saved: the same
// little memory, in the processor's cache, then serves all of a long read. It does
// nothing while others read the object.
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

// useless tells that nothing is lost when b is evicted. c.mu is held.
func (c *Blocks) useless(b *block) bool {
	return b.spent && b.unsaved == nil && (b.saved || b.o.size > c.pool.budget.limit/largeShare)
}
