package cache

import (
	"container/list"
	"fmt"
)

const (
	// blockShift is the binary logarithm of BlockSize.
	blockShift = 17
	// FineSize in bytes is the length of the blocks of Object.Fine: a page,
	// which is the least that the kernel asks for.
	FineSize = 1 << fineShift
	// fineShift is that of minClass: smaller blocks would waste their memory.
	fineShift = minClassBits
)

// BlockID names a block: Index counts units of BlockSize in the version (Key, ETag).
type BlockID struct {
	Key, ETag string
	Index     int64
}

// blockState is where a block is in its life:
//
//	                Fill.Advance, last byte
//	blockFilling ───────────────────────────> blockReady
//	     │                                        │
//	     │ Fill.Abandon                           │ eviction, end of the object
//	     v                                        │
//	 blockGone <──────────────────────────────────┘
//
// filling: a Fill owns it; the bytes [0, filled) are there and stay. ready: all
// bytes are there; it may be evicted when nobody pins it. gone: it is no more
// found by its index; who still pins it may read the bytes that are there, and
// its memory is freed with the last pin. A ready block goes by eviction also when it
// was spent (Object.Spend) and is of no more use.
type blockState uint8

const (
	blockFilling blockState = iota
	blockReady
	blockGone
)

func (s blockState) String() string {
	return [...]string{"filling", "ready", "gone"}[s]
}

// block is BlockSize bytes of an object, or FineSize, less at the object's end. Its fields
// are guarded by Blocks.mu; the bytes buf[:filled] may be read by who pins it
// and never change (I1), the rest is written by its Fill alone.
type block struct {
	o      *Object
	index  int64
	state  blockState
	size   int    // in bytes; memory for them is reserved or taken
	buf    []byte // nil until the first byte comes; its Fill sets it
	filled int
	pins   int // held by Pins, and one by the Fill while filling
	read   bool
	err    error // why it went from filling to gone; nil: fetch it again
	waits  *Pins // who waits for bytes of it, linked by Pins.nextWait

	list       *lru // the list that it is on, if unpinned and ready
	prev, next *block

	spent   bool          // see Object.Spend
	saved   bool          // on the disk
	unsaved *list.Element // in Blocks.unsaved; nil: not
}

// charge returns what the budget is charged for the block, in bytes.
func (b *block) charge() int64 { return classSize(classOf(b.size)) }

// become is the one place where a block changes its state. Blocks.mu is held.
func (b *block) become(next blockState) {
	legal := b.state == blockFilling || b.state == blockReady && next == blockGone
	if !legal || next == blockFilling {
		panic(fmt.Sprintf("cache: block %d goes from %v to %v", b.index, b.state, next))
	}
	b.state = next
}

// wake signals those whose bytes have come, or all when the block is gone.
// Blocks.mu is held.
func (b *block) wake() {
	link := &b.waits
	for p := *link; p != nil; p = *link {
		if b.state != blockGone && b.filled < p.waitNeed {
			link = &p.nextWait
			continue
		}
		*link, p.nextWait, p.waitOn = p.nextWait, nil, nil
		p.signal <- struct{}{} // has room: a Pins waits once at a time
	}
}

// lru is a list of unpinned ready blocks, the least recently used first.
type lru struct {
	first, last *block
	bytes       int64
}

// push makes b the most recently used.
func (l *lru) push(b *block) {
	b.list, b.prev, b.next = l, l.last, nil
	if l.last == nil {
		l.first = b
	} else {
		l.last.next = b
	}
	l.last = b
	l.bytes += b.charge()
}

// remove takes b off the list.
func (l *lru) remove(b *block) {
	if b.prev == nil {
		l.first = b.next
	} else {
		b.prev.next = b.next
	}
	if b.next == nil {
		l.last = b.prev
	} else {
		b.next.prev = b.prev
	}
	b.list, b.prev, b.next = nil, nil, nil
	l.bytes -= b.charge()
}
