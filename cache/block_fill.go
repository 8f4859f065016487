package cache

// A Fill is a run of consecutive blocks that one fetch brings, in order. It is
// made by Claim, which gives it memory, and ends when Advance has brought the
// last byte or with Abandon. One goroutine uses a Fill at a time.
type Fill struct {
	o      *Object
	first  int64
	blocks []*block
	cur    int // the block that is being filled
	done   int // bytes filled in all
	size   int // bytes in all
}

// Claim claims the first run of absent blocks in the range of p, pins them for
// p, and adds up to ahead absent blocks beyond the range. Memory for the run is
// taken if there is room, or in any case if force is set; memory for the blocks
// beyond only if there is room. It returns nil if nothing is absent (any more)
// or there is no room; Missing tells which.
func (p *Pins) Claim(ahead int, force bool) *Fill {
	p.Retry()
	first, n := p.Missing()
	if n == 0 {
		return nil
	}
	must := n
	if p.off>>p.o.shift+int64(len(p.blocks)) == first+int64(n) {
		n += ahead
	}
	n = p.o.absent(first, n)
	f := p.o.claim(first, p.o.reserve(first, n, min(must, n), force))
	p.Retry()
	return f
}

// Claim claims up to n absent blocks in a row from block first, as far as there
// is memory; with force there is memory for one in any case. It returns nil if
// block first is present or there is no memory.
func (o *Object) Claim(first int64, n int, force bool) *Fill {
	n = o.absent(first, n)
	return o.claim(first, o.reserve(first, n, min(n, 1), force))
}

// Absent returns the first absent block in [from, to), or to.
func (o *Object) Absent(from, to int64) int64 {
	o.c.mu.Lock()
	defer o.c.mu.Unlock()
	for ; from < to; from++ {
		if o.blocks[from] == nil {
			break
		}
	}
	return from
}

// Held returns how many blocks of the bytes [off, off+n) are there, in any state.
func (o *Object) Held(off, n int64) (held int) {
	o.c.mu.Lock()
	defer o.c.mu.Unlock()
	for i := off >> o.shift; i<<o.shift < min(off+n, o.size); i++ {
		if o.blocks[i] != nil {
			held++
		}
	}
	return held
}

// absent returns how many blocks from first on are absent in a row, at most n.
func (o *Object) absent(first int64, n int) int {
	n = int(min(int64(n), (o.size+1<<o.shift-1)>>o.shift-first))
	o.c.mu.Lock()
	defer o.c.mu.Unlock()
	for i := range n {
		if o.blocks[first+int64(i)] != nil {
			return i
		}
	}
	return max(n, 0)
}

// reserve reserves memory for up to n blocks from first on: for the first must
// of them, forced if need be, or for none. It returns for how many.
func (o *Object) reserve(first int64, n, must int, force bool) int {
	pool := o.c.pool
	for i := range n {
		size := o.blockLen(first + int64(i))
		switch {
		case pool.TryReserve(size):
		case i < must && force:
			pool.ReserveForced(size)
		case i < must:
			o.unreserve(first, i)
			return 0
		default:
			return i
		}
	}
	return n
}

// unreserve gives back what was reserved for n blocks from first on.
func (o *Object) unreserve(first int64, n int) {
	for i := range n {
		o.c.pool.Unreserve(o.blockLen(first + int64(i)))
	}
}

// claim makes n absent blocks from first on, for which memory is reserved, and
// gives back what someone else's claim made superfluous.
func (o *Object) claim(first int64, n int) *Fill {
	if n == 0 {
		return nil
	}
	c := o.c
	f := &Fill{o: o, first: first, blocks: make([]*block, 0, n)}
	c.mu.Lock()
	for i := range n {
		index := first + int64(i)
		if o.blocks[index] != nil {
			break
		}
		b := &block{o: o, index: index, size: o.blockLen(index), pins: 1}
		o.blocks[index] = b
		f.blocks = append(f.blocks, b)
		f.size += b.size
		c.stats.Blocks++
		c.stats.Filling++
		c.stats.Bytes += b.charge()
	}
	c.mu.Unlock()
	got := len(f.blocks)
	o.unreserve(first+int64(got), n-got)
	if got == 0 {
		return nil
	}
	return f
}

// Offset returns where in the object the next byte belongs.
func (f *Fill) Offset() int64 { return f.first<<f.o.shift + int64(f.done) }

// End returns where in the object the Fill ends.
func (f *Fill) End() int64 { return f.first<<f.o.shift + int64(f.size) }

// Blocks returns the number of blocks.
func (f *Fill) Blocks() int { return len(f.blocks) }

// Rest returns the number of bytes that are still to come.
func (f *Fill) Rest() int { return f.size - f.done }

// Next returns the memory that the next bytes belong into, up to the end of a
// block; it is empty when the Fill is complete. Only then is memory taken for the
// block: out of ten GETs in flight, each for 8 MiB, half is still to come, and what
// comes goes where what was read before lay, in the processor's cache.
func (f *Fill) Next() []byte {
	if f.cur == len(f.blocks) {
		return nil
	}
	b := f.blocks[f.cur]
	if b.buf == nil {
		b.buf = f.o.c.pool.Take(b.size)
	}
	return b.buf[f.done-f.before():]
}

// before returns the bytes of the blocks before the current one.
func (f *Fill) before() int { return f.cur << f.o.shift }

// Advance tells that n more bytes are in the memory that Next returned.
func (f *Fill) Advance(n int) { f.advance(n, true) }

// advance is Advance; the bytes came from S3, or else from the disk.
func (f *Fill) advance(n int, fromS3 bool) {
	b := f.blocks[f.cur]
	f.done += n
	filled := f.done - f.before()
	c := f.o.c
	var freed *block
	c.mu.Lock()
	b.filled = filled
	if filled == b.size {
		f.cur++
		b.become(blockReady)
		b.wake()
		c.stats.Filling--
		b.saved = !fromS3
		if fromS3 {
			c.toDisk(b)
		}
		freed = c.trimSmall(c.unpin(b, nil))
	} else if b.waits != nil {
		b.wake()
	}
	c.mu.Unlock()
	c.free(freed)
	c.relieve()
}

// Abandon ends the Fill. Those who wait for its bytes get err, or ErrAgain if
// err is nil. A complete Fill may be abandoned; that does nothing.
func (f *Fill) Abandon(err error) {
	c := f.o.c
	var freed *block
	c.mu.Lock()
	for _, b := range f.blocks[f.cur:] {
		b.err = err
		b.become(blockGone)
		b.wake()
		delete(f.o.blocks, b.index)
		c.stats.Filling--
		freed = c.unpin(b, freed)
	}
	f.cur = len(f.blocks)
	f.size = f.done
	c.forget(f.o)
	c.mu.Unlock()
	c.free(freed)
}

// Wanted tells whether someone has pinned a block whose bytes are still to come.
func (f *Fill) Wanted() bool {
	f.o.c.mu.Lock()
	defer f.o.c.mu.Unlock()
	for _, b := range f.blocks[f.cur:] {
		if b.pins > 1 {
			return true
		}
	}
	return false
}

// blockLen returns the length of block index in bytes.
func (o *Object) blockLen(index int64) int {
	return int(min(1<<o.shift, o.size-index<<o.shift))
}

// blockCount returns the number of blocks of size bytes.
func blockCount(size int64) int64 { return (size + BlockSize - 1) / BlockSize }
