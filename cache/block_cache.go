package cache

import (
	"container/list"
	"sync"
)

const (
	// SmallObject in bytes is the size up to which one GET at open reads the whole
	// object. Its blocks are worth little after the close, because the next open
	// sends one request to S3 with or without them.
	SmallObject = 1 << 20
	// closedSmallLimit bounds the blocks of closed small objects. It keeps a few
	// hundred files warm for tools that open the same files repeatedly, and keeps
	// memory low (under 64 MiB in all) in a walk over many files.
	closedSmallLimit = 8 << 20
)

// Blocks is the cache of object data in memory: blocks of BlockSize bytes by
// version and index. Unpinned blocks stay until the budget needs their memory.
// They are evicted in this order: blocks of closed small objects, blocks that were
// read, blocks that were fetched ahead and not read yet. The last kind is evicted
// before blocks that were read if it fills freshEighths of the budget. Within each kind the least
// recently used block is evicted first.
//
// All methods are safe for concurrent use.
type Blocks struct {
	pool *Pool
	idle sync.Pool // of *Pins

	mu      sync.Mutex
	objects map[objectKey]*Object
	small   lru // of closed small objects
	seen    lru // read at least once
	fresh   lru // fetched, not yet read
	disk    *diskLayer
	// unsaved holds the blocks that are not on the disk yet, the oldest first. It
	// does not pin them. A disk that is slower than the network misses the blocks
	// that are evicted before it is ready, but it delays no reader.
	unsaved list.List // of *block
	stats   BlocksStats
}

// BlocksStats are the gauges of Blocks. All gauges except Objects, Blocks and Bytes
// are 0 while the cache is idle.
type BlocksStats struct {
	Objects int   // versions that have readers or blocks
	Blocks  int   // in memory, in any state
	Bytes   int64 // of memory that they hold
	Filling int   // blocks that a Fill owns
	Pins    int   // Pins that are not Done
	Readers int   // references to objects
}

// objectKey is the identity of a version, in blocks of BlockSize or in fine ones.
type objectKey struct {
	key, etag string
	fine      bool
}

// Object is one version of an object, which has any number of readers and
// blocks. Its fields are guarded by Blocks.mu.
type Object struct {
	c      *Blocks
	id     objectKey
	shift  uint // its blocks are 1<<shift bytes long
	size   int64
	mapped bool // found by its id in Blocks.objects
	refs   int
	blocks map[int64]*block
}

// NewBlocks returns an empty cache that takes its memory from pool.
func NewBlocks(pool *Pool) *Blocks {
	c := &Blocks{pool: pool, objects: make(map[objectKey]*Object)}
	c.idle.New = func() any { return &Pins{signal: make(chan struct{}, 1)} }
	pool.budget.AddReclaimer(c.reclaim)
	return c
}

// Pool returns the pool that the cache takes its memory from.
func (c *Blocks) Pool() *Pool { return c.pool }

// Stats returns the gauges.
func (c *Blocks) Stats() BlocksStats {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.stats
	s.Objects = len(c.objects)
	return s
}

// Object returns the version (key, etag) of size bytes and adds a reference, which
// Close drops. Versions without an ETag cannot be compared, so each call without an
// ETag returns a separate object.
func (c *Blocks) Object(key, etag string, size int64) *Object {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.object(objectKey{key: key, etag: etag}, size)
}

// Fine returns the same version in blocks of FineSize, for random reads that need
// few bytes. The result is an object with its own blocks and references. Its blocks
// stay in memory and are never written to the disk.
func (o *Object) Fine() *Object {
	o.c.mu.Lock()
	defer o.c.mu.Unlock()
	id := o.id
	id.fine = true
	return o.c.object(id, o.size)
}

// object returns the object with this identity and adds a reference. c.mu is held.
func (c *Blocks) object(id objectKey, size int64) *Object {
	c.stats.Readers++
	if o := c.objects[id]; o != nil && o.size == size {
		o.refs++
		return o
	}
	o := &Object{c: c, id: id, shift: blockShift, size: size, refs: 1, blocks: make(map[int64]*block)}
	if id.fine {
		o.shift = fineShift
	}
	if id.etag != "" && c.objects[id] == nil {
		c.objects[id], o.mapped = o, true
	}
	return o
}

