package namespace

import (
	"context"
	"crypto/md5"
	"fmt"
	"runtime"
	"sort"
	"testing"
	"time"

	"github.com/s3mount/s3mount/s3"
)

// listOnly is a Store that answers listings of one large directory of names
// of 40 bytes without a server.
type listOnly struct {
	Store
	count int
}

func (s listOnly) Ls(_ context.Context, in *s3.LsInput) (*s3.LsPage, error) {
	const dir = "dir/"
	page := &s3.LsPage{}
	if in.Prefix != dir {
		return page, nil
	}
	key := func(i int) string { return fmt.Sprintf("%s%040d", dir, i) }
	first := sort.Search(s.count, func(i int) bool { return key(i) > in.StartAfter })
	limit := in.MaxKeys
	if limit == 0 {
		limit = s3.MaxListKeys
	}
	for i := first; i < min(first+limit, s.count); i++ {
		page.Objects = append(page.Objects, s3.ListedObject{
			Key: key(i), Size: int64(i), LastModified: time.Unix(1_600_000_000, 0),
			ETag: fmt.Sprintf("%q", fmt.Sprintf("%x", md5.Sum(fmt.Append(nil, i)))),
		})
	}
	if first+limit < s.count {
		page.NextToken = "more"
	}
	return page, nil
}

// BenchmarkBytesPerEntry measures the memory of a listed name of 40 bytes.
func BenchmarkBytesPerEntry(b *testing.B) {
	const count = 200_000
	for b.Loop() {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		n, err := New(listOnly{count: count}, Options{Bucket: "b", Posix: PosixOff})
		if err != nil {
			b.Fatal(err)
		}
		listAll(b, n, count)
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/count, "B/entry")
		n.mu.Lock()
		b.ReportMetric(float64(n.pages.Bytes())/count, "counted-B/entry")
		n.mu.Unlock()
		n.Close()
	}
}

// BenchmarkWarmListing measures reading a directory that is in the cache.
func BenchmarkWarmListing(b *testing.B) {
	const count = 100_000
	n, err := New(listOnly{count: count}, Options{Bucket: "b", Posix: PosixOff})
	if err != nil {
		b.Fatal(err)
	}
	defer n.Close()
	listAll(b, n, count)
	b.ReportAllocs()
	for b.Loop() {
		listAll(b, n, count)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/count, "ns/entry")
}

// BenchmarkLookupListed measures lookups that a listing answers.
func BenchmarkLookupListed(b *testing.B) {
	const count = 100_000
	n, err := New(listOnly{count: count}, Options{Bucket: "b", Posix: PosixOff})
	if err != nil {
		b.Fatal(err)
	}
	defer n.Close()
	listAll(b, n, count)
	dir := Entry{Key: "dir/", Kind: Directory}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		i = (i + 7919) % count
		if _, err := n.Lookup(context.Background(), dir, fmt.Sprintf("%040d", i)); err != nil {
			b.Fatal(err)
		}
	}
}

func listAll(b *testing.B, n *Namespace, want int) {
	b.Helper()
	l := n.OpenDir(Entry{Key: "dir/", Kind: Directory})
	defer l.Close()
	got := 0
	for {
		_, ok, err := l.Next(context.Background())
		if err != nil {
			b.Fatal(err)
		}
		if !ok {
			break
		}
		got++
	}
	if got != want {
		b.Fatalf("%d names, want %d", got, want)
	}
}
