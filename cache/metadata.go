package cache

import (
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// metadataOverhead in bytes is the memory of one item besides its key and value: list
// element, map slot and allocation slack. BenchmarkMetadataBytes measures it.
const metadataOverhead = 136

// maxMetadataItems means no limit by count: Metadata is bounded by bytes.
const maxMetadataItems = 1 << 40

// Metadata is an LRU of small values that is bounded by the memory that they take.
// Each item is valid until a given time. It stays after that time, because a stale
// item can still be confirmed. A negative item means that the key is absent. All
// methods are safe for concurrent use.
type Metadata[V any] struct {
	cost    func(key string, v V) int64
	onEvict func(key string, v V)
	charge  func(delta int64)
	base    time.Time

	mu      sync.Mutex
	limit   int64
	bytes   int64
	charged int64 // the part of bytes that was passed to charge
	lru     *simplelru.LRU[string, item[V]]
}

type item[V any] struct {
	value    V
	since    int64 // nanoseconds after base
	until    int64
	negative bool
}

// Known is the item of one key.
type Known[V any] struct {
	Value    V
	Since    time.Time // the time of the Put
	Until    time.Time // the end of its validity
	Negative bool      // the key is absent; Value is zero
}

// NewMetadata returns an empty cache of at most limitBytes. cost returns the bytes that
// a value takes besides its key. If cost is nil, values count as 0 bytes.
func NewMetadata[V any](limitBytes int64, cost func(key string, v V) int64) *Metadata[V] {
	m := &Metadata[V]{cost: cost, base: time.Now(), limit: limitBytes}
	// NewLRU fails only for a size that is not positive.
	m.lru, _ = simplelru.NewLRU(maxMetadataItems, m.removed)
	return m
}

// OnEvict sets a function that is called for each item that is evicted for lack of
// room. It is not called for items that Delete, Purge or a Put on the same key remove.
// It runs under the lock of the cache and must not call the cache.
func (m *Metadata[V]) OnEvict(f func(key string, v V)) { m.onEvict = f }

// OnCharge sets a function that is called when the size of the cache changes, with the
// difference in bytes, so that a shared budget can count it. It is called once per
// chargeStep bytes, under the lock of the cache.
func (m *Metadata[V]) OnCharge(f func(delta int64)) { m.charge = f }

// chargeStep in bytes is small compared with a budget of megabytes, and large enough
// that the lock of the budget is taken rarely.
const chargeStep = 64 << 10

// reportCharge calls charge if the size has changed by chargeStep. m.mu is held.
func (m *Metadata[V]) reportCharge() {
	if d := m.bytes - m.charged; m.charge != nil && (d >= chargeStep || d <= -chargeStep) {
		m.charged = m.bytes
		m.charge(d)
	}
}

// Get returns the item of key and makes it the most recently used.
func (m *Metadata[V]) Get(key string) (Known[V], bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	it, ok := m.lru.Get(key)
	if !ok {
		return Known[V]{}, false
	}
	return Known[V]{
		Value: it.value, Negative: it.negative,
		Since: m.base.Add(time.Duration(it.since)), Until: m.base.Add(time.Duration(it.until)),
	}, true
}

// Put stores v under key. The item is valid until the given time.
func (m *Metadata[V]) Put(key string, v V, until time.Time) {
	m.put(key, item[V]{value: v, until: int64(until.Sub(m.base))})
}

// PutNegative records that key is absent. The item is valid until the given time.
func (m *Metadata[V]) PutNegative(key string, until time.Time) {
	m.put(key, item[V]{until: int64(until.Sub(m.base)), negative: true})
}

// Delete forgets key.
func (m *Metadata[V]) Delete(key string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lru.Remove(key)
}

// Purge forgets everything.
func (m *Metadata[V]) Purge() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lru.Purge()
}

// Len returns the number of items.
func (m *Metadata[V]) Len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.lru.Len()
}

// Limit returns the upper bound of Bytes.
func (m *Metadata[V]) Limit() int64 { return m.limit }

// Bytes returns the memory that all items take together.
func (m *Metadata[V]) Bytes() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.bytes
}

func (m *Metadata[V]) put(key string, it item[V]) {
	m.mu.Lock()
	defer m.mu.Unlock()
	it.since = int64(time.Since(m.base))
	// simplelru replaces a value without calling removed, so remove it first.
	m.lru.Remove(key)
	m.bytes += m.size(key, it)
	m.lru.Add(key, it)
	defer m.reportCharge()
	for m.bytes > m.limit {
		k, old, ok := m.lru.RemoveOldest()
		if !ok {
			return
		}
		if m.onEvict != nil && !old.negative {
			m.onEvict(k, old.value)
		}
	}
}

// removed updates the sum of bytes. simplelru calls it for each item that leaves.
func (m *Metadata[V]) removed(key string, it item[V]) {
	m.bytes -= m.size(key, it)
	m.reportCharge()
}

func (m *Metadata[V]) size(key string, it item[V]) int64 {
	n := int64(metadataOverhead + len(key))
	if m.cost != nil && !it.negative {
		n += m.cost(key, it.value)
	}
	return n
}