// Has reports whether a block of the version (key, etag) is present, in memory or on
// disk.
func (c *Blocks) Has(key, etag string, size, index int64) bool {
	c.mu.Lock()
	o := c.objects[objectKey{key: key, etag: etag}]
	if o != nil && o.size == size {
		if b := o.blocks[index]; b != nil && b.state == blockReady {
			c.mu.Unlock()
			return true
		}
	}
	c.mu.Unlock()
	return c.OnDisk(key, etag, size, index)
}

// OnDisk reports whether the disk has a block of a version. The index must be within
// the object.
func (c *Blocks) OnDisk(key, etag string, size, index int64) bool {
	d := c.below()
	if d == nil {
		return false
	}
	there, _ := d.Run(key, etag, size, index, 1)
	return there
}

// Move renames the version (fromKey, fromETag) to (toKey, toETag) and keeps its
// readers and blocks. The bytes of both must be the same, as after a copy.
func (c *Blocks) Move(fromKey, fromETag, toKey, toETag string, size int64) {
	for _, fine := range []bool{false, true} {
		c.move(objectKey{fromKey, fromETag, fine}, objectKey{toKey, toETag, fine})
	}
	if d := c.below(); d != nil {
		d.Move(fromKey, fromETag, toKey, toETag, size)
	}
}

func (c *Blocks) move(from, to objectKey) {
	c.mu.Lock()
	var freed *block
	if o := c.objects[from]; o != nil && from != to {
		delete(c.objects, from)
		o.id = to
		o.mapped = to.etag != "" && c.objects[to] == nil
		if o.mapped {
			c.objects[to] = o
		}
		freed = c.releaseUnreachable(o)
	}
	c.mu.Unlock()
	c.free(freed)
}

// Drop forgets the version (key, etag). Its readers, if any, keep its blocks until
// the last reader closes it.
func (c *Blocks) Drop(key, etag string) {
	for _, fine := range []bool{false, true} {
		c.drop(objectKey{key, etag, fine})
	}
	if d := c.below(); d != nil {
		d.Drop(key, etag)
	}
}

func (c *Blocks) drop(id objectKey) {
	c.mu.Lock()
	var freed *block
	if o := c.objects[id]; o != nil {
		delete(c.objects, o.id)
		o.mapped = false
		freed = c.releaseUnreachable(o)
	}
	c.mu.Unlock()
	c.free(freed)
}

// Size returns the object's length in bytes.
func (o *Object) Size() int64 { return o.size }

// ID returns the current key and ETag of the version.
func (o *Object) ID() (key, etag string) {
	o.c.mu.Lock()
	defer o.c.mu.Unlock()
	return o.id.key, o.id.etag
}

// Close drops one reference.
func (o *Object) Close() {
	c := o.c
	c.mu.Lock()
	if o.refs == 0 {
		c.mu.Unlock()
		panic("cache: object closed more often than opened")
	}
	o.refs--
	c.stats.Readers--
	freed := c.releaseUnreachable(o)
	c.mu.Unlock()
	c.free(freed)
}

// releaseUnreachable evicts the blocks of an object without readers that nobody can
// find any more, moves the blocks of a closed small object to their list, and forgets
// an object without blocks. It is called after an object lost its last reader or its
// place in the map. It returns the blocks to free. c.mu is held.
func (c *Blocks) releaseUnreachable(o *Object) (freed *block) {
	if o.refs > 0 {
		return nil
	}
	for _, b := range o.blocks {
		if b.list == nil {
			continue // it is pinned: place decides when it is unpinned
		}
		b.list.remove(b)
		freed = c.place(b, freed)
	}
	freed = c.trimSmall(freed)
	c.forget(o)
	return freed
}

// forget removes an object without readers and blocks from the map. c.mu is held.
func (c *Blocks) forget(o *Object) {
	if o.mapped && o.refs == 0 && len(o.blocks) == 0 {
		delete(c.objects, o.id)
		o.mapped = false
	}
}
