package fs

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/s3mount/s3mount/s3/s3test"
)

// event is one access to the shared file in a history: from before its open to
// after its close, by a clock that all share.
type event struct {
	mount      int
	begin, end int64
	read       []string // the updates that it saw
	update     string   // what it added; "" for a reader
	ok         bool     // it was told that it succeeded
}

// checkHistory returns what a history of updates by "read all, add one line,
// close" has that close-to-open with no lost update cannot have (P2, P3). last
// is the content at the end.
func checkHistory(events []event, last []string) []string {
	var bad []string
	at := map[string]int{}
	for i, u := range last {
		if _, twice := at[u]; twice {
			bad = append(bad, fmt.Sprintf("update %s is there twice", u))
		}
		at[u] = i
	}
	for _, e := range events {
		if _, kept := at[e.update]; e.ok && e.update != "" && !kept {
			bad = append(bad, fmt.Sprintf("lost update: %s", e.update))
		}
		if i, kept := at[e.update]; kept && e.update != "" && !slices.Equal(e.read, last[:i]) {
			bad = append(bad, fmt.Sprintf("update %s was built on %v, and follows %v", e.update, e.read, last[:i]))
		}
		if len(e.read) > len(last) || !slices.Equal(e.read, last[:len(e.read)]) {
			bad = append(bad, fmt.Sprintf("mount %d read %v, which never was", e.mount, e.read))
			continue
		}
		for _, w := range events {
			if i, kept := at[w.update]; w.ok && w.update != "" && kept && w.end < e.begin && i >= len(e.read) {
				bad = append(bad, fmt.Sprintf("mount %d opened after %s was closed, and did not see it", e.mount, w.update))
			}
		}
	}
	return bad
}

// TestCheckHistory checks that the checker finds violations.
func TestCheckHistory(t *testing.T) {
	for name, tc := range map[string]struct {
		events []event
		last   []string
		want   int
	}{
		"good":            {[]event{{end: 1, update: "a", ok: true}, {begin: 2, end: 3, read: []string{"a"}, update: "b", ok: true}}, []string{"a", "b"}, 0},
		"refused":         {[]event{{end: 2, update: "a", ok: true}, {begin: 1, end: 3, update: "b"}}, []string{"a"}, 0},
		"lost":            {[]event{{end: 2, update: "a", ok: true}, {begin: 1, end: 3, update: "b", ok: true}}, []string{"b"}, 1},
		"stale":           {[]event{{end: 1, update: "a", ok: true}, {begin: 2, end: 3}}, []string{"a"}, 1},
		"never was":       {[]event{{end: 3, read: []string{"x"}}}, nil, 1},
		"built on others": {[]event{{end: 1, update: "a", ok: true}, {begin: 0, end: 3, update: "b", ok: true}}, []string{"a", "b"}, 1},
		"twice":           {[]event{{end: 1, update: "a", ok: true}}, []string{"a", "a"}, 2},
	} {
		if got := checkHistory(tc.events, tc.last); len(got) != tc.want {
			t.Errorf("%s: %q, want %d findings", name, got, tc.want)
		}
	}
}

// history runs updates and reads of one file.
type history struct {
	clock  atomic.Int64
	mu     sync.Mutex
	events []event
}

// A failed open is not an event.
func (h *history) access(k *kernel, mount int, update string) {
	flags := uint32(syscall.O_RDONLY)
	if update != "" {
		flags = syscall.O_RDWR
	}
	e := event{mount: mount, begin: h.clock.Add(1), update: update}
	fh, st := k.tryOpen("shared", flags)
	if st != fuse.OK {
		return
	}
	defer k.release(fh)
	text, st := k.tryRead(fh, 0, 1<<20)
	if st != fuse.OK {
		return
	}
	e.read = strings.Fields(text)
	if update != "" {
		in := &fuse.WriteIn{InHeader: header(k.open[fh]), Fh: fh, Offset: uint64(len(text))}
		if _, st = k.f.Write(nil, in, []byte(update+"\n")); st == fuse.OK {
			st = k.flush(fh)
		}
	}
	e.ok = st == fuse.OK
	e.end = h.clock.Add(1)
	h.mu.Lock()
	h.events = append(h.events, e)
	h.mu.Unlock()
}

// TestHistory checks that two mounts that update one file at the same time have a
// history without lost updates and stale opens.
func TestHistory(t *testing.T) {
	const mounts, rounds = 3, 40
	srv := s3test.NewServer(t, s3test.Options{Buckets: []string{testBucket}})
	srv.PutObject(testBucket, "shared", nil, nil)
	h := &history{}
	var wg sync.WaitGroup
	kernels := make([]*kernel, mounts)
	for i := range kernels {
		kernels[i] = remount(t, srv, func(o *Options) { o.Posix, o.MetadataTTL = "off", 0 })
	}
	for i, k := range kernels {
		wg.Go(func() {
			for r := range rounds {
				update := ""
				if r%3 != 2 {
					update = fmt.Sprintf("%d.%d", i, r)
				}
				h.access(k, i, update)
			}
		})
	}
	wg.Wait()
	body, _, _ := srv.Object(testBucket, "shared")
	last := strings.Fields(string(body))
	for _, bad := range checkHistory(h.events, last) {
		t.Error(bad)
	}
	if len(last) == 0 {
		t.Error("no update got through")
	}
}
