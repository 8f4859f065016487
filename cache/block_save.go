package cache

// toDisk queues a block that has come from S3, if there is a disk and the version of
// the block can be found again. c.mu is held.
func (c *Blocks) toDisk(b *block) {
	if c.disk == nil || !b.o.mapped || b.o.shift != blockShift {
		return
	}
	b.unsaved = c.unsaved.PushBack(b)
	c.disk.wakeUp()
}

// wakeUp makes the writer check the queue.
func (l *diskLayer) wakeUp() {
	select {
	case l.wake <- struct{}{}:
	default: // the writer has a wake-up pending
	}
}

// saveBlocks writes queued blocks until the cache is closed and none is left.
func (c *Blocks) saveBlocks(l *diskLayer) {
	defer close(l.done)
	for {
		b, closed := c.nextUnsaved()
		switch {
		case b != nil:
			c.save(l.d, b)
		case closed:
			return
		default:
			<-l.wake
		}
	}
}

// nextUnsaved removes the oldest block from the queue and pins it. It returns nil if
// the queue is empty. closed reports whether the cache is closed.
func (c *Blocks) nextUnsaved() (b *block, closed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.unsaved.Front(); e != nil {
		b = e.Value.(*block)
		c.dequeueSave(b)
		b.hold()
	}
	return b, c.disk == nil
}

// dequeueSave removes a block from the queue, if it is queued. c.mu is held.
func (c *Blocks) dequeueSave(b *block) {
	if b.unsaved != nil {
		c.unsaved.Remove(b.unsaved)
		b.unsaved = nil
	}
}

// save writes a block that nextUnsaved has pinned, unless its version was dropped in
// the meantime.
func (c *Blocks) save(d BlockStore, b *block) {
	c.mu.Lock()
	id, mapped := b.o.id, b.o.mapped
	c.mu.Unlock()
	saved := mapped && d.Write(id.key, id.etag, b.o.size, b.index, b.buf)
	c.mu.Lock()
	b.saved = saved
	freed := c.trimSmall(c.unpin(b, nil))
	c.mu.Unlock()
	c.free(freed)
	c.relieve()
}
