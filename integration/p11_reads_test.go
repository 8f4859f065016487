package integration

import (
	"bytes"
	"fmt"
	"os"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/s3mount/s3mount/integration/harness"
	"github.com/s3mount/s3mount/s3/s3test"
)

// TestP11Reads checks the memory of reads.
func TestP11Reads(t *testing.T) {
	t.Parallel()
	run(t, "many small files", testSmallReads)
	for _, limit := range []int64{64, 256} {
		t.Run(fmt.Sprintf("eight large files, %d MiB", limit), func(t *testing.T) {
			harness.Run(t, harness.Config{Timeout: 5 * time.Minute}, func(t *testing.T, w *harness.World) { testLargeReads(t, w, limit) })
		})
	}
}

// testSmallReads reads 10,000 small files one by one with the limits that a
// mount has when nothing is said.
func testSmallReads(t *testing.T, w *harness.World) {
	const files = 10_000
	srv := s3test.NewServer(t, s3test.Options{Buckets: []string{"b"}})
	body := payload(1, 4096)
	srv.SeedN("b", "d/%05d", files, body)
	m := w.Mount(t, harness.MountOptions{Endpoint: srv.URL(), Source: "b"})
	for i := range files {
		got, err := readOpen(m.Path(fmt.Sprintf("d/%05d", i)))
		must(t, err)
		if !bytes.Equal(got, body) {
			t.Fatalf("file %d has other bytes", i)
		}
	}
	wantMemory(t, m, 64<<20)
}

// fullSize makes the large files as large as they are in the promise, 1 GiB: with
// S3MOUNT_FULL=1 in the environment. Otherwise they are so large that all limits
// are met many times.
func fullSize() int {
	if os.Getenv("S3MOUNT_FULL") != "" {
		return 1 << 30
	}
	return 192 << 20
}

// testLargeReads reads eight large files at once: all of them end, and memory
// stays within the limit.
func testLargeReads(t *testing.T, w *harness.World, limit int64) {
	const readers = 8
	srv := s3test.NewServer(t, s3test.Options{Buckets: []string{"b"}})
	pattern := payload(1, 1<<20)
	for i := range readers {
		srv.PutRepeated("b", fmt.Sprintf("r%d", i), pattern, int64(fullSize()), nil)
	}
	m := w.Mount(t, harness.MountOptions{Endpoint: srv.URL(), Source: "b", Args: []string{"--memory-limit", fmt.Sprintf("%dMiB", limit)}})
	var g errgroup.Group
	for i := range readers {
		g.Go(func() error { return readPattern(m.Path(fmt.Sprintf("r%d", i)), pattern, fullSize()) })
	}
	must(t, g.Wait())
	wantMemory(t, m, limit<<20+overhead)
}
