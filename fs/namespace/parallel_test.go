package namespace

import (
	"context"
	"crypto/md5"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/s3mount/s3mount/fs/entry"
	"github.com/s3mount/s3mount/s3"
)

// hugeKinds are the ways in which the names of large directories are usually made.
var hugeKinds = []struct {
	kind  string
	name  func(i int) string
	extra int // requests more than pages
}{
	{"counter", func(i int) string { return fmt.Sprintf("f%06d", i) }, 2},
	{"counter and suffix", func(i int) string { return fmt.Sprintf("IMG_%08d.jpeg", 4711+i) }, 2},
	{"subdirectories", func(i int) string { return fmt.Sprintf("run-%07d/log", i) }, 2},
	{"hex counter", func(i int) string { return fmt.Sprintf("%05x", i) }, 2},
	{"counter with gaps", gappy(100_000), 8},
	{"counter without zeros", func(i int) string { return fmt.Sprintf("f%d", i) }, 8},
	{"hash", func(i int) string { return fmt.Sprintf("%x", md5.Sum(fmt.Append(nil, i))) }, 4},
	{"hash and suffix", func(i int) string { return fmt.Sprintf("%X.dat", md5.Sum(fmt.Append(nil, i))) }, 4},
}

// gappy returns the names of a counter of which every tenth was deleted.
func gappy(count int) func(i int) string {
	rnd := rand.New(rand.NewPCG(1, 2))
	numbers := make([]int, count)
	for i, v := 0, 0; i < count; v++ {
		if rnd.IntN(10) > 0 {
			numbers[i] = v
			i++
		}
	}
	return func(i int) string { return fmt.Sprintf("f%07d", numbers[i]) }
}

// TestHugeDirectoryInParallel checks that 100,000 names at 20 ms per request are listed
// in a third of the time of a sequential listing, with one request per 1000 names. If
// the ends of pages are not known, there are a few more requests.
func TestHugeDirectoryInParallel(t *testing.T) {
	const count, latency = 100_000, 20 * time.Millisecond
	for _, tc := range hugeKinds {
		synctest.Test(t, func(t *testing.T) {
			s := newListOnly(count, tc.name)
			s.delay = latency
			n := newTest(t, s, func(o *Options) { o.Posix = PosixOff })
			dir := entry.Entry{Key: "dir/", Kind: entry.Directory}
			start := time.Now()
			got := names(t, n.OpenDir(dir))
			took, requests := time.Since(start), s.requests.Load()
			t.Logf("%s: %v, %d requests", tc.kind, took, requests)
			for i, name := range got {
				if want := s.rows[min(i, count-1)]; name != want {
					t.Fatalf("%s: name %d is %q, want %q", tc.kind, i, name, want)
				}
			}
			const pages = count / s3.MaxListKeys
			if len(got) != count || requests > int64(pages+tc.extra) {
				t.Errorf("%s: %d names by %d requests, want %d by %d at most", tc.kind, len(got), requests, count, pages+tc.extra)
			}
			if took > pages*latency/3 {
				t.Errorf("%s: took %v, one page after the other takes %v", tc.kind, took, pages*latency)
			}
			equal(t, "again", len(names(t, n.OpenDir(dir))), count)
			equal(t, "requests of the second listing", s.requests.Load()-requests, 0)
		})
	}
}

// TestSmallDirectoryInOrder checks that small directories, and names whose spacing is
// not known, cost exactly one request per page.
func TestSmallDirectoryInOrder(t *testing.T) {
	for _, tc := range []struct {
		count int
		name  func(i int) string
		pages int64
	}{
		{8000, hugeKinds[0].name, 8},
		{7999, hugeKinds[6].name, 8},
		{10_000, hugeKinds[0].name, 10},
		{10_000, hugeKinds[6].name, 10},
		{12_000, func(i int) string { return fmt.Sprintf("%c", rune(0x4E00+i)) }, 12},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := newListOnly(tc.count, tc.name)
			n := newTest(t, s, func(o *Options) { o.Posix = PosixOff })
			equal(t, "names", len(names(t, n.OpenDir(entry.Entry{Key: "dir/", Kind: entry.Directory}))), tc.count)
			equal(t, fmt.Sprintf("requests of %d names like %q", tc.count, tc.name(0)), s.requests.Load(), tc.pages)
		})
	}
}

// TestVanishedDirectory checks that a directory that is deleted during a walk is empty.
func TestVanishedDirectory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t, "d/s/x", "d/t/y")
		n := newTest(t, f)
		s := at(t, n, "d/s")
		f.server.RemoveObject("b", "d/s/x")
		n.InvalidateAll()
		ls(t, n, "d")
		f.took()
		equal(t, "names", names(t, n.OpenDir(s)), []string{})
		equal(t, "requests", f.took(), "LIST 2")
		key := s.Key + "pending"
		n.AddPending(key, pendingFile{Key: key})
		equal(t, "names that are not in S3 yet", names(t, n.OpenDir(s)), []string{"pending"})
	})
}

// TestListingGoesOn checks that pages that are evicted between two chunks, at a
// position behind a subdirectory or a file, are requested again.
func TestListingGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		for i := range 1500 {
			key := fmt.Sprintf("d/%04d", i)
			if i%2 == 0 {
				key += "/x"
			}
			f.set(key, "x", nil, time.Now())
		}
		n := newTest(t, f)
		for _, every := range []int{1, 3, 256} {
			l := n.OpenDir(entry.Entry{Key: "d/", Kind: entry.Directory})
			for i := range 1500 {
				if i%every == 0 {
					n.InvalidateAll()
				}
				d, ok, err := l.Next(context.Background())
				if err != nil || !ok || d.Name != fmt.Sprintf("%04d", i) {
					t.Fatalf("forgetting every %d: %q, %v, %v, want %04d", every, d.Name, ok, err, i)
				}
			}
			l.Close()
		}
	})
}

// TestListContinuation checks the listing of a continuation directory whose neighbours
// are not cached.
func TestListContinuation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		long := strings.Repeat("s", 300)
		n := newTest(t, newFake(t, long, long+"2", "t"))
		dir := at(t, n, strings.Repeat("s", 252)+"%~+")
		for _, forget := range []bool{true, false} {
			if forget {
				n.InvalidateAll()
			}
			rest := strings.Repeat("s", 48)
			equal(t, "names", names(t, n.OpenDir(dir)), []string{rest, rest + "2"})
		}
	})
}
