package fs

import (
	"hash/maphash"
	"iter"
)

// children is the set of the named inodes of a directory: a hash table of pointers with
// linear probing. It uses the names in the inodes, so that an entry takes 8 to 18
// bytes. A map takes up to 50. The zero value and nil are empty sets. inodes.mu guards
// it.
type children struct {
	slots []*inode // the length is a power of two; at most seven eighths are in use
	count int
}

// childSeed makes hash values unpredictable for users who choose names.
var childSeed = maphash.MakeSeed()

// fewestSlots is the size of the smallest table. Most directories are small.
const fewestSlots = 4

// len returns the number of inodes.
func (c *children) len() int {
	if c == nil {
		return 0
	}
	return c.count
}

// get returns the inode of a name, or nil.
func (c *children) get(name string) *inode {
	if c.len() == 0 {
		return nil
	}
	return c.slots[c.find(name)]
}

// all iterates over the inodes in undefined order. The set must not change during the
// iteration.
func (c *children) all() iter.Seq[*inode] {
	return func(yield func(*inode) bool) {
		if c == nil {
			return
		}
		for _, n := range c.slots {
			if n != nil && !yield(n) {
				return
			}
		}
	}
}

// put adds an inode under its name and replaces the previous one.
func (c *children) put(n *inode) {
	if 8*(c.count+1) > 7*len(c.slots) {
		c.grow()
	}
	i := c.find(n.name)
	if c.slots[i] == nil {
		c.count++
	}
	c.slots[i] = n
}

// remove removes the inode of a name.
func (c *children) remove(name string) {
	if c.get(name) == nil {
		return
	}
	c.count--
	if c.count == 0 {
		c.slots = nil
		return
	}
	mask := len(c.slots) - 1
	gap := c.find(name)
	for i := (gap + 1) & mask; c.slots[i] != nil; i = (i + 1) & mask {
		// An inode moves into the gap if its search begins at the gap or before.
		if home := c.home(c.slots[i].name); (i-home)&mask >= (i-gap)&mask {
			c.slots[gap], gap = c.slots[i], i
		}
	}
	c.slots[gap] = nil
}

// find returns the slot of a name, or the free slot where it would be.
func (c *children) find(name string) int {
	mask := len(c.slots) - 1
	i := c.home(name)
	for c.slots[i] != nil && c.slots[i].name != name {
		i = (i + 1) & mask
	}
	return i
}

// home returns the slot at which the search for a name begins.
func (c *children) home(name string) int {
	return int(maphash.String(childSeed, name)) & (len(c.slots) - 1)
}

// grow doubles the table.
func (c *children) grow() {
	old := c.slots
	c.slots = make([]*inode, max(fewestSlots, 2*len(old)))
	for _, n := range old {
		if n != nil {
			c.slots[c.find(n.name)] = n
		}
	}
}
