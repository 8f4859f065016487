package writeback

import "github.com/s3mount/s3mount/cache"

// chunk holds written bytes of one file, first in pool memory and later perhaps in the
// spool. Several extents can lie in one chunk. The mu of its file guards all fields. The
// bytes below used do not change while frozen or pins is above 0.
type chunk struct {
	mem    []byte // nil if the bytes are only in the spool
	slot   slot   // the place in the spool; slot.size is 0 if there is none
	used   int    // bytes that belong to extents; the rest of mem is free for appends
	refs   int    // extents, including extents of snapshots
	frozen int    // extents of snapshots: no write in place
	pins   int    // readers of mem or slot without the lock
	sealed bool   // in the spool or on the way to it: no write in place, no append
}

// room returns the number of bytes that can be appended.
func (c *chunk) room() int {
	if c == nil || c.mem == nil || c.sealed {
		return 0
	}
	return len(c.mem) - c.used
}

// mutable reports whether the bytes may be overwritten in place.
func (c *chunk) mutable() bool {
	return c != nil && c.mem != nil && !c.sealed && c.frozen == 0 && c.pins == 0
}

// releaseUnused releases the memory of a chunk that is in the spool, and everything of a
// chunk without references. It returns the bytes of memory and the free slot. The caller
// holds the file's mu.
func (c *chunk) releaseUnused(pool *cache.Pool) (freed int, free slot) {
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
