package integration

import (
	"fmt"
	"testing"
	"time"

	"github.com/s3mount/s3mount/integration/harness"
)

// TestP2OpenTTL lets 300 processes open 10 small files at 20 ms per request. With
// --open-ttl that costs the requests that find and fetch the files; without, each open
// asks S3.
func TestP2OpenTTL(t *testing.T) {
	t.Parallel()
	for ttl, most := range map[string]int{"0s": 4000, "1m": 20} { // requests
		run(t, ttl, func(t *testing.T, w *harness.World) {
			bucket := w.Bucket(t)
			for i := range 10 {
				must(t, bucket.Put(w.Context(t), fmt.Sprint("d/f", i), payload(i, 4096), nil))
			}
			proxy := w.Proxy(t, harness.Shape{Latency: 20 * time.Millisecond})
			m := w.Mount(t, harness.MountOptions{Endpoint: proxy.URL, Source: bucket.Bucket, Args: []string{"--open-ttl", ttl}})
			proxy.Reset()
			start := time.Now()
			w.Sh(t, m.Dir, `for i in $(seq 300); do cat d/f? >/dev/null & ((i % 20)) || wait; done; wait`)
			counts := proxy.Counts()
			took := time.Since(start)
			t.Logf("%v, %v", counts, took.Round(10*time.Millisecond))
			// Names of files that are so young are looked up again each second.
			if n := counts.Total(); n > most+3*int(took.Seconds()) || ttl == "0s" && counts[harness.Get]+counts[harness.Head] < 3000 {
				t.Errorf("300 processes that open 10 files cost %v", counts)
			}
		})
	}
}
