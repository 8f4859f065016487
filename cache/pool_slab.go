package cache

import (
	"math/bits"
	"unsafe"
)

// slabSize is the unit in which the pool maps memory. It is the size of a huge page,
// and 16 chunks of the largest class. Slabs are aligned to it, so that the address of
// a chunk identifies its slab.
const slabSize = 2 << 20

// A slab is a piece of mapped memory cut into chunks of one class. Its fields
// are guarded by Pool.mu. A chunk is in one of three states:
//
//	         takeOut           putBack           coolAll
//	cold ───────────────> held ────────> warm ───────────> cold
//	                        ^   takeOut   │
//	                        └─────────────┘
//
// A held chunk is in use. A warm chunk is free and resident. A cold chunk is free and
// not resident.
type slab struct {
	class      int
	mem        []byte // the slabSize bytes
	mapping    []byte // the mapping that contains mem
	guarded    bool   // free chunks are protected
	huge       bool   // backed by a huge page where the kernel has one
	held       int    // number of held chunks
	warm, cold chunkSet
	prev, next *slab // in the list of slabs of the class with free chunks
}

// chunkSet is a set of chunks of one slab.
type chunkSet [slabSize / minClass / 64]uint64

func (c *chunkSet) has(i int) bool { return c[i/64]&(1<<(i%64)) != 0 }
func (c *chunkSet) add(i int)      { c[i/64] |= 1 << (i % 64) }
func (c *chunkSet) remove(i int)   { c[i/64] &^= 1 << (i % 64) }

// longest returns the first of the longest runs of members below end. It stops at a
// run of n members. got is 0 if the set is empty.
func (c *chunkSet) longest(end, n int) (first, got int) {
	for i := 0; i < end && got < n; i++ {
		if c[i/64] == 0 {
			i |= 63 // the rest of the word is empty, too
			continue
		}
		run := 0
		for i+run < end && run < n && c.has(i+run) {
			run++
		}
		if run > got {
			first, got = i, run
		}
		i += run
	}
	return first, got
}

// pop removes the lowest member and returns it, or -1 if the set is empty.
func (c *chunkSet) pop() int {
	for w := range c {
		if c[w] != 0 {
			bit := bits.TrailingZeros64(c[w])
			c[w] &= c[w] - 1
			return w*64 + bit
		}
	}
	return -1
}

// newSlab maps a slab for the class; all its chunks are cold.
func newSlab(class int, guarded bool) *slab {
	s := &slab{guarded: guarded}
	s.mapping, s.mem = mapAligned(slabSize)
	if guarded {
		protect(s.mem)
	}
	s.reset(class)
	return s
}

// reset cuts an unused, cold slab into chunks of class. It asks for a huge page for the
// largest class: reading 1 GiB then takes 0.15 to 0.2 s less CPU for page faults and
// page lookups. With smaller chunks a huge page would make more memory resident than is
// held.
func (s *slab) reset(class int) {
	s.class = class
	s.setHuge(class == classes-1 && !s.guarded)
	s.warm, s.cold = chunkSet{}, chunkSet{}
	for i := range s.chunks() {
		s.cold.add(i)
	}
}

// setHuge advises the kernel about the whole mapping, although only the slab is used.
// Neighbouring mappings of one kind then stay one area for the kernel.
func (s *slab) setHuge(huge bool) {
	if s.huge != huge {
		s.huge = huge
		hugePages(s.mapping, huge)
	}
}

func (s *slab) chunkSize() int { return int(classSize(s.class)) }
func (s *slab) chunks() int    { return slabSize / s.chunkSize() }
func (s *slab) free() int      { return s.chunks() - s.held }

// chunk returns the memory of chunk i. Its capacity ends with the chunk.
func (s *slab) chunk(i int) []byte {
	n := s.chunkSize()
	return s.mem[i*n : (i+1)*n : (i+1)*n]
}

// run returns the memory of n chunks from first on. Its capacity ends with the run.
func (s *slab) run(first, n int) []byte {
	size := s.chunkSize()
	return s.mem[first*size : (first+n)*size : (first+n)*size]
}

func (s *slab) isHeld(i int) bool { return !s.warm.has(i) && !s.cold.has(i) }

// takeOut makes n free chunks from first on held.
func (s *slab) takeOut(first, n int) {
	for i := first; i < first+n; i++ {
		s.warm.remove(i)
		s.cold.remove(i)
	}
	s.held += n
}

// putBack makes a held chunk warm.
func (s *slab) putBack(i int) {
	s.warm.add(i)
	s.held--
}

// coolAll returns the warm chunks to the OS and returns their size in bytes.
func (s *slab) coolAll() int64 {
	var n int64
	for i := s.warm.pop(); i >= 0; i = s.warm.pop() {
		first := i
		for i+1 < s.chunks() && s.warm.has(i+1) {
			i = s.warm.pop() // pop returns the lowest member, which is i+1
		}
		size := s.chunkSize()
		discard(s.mem[first*size : (i+1)*size])
		for j := first; j <= i; j++ {
			s.cold.add(j)
		}
		n += int64((i + 1 - first) * size)
	}
	if n > 0 && s.held > 0 {
		s.setHuge(false) // otherwise the kernel may make the whole slab resident again
	}
	return n
}

func (s *slab) unmap() {
	unmap(s.mapping)
	s.mem, s.mapping = nil, nil
}

// addressOf returns the address of the first byte of b's memory.
func addressOf(b []byte) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(b))) }

// alignUp returns the offset of the first byte in mem whose address is a multiple of slabSize.
func alignUp(mem []byte) int {
	return int(-addressOf(mem) & (slabSize - 1))
}
