package cache

import "math"

// place puts an unpinned block on its list. A block that nobody can find any more
// goes to the chain of blocks to be freed instead. place returns that chain. c.mu is
// held.
func (c *Blocks) place(b *block, freed *block) *block {
	o := b.o
	switch {
	case b.state == blockGone:
		return c.chain(b, freed)
	case b.state == blockFilling:
		panic("cache: unpinned block is being filled")
	case o.refs == 0 && !o.mapped, c.useless(b):
		return c.evict(b, freed)
	case o.refs == 0 && o.size <= SmallObject:
		c.small.push(b)
	case b.read:
		c.seen.push(b)
	default:
		c.fresh.push(b)
	}
	return freed
}

// evict makes an unpinned ready block gone and chains it to be freed. c.mu is held.
func (c *Blocks) evict(b *block, freed *block) *block {
	if b.list != nil {
		b.list.remove(b)
	}
	c.dequeueSave(b)
	b.become(blockGone)
	delete(b.o.blocks, b.index)
	c.forget(b.o)
	return c.chain(b, freed)
}

// chain puts a gone, unpinned block on the chain of blocks to be freed. c.mu is held.
func (c *Blocks) chain(b *block, freed *block) *block {
	c.stats.Blocks--
	c.stats.Bytes -= b.charge()
	b.next = freed
	return b
}

// free releases the memory of chained blocks and returns its size. No lock is held.
func (c *Blocks) free(freed *block) int64 {
	var n int64
	for b := freed; b != nil; b = b.next {
		n += b.charge()
		if b.buf == nil {
			c.pool.Unreserve(b.size)
			continue
		}
		c.pool.Put(b.buf)
		b.buf = nil
	}
	return n
}

// trimSmall evicts blocks of closed small objects above their limit. c.mu is held.
func (c *Blocks) trimSmall(freed *block) *block {
	for c.small.bytes > closedSmallLimit {
		freed = c.evict(c.small.first, freed)
	}
	return freed
}

// reclaim evicts unpinned blocks of at least n bytes, or all if there are fewer, and
// returns the freed bytes. The budget calls it to reclaim memory.
func (c *Blocks) reclaim(n int64) int64 {
	c.mu.Lock()
	var freed *block
	for got := int64(0); got < n; {
		b := c.victim()
		if b == nil {
			break
		}
		got += b.charge()
		freed = c.evict(b, freed)
	}
	c.mu.Unlock()
	return c.free(freed)
}

const (
	// aheadEighths is the part of the budget that fetches ahead may fill. It is
	// enough for one reader to keep 16 connections busy with 8 MiB each under the
	// default limit. It is not all, so that other readers' blocks stay for a while.
	aheadEighths = 5
	// freshEighths is the part above which blocks that were fetched ahead are evicted
	// before blocks that were read. It is more than fetches ahead may fill, so some
	// of the blocks belong to readers that have left.
	freshEighths = 6
)

// AheadLimit returns the number of bytes that all readers together should fetch
// ahead at most. Beyond it, blocks may be evicted before they are read.
func (c *Blocks) AheadLimit() int64 { return c.pool.budget.limit / 8 * aheadEighths }

// victim returns the next block to evict, or nil if all are in use. c.mu is held.
func (c *Blocks) victim() *block {
	switch {
	case c.small.first != nil:
		return c.small.first
	case c.fresh.bytes >= c.pool.budget.limit/8*freshEighths || c.seen.first == nil:
		return c.fresh.first
	default:
		return c.seen.first
	}
}

// relieve evicts blocks until the budget has no deficit, after blocks were unpinned.
func (c *Blocks) relieve() {
	if n := c.pool.budget.Deficit(); n > 0 {
		c.reclaim(n)
	}
}

// Purge evicts all blocks that are not in use.
func (c *Blocks) Purge() { c.reclaim(math.MaxInt64) }
