package cache

import (
	"container/list"
	"fmt"
)

const (
	// blockShift is the binary logarithm of BlockSize.
	blockShift = 17
	// FineSize in bytes is the length of the blocks of Object.Fine. It is one page,
	// because the kernel never asks for less.
	FineSize = 1 << fineShift
	// fineShift equals the shift of minClass: smaller blocks would waste memory.
	fineShift = minClassBits
)

// BlockID names a block: Index counts units of BlockSize in the version (Key, ETag).
type BlockID struct {
	Key, ETag string
	Index     int64
}

// blockState is a step in the life of a block:
//
//	                Fill.Advance, last byte
//	blockFilling ───────────────────────────> blockReady
//	     │                                        │
//	     │ Fill.Abandon                           │ eviction, end of the object
//	     v                                        │
//	 blockGone <──────────────────────────────────┘
//
// A Fill owns a filling block: the bytes [0, filled) are present and stay. All bytes
// of a ready block are present, and it may be evicted while it is not pinned. A gone
// block cannot be found by its index. Readers that have pinned it may still read its
// bytes, and the last unpin frees its memory. A ready block is also evicted when it
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

// block is BlockSize or FineSize bytes of an object, or fewer at the object's end.
// Blocks.mu guards its fields. Readers that pinned it may read buf[:filled], which
// never changes (I1). Only its Fill writes the rest of buf.
type block struct {
	o      *Object
	index  int64
	state  blockState
	size   int    // in bytes; memory for them is reserved or taken
	buf    []byte // nil until the first byte comes; its Fill sets it
	filled int
	pins   int // held by Pins, and one by the Fill while filling
	read   bool
	err    error // the cause for which it went from filling to gone; nil: fetch it again
	waits  *Pins // Pins that wait for its bytes, linked by Pins.nextWait

	list       *lru // the list that it is on, if unpinned and ready
	prev, next *block

	spent   bool          // see Object.Spend
	saved   bool          // on the disk
	unsaved *list.Element // in Blocks.unsaved; nil: not
}

// charge returns what the budget is charged for the block, in bytes.
func (b *block) charge() int64 { return classSize(classOf(b.size)) }

// become changes the state of a block. Nothing else does. Blocks.mu is held.
func (b *block) become(next blockState) {
	legal := b.state == blockFilling || b.state == blockReady && next == blockGone
	if !legal || next == blockFilling {
		panic(fmt.Sprintf("cache: block %d goes from %v to %v", b.index, b.state, next))
	}
	b.state = next
}

// wake signals the waiters whose bytes have arrived, or all waiters if the block is
// gone. Blocks.mu is held.
func (b *block) wake() {
	link := &b.waits
	for p := *link; p != nil; p = *link {
		if b.state != blockGone && b.filled < p.waitNeed {
			link = &p.nextWait
			continue
		}
		*link, p.nextWait, p.waitOn = p.nextWait, nil, nil
		p.signal <- struct{}{} // never blocks: a Pins waits for one block at a time
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
