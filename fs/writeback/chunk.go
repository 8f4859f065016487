package writeback

import "github.com/s3mount/s3mount/cache"

// chunk holds written bytes of one file, at first in pool memory, later
// perhaps in the spool. Several extents can lie in one chunk. All fields are
// guarded by the mu of the file that owns it; the bytes below used do not
// change while frozen or pins is above 0.
type chunk struct {
	mem    []byte // nil once the bytes are only in the spool
	slot   slot   // where the bytes are in the spool; slot.size is 0 while they are not there
	used   int    // bytes that extents were made of; the rest of mem is free for appends
	refs   int    // extents, those of snapshots included
	frozen int    // extents of snapshots: no write in place
	pins   int    // readers of mem or slot that work without the lock
	sealed bool   // in the spool or on the way there: no write in place, no append
}

// room returns how many bytes can be appended.
func (c *chunk) room() int {
	if c == nil || c.mem == nil || c.sealed {
		return 0
	}
	return len(c.mem) - c.used
}

// mutable tells whether the bytes may be overwritten in place.
func (c *chunk) mutable() bool {
	return c != nil && c.mem != nil && !c.sealed && c.frozen == 0 && c.pins == 0
}

// settle gives back what is of no more use: the memory of a chunk that is in
// the spool, and everything of a chunk that nothing refers to. It returns the
// bytes of memory and the slot that became free; the caller holds the file's mu.
func (c *chunk) settle(pool *cache.Pool) (freed int, free slot) {
	if c.pins > 0 {
		return 0, slot{}
	}
	dead := c.refs == 0
	if c.mem != nil && (dead || c.slot.size > 0) {
		freed = cap(c.mem)
		pool.Put(c.mem)
		c.mem = nil
	}
	if dead && c.slot.size > 0 {
		free, c.slot = c.slot, slot{}
	}
	return freed, free
}
