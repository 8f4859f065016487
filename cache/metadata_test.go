package cache

import (
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"
)

func TestMetadataHoldsLatest(t *testing.T) {
	const size = 100
	m := NewMetadata(10*(metadataOverhead+4+size), func(string, int) int64 { return size })
	var evicted []string
	m.OnEvict(func(key string, _ int) { evicted = append(evicted, key) })
	until := time.Now().Add(time.Hour)
	for i := range 10 {
		m.Put(fmt.Sprintf("%04d", i), i, until)
	}
	if m.Len() != 10 || m.Bytes() != 10*(metadataOverhead+4+size) {
		t.Errorf("%d items take %d bytes", m.Len(), m.Bytes())
	}
	if _, ok := m.Get("0000"); !ok {
		t.Error("an item is missing before there is too much")
	}
	m.Put("more", 10, until)
	if fmt.Sprint(evicted) != "[0001]" {
		t.Errorf("evicted %v, want the least recently used, 0001", evicted)
	}
	for range 100 {
		m.Put("more", 11, until) // replacing must not count twice
	}
	if k, ok := m.Get("more"); m.Len() != 10 || !ok || k.Value != 11 {
		t.Errorf("%d items, replaced one is %+v", m.Len(), k)
	}
	m.Delete("more")
	m.Purge()
	if m.Len() != 0 || m.Bytes() != 0 || len(evicted) != 1 {
		t.Errorf("after a purge: %d items, %d bytes, evicted %v", m.Len(), m.Bytes(), evicted)
	}
}

func TestMetadataTooLargeForTheLimit(t *testing.T) {
	m := NewMetadata[int](metadataOverhead, nil)
	m.Put("key", 1, time.Now().Add(time.Hour))
	if m.Len() != 0 || m.Bytes() != 0 {
		t.Errorf("%d items of %d bytes are over the limit", m.Len(), m.Bytes())
	}
}

func TestMetadataTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewMetadata[int](1<<20, nil)
		put := time.Now()
		m.Put("a", 1, put.Add(time.Minute))
		m.PutNegative("b", put.Add(time.Second))
		time.Sleep(time.Hour)
		a, okA := m.Get("a")
		b, okB := m.Get("b")
		if !okA || !okB || a.Negative || !b.Negative {
			t.Errorf("stale items must stay: %+v %v, %+v %v", a, okA, b, okB)
		}
		if !a.Since.Equal(put) || !a.Until.Equal(put.Add(time.Minute)) || !b.Until.Equal(put.Add(time.Second)) {
			t.Errorf("times are %v to %v and %v", a.Since, a.Until, b.Until)
		}
	})
}

// BenchmarkMetadataBytes measures the memory of an item besides its key and value.
func BenchmarkMetadataBytes(b *testing.B) {
	const count = 200_000
	keys := make([]string, count)
	for i := range keys {
		keys[i] = fmt.Sprintf("some/directory/with/a/usual/name/%08d", i)
	}
	for b.Loop() {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		m := NewMetadata[[4]int64](1<<40, nil)
		until := time.Now().Add(time.Hour)
		for i, k := range keys {
			m.Put(k, [4]int64{int64(i)}, until)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/count-32, "B/item")
		runtime.KeepAlive(m)
	}
}

func BenchmarkMetadataGet(b *testing.B) {
	m := NewMetadata[int](1<<40, nil)
	const count = 100_000
	keys := make([]string, count)
	for i := range keys {
		keys[i] = fmt.Sprintf("some/directory/with/a/usual/name/%08d", i)
		m.Put(keys[i], i, time.Now().Add(time.Hour))
	}
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			if _, ok := m.Get(keys[i%count]); !ok {
				b.Fail()
			}
		}
	})
}
