package listing

import (
	"crypto/md5"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/s3mount/s3mount/cache"
	"github.com/s3mount/s3mount/fs/entry"
)

// BenchmarkBytesPerFact measures the memory of a name of 40 bytes that a HEAD or
// a write told of: 275 bytes on the heap, of which the cache counts 264.
func BenchmarkBytesPerFact(b *testing.B) {
	const count = 200_000
	keys, etags := make([]string, count), make([]string, count)
	for i := range keys {
		keys[i] = fmt.Sprintf("dir/%036d", i)
		etags[i] = fmt.Sprintf("%q", fmt.Sprintf("%x", md5.Sum([]byte(keys[i]))))
	}
	for b.Loop() {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		facts := cache.NewMetadata(1<<40, factCost)
		for i, k := range keys {
			e := entry.Entry{Key: k, Size: int64(i), ETag: etags[i], LastModified: time.Unix(1_600_000_000, 0), Attr: entry.Attr{Perm: 0o644}, Exact: true}
			facts.Put(strings.Clone(k), newFact(e, true), time.Now())
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/count, "B/entry")
		b.ReportMetric(float64(facts.Bytes())/count, "counted-B/entry")
		runtime.KeepAlive(facts)
	}
}
