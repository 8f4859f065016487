package namespace

import (
	"context"
	"crypto/md5"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/s3mount/s3mount/fs/entry"
	"github.com/s3mount/s3mount/s3"
)

// listOnly is a Store that answers listings of one large directory, "dir/",
// without a server.
type listOnly struct {
	Store
	rows     []string // in the order of keys; those of subdirectories end in "/"
	delay    time.Duration
	requests *atomic.Int64
}

// newListOnly makes count names of a kind.
func newListOnly(count int, name func(i int) string) listOnly {
	s := listOnly{requests: new(atomic.Int64)}
	for i := range count {
		rel, _, isDir := strings.Cut(name(i), "/")
		if isDir {
			rel += "/"
		}
		s.rows = append(s.rows, rel)
	}
	slices.Sort(s.rows)
	return s
}

// usualName is a name of 40 bytes.
func usualName(i int) string { return fmt.Sprintf("%040d", i) }

func (s listOnly) Ls(_ context.Context, in *s3.LsInput) (*s3.LsPage, error) {
	const dir = "dir/"
	page := &s3.LsPage{}
	if in.Prefix != dir {
		return page, nil
	}
	s.requests.Add(1)
	time.Sleep(s.delay)
	after := strings.TrimPrefix(max(in.StartAfter, in.ContinuationToken), dir)
	first, found := slices.BinarySearch(s.rows, after)
	if found {
		first++
	}
	limit := in.MaxKeys
	if limit == 0 {
		limit = s3.MaxListKeys
	}
	last := min(first+limit, len(s.rows))
	for i, rel := range s.rows[first:last] {
		if strings.HasSuffix(rel, "/") {
			page.CommonPrefixes = append(page.CommonPrefixes, dir+rel)
			continue
		}
		page.Objects = append(page.Objects, s3.ListedObject{
			Key: dir + rel, Size: int64(first + i), LastModified: time.Unix(1_600_000_000, 0),
			ETag: fmt.Sprintf("%q", fmt.Sprintf("%x", md5.Sum([]byte(rel)))),
		})
	}
	if last < len(s.rows) {
		page.NextToken = dir + s.rows[last-1]
		if strings.HasSuffix(page.NextToken, "/") {
			page.NextToken += "\U0010FFFF"
		}
	}
	return page, nil
}

// BenchmarkBytesPerEntry measures the memory of a listed name of 40 bytes: 105
// bytes on the heap, of which the cache counts 97.
func BenchmarkBytesPerEntry(b *testing.B) {
	const count = 200_000
	s := newListOnly(count, usualName)
	for b.Loop() {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		n, err := New(s, listingOptions())
		if err != nil {
			b.Fatal(err)
		}
		listAll(b, n, count)
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/count, "B/entry")
		b.ReportMetric(float64(n.Stats().Bytes)/count, "counted-B/entry")
		n.Close()
	}
}

// BenchmarkWarmListing measures reading a directory that is in the cache.
func BenchmarkWarmListing(b *testing.B) {
	const count = 100_000
	n, err := New(newListOnly(count, usualName), listingOptions())
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
	n, err := New(newListOnly(count, usualName), listingOptions())
	if err != nil {
		b.Fatal(err)
	}
	defer n.Close()
	listAll(b, n, count)
	dir := entry.Entry{Key: "dir/", Kind: entry.Directory}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		i = (i + 7919) % count
		if _, err := n.Lookup(context.Background(), dir, fmt.Sprintf("%040d", i)); err != nil {
			b.Fatal(err)
		}
	}
}

// TestMillionEntries checks that a million names of 40 bytes fit into half of the
// default --memory-limit, which fs allows for names. It extrapolates from a tenth of
// them. BenchmarkBytesPerEntry shows that the cache measures its memory correctly.
func TestMillionEntries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const count = 100_000
		n := newTest(t, newListOnly(count, usualName), func(o *Options) { o.Posix, o.MemoryLimit = PosixOff, 128<<20 })
		listAll(t, n, count)
		if each, room := n.Stats().Bytes/count, n.o.MemoryLimit*3/4/1_000_000; each > room || each > 300 {
			t.Errorf("an entry takes %d bytes, there are %d for each of a million", each, room)
		}
	})
}

// BenchmarkHugeDirectory measures listing 100,000 names at 20 ms per request,
// as a part of the time that one page after the other takes. On two cores,
// medians of 3: counters 0.25 with 102 requests, hashes 0.27 with 104, counters
// with gaps 0.32 with 106. TestHugeDirectoryInParallel holds the waiting alone,
// without the work, below a third.
func BenchmarkHugeDirectory(b *testing.B) {
	const count = 100_000
	for _, tc := range hugeKinds {
		b.Run(strings.ReplaceAll(tc.kind, " ", "-"), func(b *testing.B) {
			s := newListOnly(count, tc.name)
			s.delay = 20 * time.Millisecond
			for b.Loop() {
				n, err := New(s, listingOptions())
				if err != nil {
					b.Fatal(err)
				}
				start := time.Now()
				for in := (&s3.LsInput{Prefix: "dir/", Delimiter: "/"}); ; {
					page, _ := s.Ls(context.Background(), in)
					if in.ContinuationToken = page.NextToken; page.NextToken == "" {
						break
					}
				}
				alone := time.Since(start)
				s.requests.Store(0)
				start = time.Now()
				listAll(b, n, count)
				b.ReportMetric(float64(time.Since(start))/float64(alone), "of-sequential")
				b.ReportMetric(float64(s.requests.Load()), "requests")
				n.Close()
			}
		})
	}
}

func listAll(b testing.TB, n *Namespace, want int) {
	b.Helper()
	l := n.OpenDir(entry.Entry{Key: "dir/", Kind: entry.Directory})
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

// listingOptions are options that read no attributes.
func listingOptions() Options {
	o := DefaultOptions()
	o.Bucket, o.Posix = "b", PosixOff
	return o
}
