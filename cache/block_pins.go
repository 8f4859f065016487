package cache

import (
	"context"
	"errors"
)

// ErrAgain means that a block vanished before its bytes arrived. The caller must ask
// for it again.
var ErrAgain = errors.New("block is gone, ask again")

// Pins holds the blocks of one byte range of an object in memory. Object.Pin makes
// it, Claim completes it where blocks are absent, Wait waits for it, and Done
// releases it. Only one goroutine may use a Pins at a time.
type Pins struct {
	o      *Object
	off    int64
	size   int
	blocks []*block // from the block of off on; nil: absent
	slices [][]byte
	onDone func()

	// waitOn is the block that Wait is blocked on. Blocks.mu guards it.
	waitOn   *block
	waitNeed int
	nextWait *Pins
	signal   chan struct{} // of capacity 1
}

// Pin pins the blocks of the bytes [off, off+n) that are present, in any state. The
// range is cut at the end of the object.
func (o *Object) Pin(off int64, n int) *Pins {
	c := o.c
	p := c.idle.Get().(*Pins)
	p.o, p.off = o, off
	p.size = int(max(min(int64(n), o.size-off), 0))
	if p.size == 0 {
		return p
	}
	first, last := off>>o.shift, (off+int64(p.size)-1)>>o.shift
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stats.Pins++
	for i := first; i <= last; i++ {
		b := o.blocks[i]
		if b != nil {
			b.pin()
		}
		p.blocks = append(p.blocks, b)
	}
	p.collect()
	return p
}

// collect sets the slices if all bytes are present. Blocks.mu is held.
func (p *Pins) collect() bool {
	for i, b := range p.blocks {
		if b == nil {
			return false
		}
		if _, need := p.within(i); b.filled < need {
			return false
		}
	}
	for i, b := range p.blocks {
		from, to := p.within(i)
		p.slices = append(p.slices, b.buf[from:to])
	}
	return true
}

// Ready reports whether Wait would return at once. It is true for an empty range.
func (p *Pins) Ready() bool { return len(p.slices) == len(p.blocks) }

// pin adds a reader's pin. Blocks.mu is held.
func (b *block) pin() {
	b.hold()
	b.read, b.spent = true, false
}

// hold adds a pin. Blocks.mu is held.
func (b *block) hold() {
	if b.list != nil {
		b.list.remove(b)
	}
	b.pins++
}

// unpin removes a pin and returns the chain of blocks to free. c.mu is held.
func (c *Blocks) unpin(b *block, freed *block) *block {
	b.pins--
	if b.pins > 0 {
		return freed
	}
	return c.place(b, freed)
}

// Missing returns the index of the first absent block and the number of consecutive
// absent blocks from there. The number is 0 if all blocks are present.
func (p *Pins) Missing() (index int64, n int) {
	for i, b := range p.blocks {
		if b == nil && n == 0 {
			index = p.off>>p.o.shift + int64(i)
		}
		if b == nil {
			n++
		} else if n > 0 {
			break
		}
	}
	return index, n
}

// Absent reports whether no block of the range was present, in any state.
func (p *Pins) Absent() bool {
	for _, b := range p.blocks {
		if b != nil {
			return false
		}
	}
	return true
}

// Wait returns when all bytes of the range are present. ErrAgain means that a block
// vanished or is absent, and that the caller must call Retry. Other errors come from
// the fill or from ctx.
func (p *Pins) Wait(ctx context.Context) error {
	if p.Ready() {
		return nil
	}
	// Fills run forward, so one wait for the last block is mostly enough.
	for i := len(p.blocks) - 1; i >= 0; i-- {
		if err := p.waitBlock(ctx, i); err != nil {
			return err
		}
	}
	p.o.c.mu.Lock()
	defer p.o.c.mu.Unlock()
	p.collect()
	return nil
}

// within returns the part [from, to) of the i-th block that belongs to the range.
func (p *Pins) within(i int) (from, to int) {
	at := (p.off>>p.o.shift + int64(i)) << p.o.shift
	from = int(max(p.off-at, 0))
	to = int(min(p.off+int64(p.size)-at, 1<<p.o.shift))
	return from, to
}

// waitBlock waits for the bytes of the i-th block.
func (p *Pins) waitBlock(ctx context.Context, i int) error {
	c, b := p.o.c, p.blocks[i]
	if b == nil {
		return ErrAgain
	}
	_, need := p.within(i)
	for {
		c.mu.Lock()
		switch {
		case b.filled >= need: // stays true, also when the block is gone
			c.mu.Unlock()
			return nil
		case b.state == blockGone:
			err := b.err
			c.mu.Unlock()
			if err == nil {
				err = ErrAgain
			}
			return err
		}
		p.waitOn, p.waitNeed, p.nextWait = b, need, b.waits
		b.waits = p
		c.mu.Unlock()
		select {
		case <-p.signal:
		case <-ctx.Done():
			p.stopWaiting()
			return ctx.Err()
		}
	}
}

// stopWaiting removes p from the waiters of its block, if it is still there.
func (p *Pins) stopWaiting() {
	c := p.o.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if p.waitOn == nil { // the block has signalled p
		<-p.signal
		return
	}
	for link := &p.waitOn.waits; *link != nil; link = &(*link).nextWait {
		if *link == p {
			*link = p.nextWait
			break
		}
	}
	p.waitOn, p.nextWait = nil, nil
}

// Retry releases blocks that vanished before their bytes arrived and looks for their
// successors. Blocks may be absent afterwards, as after Pin.
func (p *Pins) Retry() {
	c := p.o.c
	var freed *block
	c.mu.Lock()
	for i, b := range p.blocks {
		if b != nil && b.state == blockGone {
			if _, need := p.within(i); b.filled >= need {
				continue
			}
			freed = c.unpin(b, freed)
			b = nil
		}
		if b == nil {
			if b = p.o.blocks[p.off>>p.o.shift+int64(i)]; b != nil {
				b.pin()
			}
			p.blocks[i] = b
		}
	}
	c.mu.Unlock()
	c.free(freed)
}

// Slices returns the bytes in order, as slices of block memory. They are valid from
// a successful Wait until Done.
func (p *Pins) Slices() [][]byte { return p.slices }

// Size returns the number of bytes of the range.
func (p *Pins) Size() int { return p.size }

// End returns the position in the object at which the range ends.
func (p *Pins) End() int64 { return p.off + int64(p.size) }

// OnDone makes Done call f once.
func (p *Pins) OnDone(f func()) { p.onDone = f }

// Done releases the blocks. The Pins and its slices must not be used afterwards.
func (p *Pins) Done() {
	if p.o == nil {
		panic("cache: Pins.Done called twice")
	}
	c, onDone := p.o.c, p.onDone
	if len(p.blocks) > 0 {
		p.unpinAll(c)
	}
	clear(p.blocks)
	clear(p.slices)
	p.o, p.onDone, p.size = nil, nil, 0
	p.blocks, p.slices = p.blocks[:0], p.slices[:0]
	c.idle.Put(p)
	c.relieve()
	if onDone != nil {
		onDone()
	}
}

// unpinAll releases all blocks.
func (p *Pins) unpinAll(c *Blocks) {
	var freed *block
	c.mu.Lock()
	c.stats.Pins--
	for _, b := range p.blocks {
		if b != nil {
			freed = c.unpin(b, freed)
		}
	}
	if freed != nil || c.small.bytes > closedSmallLimit {
		freed = c.trimSmall(freed)
	}
	c.mu.Unlock()
	c.free(freed)
}
