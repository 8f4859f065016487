package s3bench

import (
	"context"
	"fmt"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/s3mount/s3mount/integration/harness"
)

const (
	small    = 4 << 10
	large    = 8 << 20 // package s3's default part
	pageRows = 1000    // the most that S3 gives in a page
)

// row is a piece of work. p is the caller's own buffer of size bytes.
type row struct {
	name     string
	size     int
	parallel int // goroutines per processor, 0 for one at a time
	work     func(ctx context.Context, c client, p []byte) error
}

func rows() []row {
	head := func(ctx context.Context, c client, _ []byte) error { return c.head(ctx, "small") }
	getSmall := func(ctx context.Context, c client, p []byte) error { return c.get(ctx, "small", p) }
	getLarge := func(ctx context.Context, c client, p []byte) error { return c.get(ctx, "large", p) }
	put := func(ctx context.Context, c client, p []byte) error {
		return c.put(ctx, fmt.Sprintf("put-%d", len(p)), p)
	}
	ls := func(ctx context.Context, c client, _ []byte) error {
		n, err := c.ls(ctx, "ls/")
		if err == nil && n != pageRows {
			return fmt.Errorf("%d rows, want %d", n, pageRows)
		}
		return err
	}
	return []row{
		{"head", 0, 0, head},
		{"head-parallel", 0, 8, head},
		{"get-4KiB", small, 0, getSmall},
		{"get-4KiB-parallel", small, 8, getSmall},
		{"get-8MiB", large, 0, getLarge},
		{"get-8MiB-parallel", large, 2, getLarge},
		{"put-4KiB", small, 0, put},
		{"put-4KiB-parallel", small, 8, put},
		{"put-8MiB", large, 0, put},
		{"put-8MiB-parallel", large, 2, put},
		{"ls-1000", 0, 0, ls},
		{"ls-1000-parallel", 0, 2, ls},
	}
}

// Benchmark runs each row through each library, one after the other.
func Benchmark(b *testing.B) {
	ctx := b.Context()
	server, err := harness.StartServer(ctx, b.TempDir(), harness.ServerOptions{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(server.Stop)
	bucket := harness.NewReferee(server.Endpoint, "bench")
	if err := seed(ctx, bucket); err != nil {
		b.Fatal(err)
	}
	cs := clients(b, server.Endpoint, bucket.Bucket)
	for _, r := range rows() {
		for _, c := range cs {
			b.Run(r.name+"/"+c.name, func(b *testing.B) { r.run(b, c) })
		}
	}
}

// seed writes the objects that the rows read.
func seed(ctx context.Context, bucket *harness.Referee) error {
	if err := bucket.CreateBucket(ctx); err != nil {
		return err
	}
	for key, size := range map[string]int{"small": small, "large": large} {
		if err := bucket.Put(ctx, key, make([]byte, size), nil); err != nil {
			return err
		}
	}
	keys := make([]string, pageRows)
	for i := range keys {
		keys[i] = fmt.Sprintf("ls/file-%08d.dat", i)
	}
	return bucket.PutMany(ctx, keys, func(string) []byte { return nil })
}

func (r row) run(b *testing.B, c client) {
	ctx := b.Context()
	for range 3 { // opens connections and lets the client detect the features of the server
		if err := r.work(ctx, c, make([]byte, r.size)); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	b.SetBytes(int64(r.size))
	buffers := make(chan []byte, max(1, r.parallel*runtime.GOMAXPROCS(0))) // one per goroutine
	for range cap(buffers) {
		buffers <- make([]byte, r.size)
	}
	start := processorTime(b)
	b.ResetTimer()
	if r.parallel == 0 {
		p := <-buffers
		for range b.N {
			if err := r.work(ctx, c, p); err != nil {
				b.Fatal(err)
			}
		}
	} else {
		b.SetParallelism(r.parallel)
		b.RunParallel(func(pb *testing.PB) {
			p := <-buffers
			for pb.Next() {
				if err := r.work(ctx, c, p); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	b.StopTimer()
	b.ReportMetric(float64((processorTime(b)-start).Microseconds())/float64(b.N), "cpu-µs/op")
}

// processorTime returns the user and system time of this process. The server is a
// separate process.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
