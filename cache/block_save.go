package cache

// saveQueue holds the blocks that the disk does not have yet, the oldest first.
// It does not pin them: a disk that is slower than the network for longer than
// memory lasts misses those that are evicted, and slows nobody down.
type saveQueue struct {
	first, last *block
}

// push appends b.
func (q *saveQueue) push(b *block) {
	b.unsaved, b.savePrev, b.saveNext = true, q.last, nil
	if q.last == nil {
		q.first = b
	} else {
		q.last.saveNext = b
	}
	q.last = b
}

// remove takes b out, if it is in.
func (q *saveQueue) remove(b *block) {
	if !b.unsaved {
		return
	}
	if b.savePrev == nil {
		q.first = b.saveNext
	} else {
		b.savePrev.saveNext = b.saveNext
	}
	if b.saveNext == nil {
		q.last = b.savePrev
	} else {
		b.saveNext.savePrev = b.savePrev
	}
	b.unsaved, b.savePrev, b.saveNext = false, nil, nil
}

// toDisk queues a block that has come from S3, if there is a disk and its
// version can be found again. c.mu is held.
func (c *Blocks) toDisk(b *block) {
	if c.disk == nil || !b.o.mapped || b.o.shift != blockShift {
		return
	}
	c.unsaved.push(b)
	c.disk.wakeUp()
}

// wakeUp makes the writer look at the queue.
func (l *diskLayer) wakeUp() {
	select {
	case l.wake <- struct{}{}:
	default: // it will look anyway
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

// nextUnsaved takes the oldest block off the queue and pins it; nil if there is
// none. closed tells that none will come.
func (c *Blocks) nextUnsaved() (b *block, closed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	b = c.unsaved.first
	if b != nil {
		c.unsaved.remove(b)
		b.hold()
	}
	return b, c.disk == nil
}

// save writes a block that nextUnsaved has pinned, unless its version was
// dropped meanwhile.
func (c *Blocks) save(d *Disk, b *block) {
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
