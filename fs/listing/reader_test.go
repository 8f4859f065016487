package listing

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/s3mount/s3mount/fs/background"
	"github.com/s3mount/s3mount/s3/s3test"
)

// testOptions are options of a bucket "b".
func testOptions() Options {
	return Options{Bucket: "b", TTL: time.Minute, MemoryLimit: 8 << 20}
}

// rels returns the rows that a Reader reads in the root.
func rels(t *testing.T, f *Fetcher) []string {
	t.Helper()
	r := NewReader(f, NewWalks(""), "", "")
	defer r.Close()
	r.Rewind()
	var out []string
	for !r.End() {
		chunk, ok := r.Take(nil)
		if !ok {
			if _, err := r.Ask(t.Context()); err != nil {
				t.Fatal(err)
			}
			continue
		}
		for _, row := range chunk.Rows {
			out = append(out, row.Rel)
		}
	}
	return out
}

// A page that is split behind a subdirectory leaves a gap when its second half is
// dropped. A Reader lists the gap anew.
func TestReadAfterSplit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := s3test.NewServer(t, s3test.Options{InMemory: true, Buckets: []string{"b"}})
		for _, key := range []string{"a/x", "b/y", "c/z", "d/w"} {
			server.PutObject("b", key, []byte("x"), nil)
		}
		jobs := background.NewGroup()
		defer jobs.Close()
		c := NewCache(testOptions())
		f := NewFetcher(server.Client(), c, jobs)
		want := rels(t, f)
		c.mu.Lock()
		p := c.pages.at("", "a/")
		c.pages.change(p, func() { c.pages.insert(p.splitHalf()) })
		c.pages.drop(c.pages.at("", "c/"))
		c.mu.Unlock()
		if got := rels(t, f); !slices.Equal(got, want) {
			t.Errorf("a Reader has the rows %q, want %q", got, want)
		}
	})
}
