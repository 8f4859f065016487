package readahead

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/s3mount/s3mount/cache"
	"github.com/s3mount/s3mount/s3"
	"github.com/s3mount/s3mount/s3/s3test"
)

const benchSize = 512 * mib

// benchServer serves one object of benchSize bytes on loopback.
func benchServer(b *testing.B) (*s3.Client, Version) {
	srv := s3test.NewServer(b, s3test.Options{Buckets: []string{"b"}})
	etag := srv.PutRepeated("b", "k", wantContent(1, 0, mib), benchSize, nil)
	return srv.Client(), Version{Key: "k", ETag: etag, Size: benchSize}
}

// BenchmarkSequential reads the object through a Reader in steps of 1 MiB, with an empty cache.
func BenchmarkSequential(b *testing.B) {
	client, v := benchServer(b)
	blocks := cache.NewBlocks(cache.NewPool(cache.NewBudget(256 * mib)))
	m := New(client, blocks, Options{Bucket: "b"})
	defer m.Close()
	b.SetBytes(benchSize)
	b.ReportAllocs()
	for b.Loop() {
		r := m.OpenVersion(v)
		for off := int64(0); off < benchSize; off += mib {
			p, err := r.ReadAt(context.Background(), off, mib)
			if err != nil {
				b.Fatal(err)
			}
			p.Done()
		}
		r.Close()
		blocks.Drop(v.Key, v.ETag)
	}
	s := m.Stats()
	b.ReportMetric(float64(s.Gets)/float64(b.N), "GETs/op")
	b.ReportMetric(float64(s.Fetched)/float64(b.N)/benchSize, "moved/read")
}

// BenchmarkRawClient reads the same object with ranged GETs of defaultFetchSize on as many
// connections as a stream uses, into reused buffers.
func BenchmarkRawClient(b *testing.B) {
	client, v := benchServer(b)
	b.SetBytes(benchSize)
	b.ReportAllocs()
	for b.Loop() {
		var next atomic.Int64
		var wg sync.WaitGroup
		for range 12 {
			wg.Go(func() {
				buf := make([]byte, defaultFetchSize)
				for {
					off := next.Add(defaultFetchSize) - defaultFetchSize
					if off >= benchSize {
						return
					}
					rawGet(b, client, v, off, buf)
				}
			})
		}
		wg.Wait()
	}
}

func rawGet(b *testing.B, client *s3.Client, v Version, off int64, buf []byte) {
	_, n, err := client.GetInto(context.Background(), &s3.GetInput{
		Bucket: "b", Key: v.Key, Range: s3.Bytes(off, off+defaultFetchSize-1),
	}, buf)
	if err != nil || int64(n) != min(int64(len(buf)), v.Size-off) {
		b.Errorf("%d bytes, error %v", n, err)
	}
}
