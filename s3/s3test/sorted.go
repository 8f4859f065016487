package s3test

import (
	"slices"
	"sort"
)

// leafSize is the most keys that one leaf holds: small enough that an insert
// moves a few kilobytes, large enough that a million keys need about 3,000
// leaves, so that adding a leaf is as cheap.
const leafSize = 512

// sortedMap keeps values by key in byte order. Its leaves are short sorted
// runs in a sorted slice: a search is two binary searches, and a walk from
// any key is a walk over slices. The zero value is empty and ready for use.
type sortedMap[V any] struct {
	leaves []*leaf[V]
	count  int
}

// leaf is one run of keys; it is never empty. keys[i] belongs to values[i].
type leaf[V any] struct {
	keys   []string
	values []V
}

// Len is the number of keys.
func (m *sortedMap[V]) Len() int { return m.count }

// Get returns the value of key.
func (m *sortedMap[V]) Get(key string) (V, bool) {
	p := m.Seek(key)
	if p.Valid() && p.Key() == key {
		return p.Value(), true
	}
	var zero V
	return zero, false
}

// Set stores v under key and returns the previous value.
func (m *sortedMap[V]) Set(key string, v V) (old V, replaced bool) {
	if len(m.leaves) == 0 {
		m.leaves = []*leaf[V]{{}}
	}
	n := m.leafFor(key)
	if n == len(m.leaves) { // beyond the last key: the last leaf grows
		n--
	}
	l := m.leaves[n]
	i, found := slices.BinarySearch(l.keys, key)
	if found {
		old, l.values[i] = l.values[i], v
		return old, true
	}
	l.keys = slices.Insert(l.keys, i, key)
	l.values = slices.Insert(l.values, i, v)
	m.count++
	if len(l.keys) > leafSize {
		m.split(n, i == leafSize)
	}
	return old, false
}

// split divides an overfull leaf. After an append only the new key moves, so
// that keys which arrive in order fill their leaves.
func (m *sortedMap[V]) split(n int, appended bool) {
	l := m.leaves[n]
	at := len(l.keys) / 2
	if appended {
		at = len(l.keys) - 1
	}
	right := &leaf[V]{
		keys:   append(make([]string, 0, leafSize+1), l.keys[at:]...),
		values: append(make([]V, 0, leafSize+1), l.values[at:]...),
	}
	clear(l.keys[at:])
	clear(l.values[at:])
	l.keys, l.values = l.keys[:at], l.values[:at]
	m.leaves = slices.Insert(m.leaves, n+1, right)
}

// Delete removes key and returns its value.
func (m *sortedMap[V]) Delete(key string) (old V, deleted bool) {
	p := m.Seek(key)
	if !p.Valid() || p.Key() != key {
		return old, false
	}
	l := m.leaves[p.leaf]
	old = l.values[p.index]
	l.keys = slices.Delete(l.keys, p.index, p.index+1)
	l.values = slices.Delete(l.values, p.index, p.index+1)
	m.count--
	m.shrink(p.leaf)
	return old, true
}

// shrink drops an empty leaf, or joins a small one to its right neighbour.
func (m *sortedMap[V]) shrink(n int) {
	l := m.leaves[n]
	if len(l.keys) == 0 {
		m.leaves = slices.Delete(m.leaves, n, n+1)
		return
	}
	if n+1 == len(m.leaves) {
		return
	}
	right := m.leaves[n+1]
	if len(l.keys)+len(right.keys) > leafSize/2 {
		return
	}
	l.keys = append(l.keys, right.keys...)
	l.values = append(l.values, right.values...)
	m.leaves = slices.Delete(m.leaves, n+1, n+2)
}

// leafFor returns the index of the first leaf whose last key is at or after key.
func (m *sortedMap[V]) leafFor(key string) int {
	return sort.Search(len(m.leaves), func(i int) bool {
		keys := m.leaves[i].keys
		return len(keys) > 0 && keys[len(keys)-1] >= key
	})
}

// Seek returns the position of the first key at or after key.
func (m *sortedMap[V]) Seek(key string) position[V] {
	p := position[V]{m: m, leaf: m.leafFor(key)}
	if p.leaf < len(m.leaves) {
		p.index, _ = slices.BinarySearch(m.leaves[p.leaf].keys, key)
	}
	return p
}

// SeekAfter returns the position of the first key after key.
func (m *sortedMap[V]) SeekAfter(key string) position[V] { return m.Seek(key + "\x00") }

// position is a place in a sortedMap. Any change of the map invalidates it.
type position[V any] struct {
	m           *sortedMap[V]
	leaf, index int
}

// Valid reports whether there is a key at p. It is false at the end.
func (p position[V]) Valid() bool { return p.leaf < len(p.m.leaves) }

// Key returns the key at p.
func (p position[V]) Key() string { return p.m.leaves[p.leaf].keys[p.index] }

// Value is the value at p.
func (p position[V]) Value() V { return p.m.leaves[p.leaf].values[p.index] }

// Next is the position after p.
func (p position[V]) Next() position[V] {
	p.index++
	if p.index == len(p.m.leaves[p.leaf].keys) {
		p.leaf, p.index = p.leaf+1, 0
	}
	return p
}

// prefixEnd is the first string after all strings that start with prefix.
// There is none (false) for the empty prefix and for one of only 0xff bytes.
func prefixEnd(prefix string) (string, bool) {
	n := len(prefix)
	for n > 0 && prefix[n-1] == 0xff {
		n--
	}
	if n == 0 {
		return "", false
	}
	return prefix[:n-1] + string([]byte{prefix[n-1] + 1}), true
}
