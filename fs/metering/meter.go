package metering

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// The buckets of a Meter are logarithmic by octaves, and each octave is cut into
// equal parts (log-linear). A quantile is therefore off by at most 1/8.
const (
	// meterShift puts everything below 1.024 µs (2^10 ns) into one bucket. No
	// request that leaves the kernel is faster.
	meterShift = 10
	// meterSplit is the binary logarithm of the buckets per octave.
	meterSplit = 2
	// meterBuckets is enough for durations of more than an hour. Background work
	// is cancelled after an hour.
	meterBuckets = (32 << meterSplit) + 1
)

// A Meter counts events, failures and durations. An event costs two atomic
// additions and allocates nothing. A Meter is safe for concurrent use, and its
// zero value is ready.
type Meter struct {
	errors  atomic.Uint64
	nanos   atomic.Uint64
	buckets [meterBuckets]atomic.Uint64
}

// Observe counts one event that took d.
func (m *Meter) Observe(d time.Duration, failed bool) {
	n := uint64(max(d, 0))
	m.buckets[meterBucket(n)].Add(1)
	m.nanos.Add(n)
	if failed {
		m.errors.Add(1)
	}
}

// meterBucket returns the bucket of n nanoseconds.
func meterBucket(n uint64) int {
	octave := bits.Len64(n>>meterShift) - 1
	if octave < 0 {
		return 0
	}
	part := int(n>>(meterShift+octave-meterSplit)) & (1<<meterSplit - 1)
	return min(octave<<meterSplit+part+1, meterBuckets-1)
}

// BucketBound returns the duration below which an event is counted in bucket i
// of Latency.Buckets or in an earlier one. The last bucket has no upper bound;
// BucketBound returns the bound that it would have if another bucket followed.
func BucketBound(i int) time.Duration {
	octave, part := i>>meterSplit, i&(1<<meterSplit-1)
	return time.Duration((1<<meterSplit + part) << (meterShift + octave - meterSplit))
}

// Latency is a reading of a Meter.
type Latency struct {
	Count  uint64 `json:"count"`
	Errors uint64 `json:"errors"`
	// Seconds is the sum of all durations. P50 and P99 are quantiles.
	Seconds float64 `json:"seconds"`
	P50     float64 `json:"p50_seconds"`
	P99     float64 `json:"p99_seconds"`
	// Buckets counts events by the index of their bucket (BucketBound). Empty
	// buckets are absent.
	Buckets map[int]uint64 `json:"buckets,omitempty"`
}

// Latency returns a reading of all that was counted so far.
func (m *Meter) Latency() Latency {
	l := Latency{Errors: m.errors.Load(), Seconds: time.Duration(m.nanos.Load()).Seconds()}
	for i := range m.buckets {
		if n := m.buckets[i].Load(); n > 0 {
			if l.Buckets == nil {
				l.Buckets = map[int]uint64{}
			}
			l.Buckets[i] = n
			l.Count += n
		}
	}
	l.P50, l.P99 = l.quantile(0.50), l.quantile(0.99)
	return l
}

// Since returns the difference between l and before, which is an earlier reading
// of the same Meter. Since returns l if before counts more than l: the process
// has been restarted between the two readings.
func (l Latency) Since(before Latency) Latency {
	if before.Count > l.Count || before.Errors > l.Errors {
		return l
	}
	d := Latency{Errors: l.Errors - before.Errors, Seconds: l.Seconds - before.Seconds, Buckets: map[int]uint64{}}
	for i, n := range l.Buckets {
		if n > before.Buckets[i] {
			d.Buckets[i] = n - before.Buckets[i]
			d.Count += d.Buckets[i]
		}
	}
	d.P50, d.P99 = d.quantile(0.50), d.quantile(0.99)
	return d
}

// quantile returns the duration in seconds below which the share q of the events
// stayed. Its precision is one bucket: it returns the middle of that bucket.
func (l Latency) quantile(q float64) float64 {
	if l.Count == 0 {
		return 0
	}
	rank := max(uint64(q*float64(l.Count)+0.5), 1)
	for i, seen := 0, uint64(0); i < meterBuckets; i++ {
		if seen += l.Buckets[i]; seen >= rank {
			low := time.Duration(0)
			if i > 0 {
				low = BucketBound(i - 1)
			}
			return (low + (BucketBound(i)-low)/2).Seconds()
		}
	}
	return 0
}
