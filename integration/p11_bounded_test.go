package integration

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/s3mount/s3mount/integration/harness"
	"github.com/s3mount/s3mount/s3/s3test"
)

// TestP11Bounded checks that memory and connections stay within their limits, and that
// every caller makes progress.
func TestP11Bounded(t *testing.T) {
	t.Parallel()
	run(t, "memory", testMemoryBound)
	run(t, "connections", testConnectionBound)
	run(t, "many files", testManyFiles)
}

// overhead is the memory that the process may need in addition to --memory-limit.
const overhead = 64 << 20

func testMemoryBound(t *testing.T, w *harness.World) {
	const limit, size, readers, writers = 64 << 20, 96 << 20, 4, 2
	srv := s3test.NewServer(t, s3test.Options{Buckets: []string{"b"}})
	pattern := payload(1, 1<<20)
	for i := range readers {
		srv.PutRepeated("b", fmt.Sprintf("r%d", i), pattern, size, nil)
	}
	m := w.Mount(t, harness.MountOptions{Endpoint: srv.URL(), Source: "b", Args: []string{"--memory-limit", "64MiB"}})
	var g errgroup.Group
	for i := range readers {
		g.Go(func() error { return readPattern(m.Path(fmt.Sprintf("r%d", i)), pattern, size) })
	}
	for i := range writers {
		g.Go(func() error { return writePattern(m.Path(fmt.Sprintf("w%d", i)), pattern, size) })
	}
	must(t, g.Wait())
	for i := range writers {
		must(t, readPattern(m.Path(fmt.Sprintf("w%d", i)), pattern, size))
	}
	wantMemory(t, m, limit+overhead)
}

// firstNames returns the first n lines of ls of the directory d, and then kills ls. ls
// would notice the closed pipe only at its next write.
func firstNames(t *testing.T, w *harness.World, m *harness.Mount, n int) string {
	t.Helper()
	return w.Sh(t, m.Dir, `coproc ls -f d; head -n "$1" <&"${COPROC[0]}"; kill "$COPROC_PID"; wait "$COPROC_PID" || true`, fmt.Sprint(n))
}

func wantMemory(t *testing.T, m *harness.Mount, most int64) {
	t.Helper()
	peak, err := harness.MemoryPeak(m.PID())
	must(t, err)
	t.Logf("peak %d MiB, allowed %d MiB", peak>>20, most>>20)
	if harness.Race() {
		return // the race detector needs five to ten times the memory
	}
	if peak > most {
		t.Errorf("s3mount took %d MiB of memory, want at most %d MiB", peak>>20, most>>20)
	}
}

func writePattern(path string, pattern []byte, size int) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	for n := 0; n < size; n += len(pattern) {
		if _, err := f.Write(pattern); err != nil {
			return err
		}
	}
	return f.Close()
}

func readPattern(path string, pattern []byte, size int) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	b := make([]byte, len(pattern))
	for n := 0; n < size; n += len(pattern) {
		if _, err := io.ReadFull(f, b); err != nil {
			return fmt.Errorf("%s at %d: %w", path, n, err)
		}
		if !bytes.Equal(b, pattern) {
			return fmt.Errorf("%s: other bytes at %d", path, n+firstDiff(b, pattern))
		}
	}
	return nil
}

func testConnectionBound(t *testing.T, w *harness.World) {
	m, bucket, proxy := mountOf(t, w, "--connections", "4")
	proxy.SetShape(harness.Shape{Latency: 20 * time.Millisecond})
	body := payload(1, 24<<20)
	must(t, bucket.Put(w.Context(t), "f", body, nil))
	var g errgroup.Group
	for i := range 6 {
		g.Go(func() error { _, err := readOpen(m.Path("f")); return err })
		g.Go(func() error { return os.WriteFile(m.Path(fmt.Sprintf("w%d", i)), body, 0o644) })
		g.Go(func() error { return os.Mkdir(m.Path(fmt.Sprintf("d%d", i)), 0o755) })
	}
	must(t, g.Wait())
	// "For reading and writing each", and a few for everything that carries no data.
	if n := proxy.MaxConns(); n > 4+4+8 {
		t.Errorf("%d connections at one time", n)
	}
}

// testManyFiles: a directory of 100,000 is answered from its first page, can be
// read whole at a page per 1000, and memory does not grow with it.
func testManyFiles(t *testing.T, w *harness.World) {
	const n = 100_000
	// The files are a day old, so that their listing is trusted longer than the test
	// takes. Names that the kernel has forgotten then need no request.
	var age atomic.Int64
	age.Store(int64(24 * time.Hour))
	srv := s3test.NewServer(t, s3test.Options{Buckets: []string{"b"}, Now: func() time.Time { return time.Now().Add(-time.Duration(age.Load())) }})
	srv.SeedN("b", "d/%06d", n, []byte("x"))
	age.Store(0)
	proxy := w.ProxyOn(t, srv.URL(), harness.Shape{Latency: 5 * time.Millisecond})
	m := w.Mount(t, harness.MountOptions{Endpoint: proxy.URL, Source: "b", Args: []string{"--memory-limit", "64MiB"}})
	proxy.Reset()
	// All but the first page comes never.
	proxy.Inject(harness.Fault{Delay: time.Hour, Match: func(r *harness.Request) bool {
		return r.Kind == harness.List && (r.Query.Get("continuation-token") != "" || r.Query.Get("start-after") > "d/000999")
	}})
	if out := firstNames(t, w, m, 10); strings.Count(out, "\n") != 10 {
		t.Errorf("ls -f | head gave %q", out)
	}
	if c := proxy.Counts(); c[harness.List] > 20 || c.Total() > c[harness.List]+2 {
		t.Errorf("the first names of %d cost %v", n, c)
	}
	proxy.Heal()
	proxy.CloseConnections()
	proxy.Reset()
	if out := w.Sh(t, m.Dir, "ls -l --time-style=+ d | tail -n +2 | awk '{n += $5} END {print NR, n}'"); out != "100000 100000\n" {
		t.Errorf("ls -l gave %q", out)
	}
	if c := proxy.Counts(); c.Total() > n/1000+8 {
		t.Errorf("ls -l of %d cost %v, want a LIST per 1000", n, c)
	}
	wantMemory(t, m, 64<<20+overhead+overhead) // inodes that the kernel holds are beside the limit
}
