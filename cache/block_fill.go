package cache

// A Fill is a run of consecutive blocks that one fetch brings in order. Claim makes
// it and reserves its memory. It ends when Advance has brought the last byte, or with
// Abandon. Only one goroutine may use a Fill at a time.
type Fill struct {
	o      *Object
	first  int64
	blocks []*block
	cur    int    // the block that is being filled
	done   int    // bytes filled so far
	size   int    // bytes of all blocks
	mem    []byte // memory for the current block and the blocks after it, taken but not filled
	run    int    // the number of blocks that memory was last taken for
	held   bool   // readers do not get new bytes until Release
}

// Claim claims the first run of absent blocks in the range of p, pins them for p, and
// adds up to ahead absent blocks beyond the range. It reserves memory for the run if
// there is room, or always if force is set. It reserves memory for the blocks beyond
// the range only if there is room. It returns nil if no block is absent or if there is
// no room. Missing distinguishes the two cases.
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

// Claim claims up to n consecutive absent blocks from first on, as far as there is
// memory. With force there is always memory for one block. It returns nil if block
// first is present or if there is no memory.
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

// Held returns how many blocks of the bytes [off, off+n) are present, in any state.
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

// absent returns the number of consecutive absent blocks from first on, at most n.
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

// reserve reserves memory for up to n blocks from first on and returns their number.
// It reserves at least must blocks, by force if force is set, or none.
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

// unreserve releases the reservation of n blocks from first on.
func (o *Object) unreserve(first int64, n int) {
	for i := range n {
		o.c.pool.Unreserve(o.blockLen(first + int64(i)))
	}
}

// claim makes n absent blocks from first on, whose memory is reserved. It releases
// the reservation of blocks that another caller has claimed in the meantime.
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

// Offset returns the position of the next byte in the object.
func (f *Fill) Offset() int64 { return f.first<<f.o.shift + int64(f.done) }

// End returns the position in the object at which the Fill ends.
func (f *Fill) End() int64 { return f.first<<f.o.shift + int64(f.size) }

// Blocks returns the number of blocks.
func (f *Fill) Blocks() int { return len(f.blocks) }

// Rest returns the number of bytes that have not arrived yet.
func (f *Fill) Rest() int { return f.size - f.done }

// longestRun is the largest number of blocks (1 MiB) that a Fill takes memory for in
// one piece. Reading 1 GiB in pieces of one block took 0.59 s of CPU in the client and
// 0.72 s in a proxy before it, at 20 ms and 90 MB/s per connection. Pieces of 512 KiB
// took 0.49 and 0.69 s, pieces of 8 MiB took 0.45 and 0.56 s: each piece wakes the
// reader, which wakes the sender. Longer runs would make more memory resident before
// its bytes arrive.
const longestRun = 8

// Next returns the memory for the next bytes, which may span several blocks. It is
// empty when the Fill is complete. Next takes the reserved memory only now, because
// half of the bytes of ten GETs of 8 MiB in flight have not arrived yet. The first
// piece is one block, so that a reader gets its first bytes soon. Each piece is twice
// as long as the one before.
func (f *Fill) Next() []byte {
	if len(f.mem) == 0 && f.done < f.size {
		f.run = min(max(2*f.run, 1), longestRun)
		next := f.done >> f.o.shift // the blocks before next are full
		f.take(next, min(f.run, len(f.blocks)-next))
	}
	return f.mem
}

// take takes memory for up to n blocks from block first of the Fill on.
func (f *Fill) take(first, n int) {
	size := f.blocks[first].size
	if f.blocks[first+n-1].size != size { // the last block of the object
		n = max(n-1, 1)
	}
	f.mem = f.o.c.pool.TakeRun(size, n)
	got := len(f.mem) / size
	room := cap(f.mem) / got
	for i := range got {
		f.blocks[first+i].buf = f.mem[i*size : (i+1)*size : i*size+room]
	}
}

// before returns the bytes of the blocks before the current one.
func (f *Fill) before() int { return f.cur << f.o.shift }

// Advance records that n more bytes are in the memory that Next returned.
func (f *Fill) Advance(n int) { f.advance(n, true) }

// Hold keeps new bytes from readers until Release, so that Abandon can discard them.
func (f *Fill) Hold() { f.held = true }

// Held reports whether the Fill holds its bytes back.
func (f *Fill) Held() bool { return f.held }

// Release gives readers the bytes that Hold kept from them.
func (f *Fill) Release() {
	if f.held {
		f.held = false
		f.advance(0, true)
	}
}

// advance implements Advance. fromS3 is false for bytes from the disk.
func (f *Fill) advance(n int, fromS3 bool) {
	f.mem = f.mem[n:]
	f.done += n
	if f.held {
		return
	}
	c := f.o.c
	var freed *block
	c.mu.Lock()
	for f.cur < len(f.blocks) {
		b := f.blocks[f.cur]
		b.filled = min(f.done-f.before(), b.size)
		if b.filled < b.size {
			b.wake()
			break
		}
		f.cur++
		b.become(blockReady)
		b.wake()
		c.stats.Filling--
		b.saved = !fromS3
		if fromS3 {
			c.toDisk(b)
		}
		freed = c.unpin(b, freed)
		if f.done == f.before() {
			break // no byte of the next block has arrived
		}
	}
	freed = c.trimSmall(freed)
	c.mu.Unlock()
	c.free(freed)
	c.relieve()
}

// Abandon ends the Fill. Its waiters get err, or ErrAgain if err is nil. Abandoning a
// complete Fill does nothing.
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
	f.cur, f.mem = len(f.blocks), nil
	f.size = f.done
	c.forget(f.o)
	c.mu.Unlock()
	c.free(freed)
}

// Wanted reports whether a reader has pinned a block whose bytes are missing.
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
