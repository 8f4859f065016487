package cache

import (
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// metadataOverhead is what one item of Metadata costs beside its key and
// value, in bytes: list element, map slot and allocation slack, as measured by
// BenchmarkMetadataBytes.
const metadataOverhead = 136

// maxMetadataItems stands for no limit by count: Metadata is bounded by bytes.
const maxMetadataItems = 1 << 40

// Metadata is an LRU of small things, bounded by the memory that they take.
// Each item has a time until which it may be believed; it stays after that
// time, since a stale item can still be confirmed. An item may be negative:
// the key is known to be absent. All methods are safe for concurrent use.
type Metadata[V any] struct {
	cost    func(key string, v V) int64
	onEvict func(key string, v V)
	charge  func(delta int64)
	base    time.Time

	mu      sync.Mutex
	limit   int64
	bytes   int64
	charged int64 // of bytes, what charge has heard of
	lru     *simplelru.LRU[string, item[V]]
}

type item[V any] struct {
	value    V
	since    int64 // nanoseconds after base
	until    int64
	negative bool
}

// Known is what Metadata holds of one key.
type Known[V any] struct {
	Value    V
	Since    time.Time // when it was put
	Until    time.Time // believed until then
	Negative bool      // the key is absent; Value is zero
}

// NewMetadata returns an empty cache of at most limitBytes. cost tells the
// bytes that a value takes beside its key; nil counts values as free.
func NewMetadata[V any](limitBytes int64, cost func(key string, v V) int64) *Metadata[V] {
	m := &Metadata[V]{cost: cost, base: time.Now(), limit: limitBytes}
	// The size is positive, the only thing that NewLRU refuses.
	m.lru, _ = simplelru.NewLRU(maxMetadataItems, m.removed)
	return m
}

// OnEvict sets a function that hears of each item that leaves for lack of
// room; not of those that Delete, Purge or a Put on the same key remove. It
// runs under the lock of the cache and must not call it.
func (m *Metadata[V]) OnEvict(f func(key string, v V)) { m.onEvict = f }

// OnCharge sets a function that hears how many bytes more, or fewer, the cache
// holds, so that they can count against a budget that others share. It is
// called for every chargeStep bytes, under the lock of the cache.
func (m *Metadata[V]) OnCharge(f func(delta int64)) { m.charge = f }

// chargeStep: so little is lost in a budget of megabytes, and so rarely is its
// lock taken.
const chargeStep = 64 << 10

// settle tells charge of a change that is large enough. m.mu is held.
func (m *Metadata[V]) settle() {
	if d := m.bytes - m.charged; m.charge != nil && (d >= chargeStep || d <= -chargeStep) {
		m.charged = m.bytes
		m.charge(d)
	}
}

// Get returns what is held of key and makes it the most recently used.
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

// Put holds v under key, to be believed until the given time.
func (m *Metadata[V]) Put(key string, v V, until time.Time) {
	m.put(key, item[V]{value: v, until: int64(until.Sub(m.base))})
}

// PutNegative holds that key is absent, to be believed until the given time.
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

// Limit returns the most that Bytes may be.
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
	// simplelru replaces a value without telling, so the old cost would stay.
	m.lru.Remove(key)
	m.bytes += m.size(key, it)
	m.lru.Add(key, it)
	defer m.settle()
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

// removed keeps the sum of bytes; simplelru calls it for each item that leaves.
func (m *Metadata[V]) removed(key string, it item[V]) {
	m.bytes -= m.size(key, it)
	m.settle()
}

func (m *Metadata[V]) size(key string, it item[V]) int64 {
	n := int64(metadataOverhead + len(key))
	if m.cost != nil && !it.negative {
		n += m.cost(key, it.value)
	}
	return n
}
