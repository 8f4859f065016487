package cache

import "os"

const (
	// writeQueue bounds the blocks that wait to be written to the disk cache.
	// They are pinned; a disk that is slower than the network for longer than
	// they last misses blocks and slows nobody down.
	writeQueue = 64
	// writeQueueShare is the part of the budget that they may take at most.
	writeQueueShare = 8
)

// diskLayer is the disk cache under Blocks.
type diskLayer struct {
	d     *Disk
	queue chan *block   // blocks that came from S3, with a pin each
	done  chan struct{} // closed when the writer has ended
}

// UseDisk puts d under the cache: blocks that come from S3 are written to it,
// and Fill.Load reads them back. It is called before anything else; Close then
// closes d.
func (c *Blocks) UseDisk(d *Disk) {
	n := min(writeQueue, max(c.pool.budget.limit/BlockSize/writeQueueShare, 1))
	c.disk = &diskLayer{d: d, queue: make(chan *block, n), done: make(chan struct{})}
	go c.writeBlocks(c.disk)
}

// Close writes what is queued for the disk and closes it. Blocks that come
// afterwards stay in memory.
func (c *Blocks) Close() error {
	c.mu.Lock()
	l := c.disk
	c.disk = nil
	c.mu.Unlock()
	if l == nil {
		return nil
	}
	close(l.queue)
	<-l.done
	return l.d.Close()
}

// writeBlocks writes queued blocks until the queue is closed.
func (c *Blocks) writeBlocks(l *diskLayer) {
	defer close(l.done)
	for b := range l.queue {
		key, etag := b.o.ID()
		l.d.Write(key, etag, b.o.size, b.index, b.buf)
		c.mu.Lock()
		freed := c.trimSmall(c.unpin(b, nil))
		c.mu.Unlock()
		c.free(freed)
		c.relieve()
	}
}

// toDisk queues a block that has come from S3, if there is a disk, memory is not
// short, and its version can be found again. c.mu is held.
func (c *Blocks) toDisk(b *block) {
	if c.disk == nil || !b.o.mapped || b.o.shift != blockShift || c.pool.budget.Deficit() > 0 {
		return
	}
	select {
	case c.disk.queue <- b:
		b.pins++
	default:
	}
}

// below returns the disk, nil if there is none.
func (c *Blocks) below() *Disk {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.disk == nil {
		return nil
	}
	return c.disk.d
}

// below returns the disk if the blocks of f may be on it.
func (f *Fill) below() *Disk {
	if f.o.shift != blockShift {
		return nil
	}
	return f.o.c.below()
}

// DiskStats are the counters and the gauge of a disk cache.
type DiskStats struct {
	Hits   int64 // blocks that were read from it
	Misses int64 // reads of blocks that it did not have
	Bytes  int64 // that it takes, over all mounts that share it
}

// DiskStats returns those of the disk cache; all are 0 where there is none.
func (c *Blocks) DiskStats() DiskStats {
	d := c.below()
	if d == nil {
		return DiskStats{}
	}
	return DiskStats{Hits: d.hits.Load(), Misses: d.misses.Load(), Bytes: d.Used()}
}

// File returns a file with all bytes of a version, if the disk has them, to be
// read only and closed by the caller; see Disk.File.
func (c *Blocks) File(key, etag string, size int64) *os.File {
	d := c.below()
	if d == nil {
		return nil
	}
	return d.File(key, etag, size)
}

// Load fills blocks from the disk as far as they are there in a row.
func (f *Fill) Load() {
	d := f.below()
	if d == nil || f.done%BlockSize != 0 {
		return
	}
	key, etag := f.o.ID()
	for p := f.Next(); len(p) > 0; p = f.Next() {
		if !d.Read(key, etag, f.o.size, f.first+int64(f.cur), p) {
			return
		}
		f.advance(len(p), false)
	}
}

// Span returns how many of the bytes that are still to come are worth one GET:
// up to a block that the disk has, or to the end.
func (f *Fill) Span() int {
	d := f.below()
	if d == nil || f.cur == len(f.blocks) {
		return f.Rest()
	}
	key, etag := f.o.ID()
	index, n := f.first+int64(f.cur), len(f.blocks)-f.cur
	there, run := d.Run(key, etag, f.o.size, index, n)
	if there || run == n { // there, but Load could not read it
		return f.Rest()
	}
	return f.cur*BlockSize + run*BlockSize - f.done
}
