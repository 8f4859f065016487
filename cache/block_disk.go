package cache

import (
	"os"

	"github.com/s3mount/s3mount/cache/disk"
)

// BlockStore keeps blocks that do not fit into memory. *disk.Cache implements it and
// documents its methods. All methods are safe for concurrent use.
type BlockStore interface {
	Read(key, etag string, size, index int64, p []byte) bool
	Write(key, etag string, size, index int64, p []byte) bool
	Run(key, etag string, size, index int64, n int) (there bool, run int)
	File(key, etag string, size int64) *os.File
	Move(fromKey, fromETag, toKey, toETag string, size int64)
	Drop(key, etag string)
	Stats() disk.Stats
	Close() error
}

var _ BlockStore = (*disk.Cache)(nil)

// diskLayer is the disk cache under Blocks.
type diskLayer struct {
	d    BlockStore
	wake chan struct{} // of capacity 1: a block is to be saved, or the cache is closed
	done chan struct{} // closed when the writer has ended
}

// UseDisk puts d under the cache: the cache writes blocks that come from S3 to d,
// and Fill.Load reads them back. It must be called before any other method. Close
// closes d.
func (c *Blocks) UseDisk(d BlockStore) {
	c.disk = &diskLayer{d: d, wake: make(chan struct{}, 1), done: make(chan struct{})}
	go c.saveBlocks(c.disk)
}

// Close writes the unsaved blocks to the disk and closes it. Blocks that arrive
// later stay in memory.
func (c *Blocks) Close() error {
	c.mu.Lock()
	l := c.disk
	c.disk = nil
	c.mu.Unlock()
	if l == nil {
		return nil
	}
	l.wakeUp()
	<-l.done
	return l.d.Close()
}

// below returns the disk, or nil if there is none.
func (c *Blocks) below() BlockStore {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.disk == nil {
		return nil
	}
	return c.disk.d
}

// below returns the disk if the blocks of f may be on it.
func (f *Fill) below() BlockStore {
	if f.o.shift != blockShift {
		return nil
	}
	return f.o.c.below()
}

// DiskStats returns the counters of the disk cache. They are 0 if there is none.
func (c *Blocks) DiskStats() disk.Stats {
	d := c.below()
	if d == nil {
		return disk.Stats{}
	}
	return d.Stats()
}

// File returns a file with all bytes of a version, or nil if the disk does not have
// them. The caller must not write to it and must close it. See disk.Cache.File.
func (c *Blocks) File(key, etag string, size int64) *os.File {
	d := c.below()
	if d == nil {
		return nil
	}
	return d.File(key, etag, size)
}

// Load fills blocks from the disk until it reaches a block that is not there.
func (f *Fill) Load() {
	d := f.below()
	if d == nil || f.held || f.done%BlockSize != 0 {
		return
	}
	key, etag := f.o.ID()
	for p := f.Next(); len(p) > 0; p = f.Next() {
		p = p[:f.blocks[f.cur].size]
		if !d.Read(key, etag, f.o.size, f.first+int64(f.cur), p) {
			return
		}
		f.advance(len(p), false)
	}
}

// Span returns the number of missing bytes that one GET should fetch: up to the next
// block that is on the disk, or to the end.
func (f *Fill) Span() int {
	d := f.below()
	if d == nil || f.held || f.cur == len(f.blocks) {
		return f.Rest()
	}
	key, etag := f.o.ID()
	index, n := f.first+int64(f.cur), len(f.blocks)-f.cur
	there, run := d.Run(key, etag, f.o.size, index, n)
	if there || run == n { // it is there, but Load could not read it
		return f.Rest()
	}
	return f.cur*BlockSize + run*BlockSize - f.done
}
