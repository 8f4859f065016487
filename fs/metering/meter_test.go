package metering

import (
	"math"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestMeterBuckets checks that each time is below the bound of its bucket and not below
// the bound of the previous bucket.
func TestMeterBuckets(t *testing.T) {
	for _, n := range []uint64{0, 1, 1023} {
		if b := meterBucket(n); b != 0 {
			t.Errorf("%d ns are in bucket %d, want 0", n, b)
		}
	}
	if b := meterBucket(math.MaxUint64); b != meterBuckets-1 {
		t.Errorf("the longest time is in bucket %d, want the last", b)
	}
	if last := BucketBound(meterBuckets - 2); last < time.Hour {
		t.Errorf("the buckets reach %v, want an hour", last)
	}
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Uint64Range(0, uint64(time.Hour)).Draw(t, "ns")
		b := meterBucket(n)
		if d := time.Duration(n); d >= BucketBound(b) || b > 0 && d < BucketBound(b-1) {
			t.Fatalf("%v is in bucket %d, which ends at %v", d, b, BucketBound(b))
		}
	})
}

func TestMeterQuantiles(t *testing.T) {
	var m Meter
	if l := m.Latency(); l.Count != 0 || l.P99 != 0 || l.Buckets != nil {
		t.Errorf("a new meter has %+v", l)
	}
	for range 98 {
		m.Observe(time.Millisecond, false)
	}
	m.Observe(time.Second, true)
	m.Observe(time.Second, true)
	l := m.Latency()
	if l.Count != 100 || l.Errors != 2 || math.Abs(l.Seconds-2.098) > 1e-9 {
		t.Errorf("counted %+v", l)
	}
	near := func(got, want float64) bool { return math.Abs(got-want) <= want/8 }
	if !near(l.P50, 1e-3) || !near(l.P99, 1) {
		t.Errorf("p50 %v s, p99 %v s; want 1 ms and 1 s", l.P50, l.P99)
	}
}

func TestLatencySince(t *testing.T) {
	var m Meter
	m.Observe(time.Second, true)
	before := m.Latency()
	m.Observe(time.Millisecond, false)
	d := m.Latency().Since(before)
	if d.Count != 1 || d.Errors != 0 || d.P99 > 2e-3 || d.P50 == 0 {
		t.Errorf("since the first reading: %+v", d)
	}
	var anew Meter
	anew.Observe(time.Millisecond, false)
	if d := anew.Latency().Since(m.Latency()); d.Count != 1 {
		t.Errorf("after a restart: %+v", d)
	}
}

func TestMeterConcurrent(t *testing.T) {
	var m Meter
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 1000 {
				m.Observe(time.Duration(i)*time.Microsecond, i%10 == 0)
			}
		})
	}
	wg.Wait()
	if l := m.Latency(); l.Count != 4000 || l.Errors != 400 {
		t.Errorf("%d events and %d errors, want 4000 and 400", l.Count, l.Errors)
	}
}

func BenchmarkMeter(b *testing.B) {
	var m Meter
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			m.Observe(50*time.Microsecond, false)
		}
	})
}
