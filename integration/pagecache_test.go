package integration

import (
	"bytes"
	"os"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/s3mount/s3mount/integration/harness"
	"github.com/s3mount/s3mount/s3/s3test"
)

// TestPageCache checks that the page cache of a file survives its last close while the
// object is unchanged, and is dropped after a change.
func TestPageCache(t *testing.T) {
	t.Parallel()
	run(t, "kept and dropped", func(t *testing.T, w *harness.World) {
		const size = 1 << 20
		srv := s3test.NewServer(t, s3test.Options{Buckets: []string{"b"}})
		first, second := payload(1, size), payload(2, size)
		srv.PutObject("b", "f", first, nil)
		m := w.Mount(t, harness.MountOptions{Endpoint: srv.URL(), Source: "b", Args: []string{"--metadata-ttl", "0s"}})
		path := m.Path("f")
		for _, body := range [][]byte{first, second} {
			if n := pagesOf(t, path, size); n != 0 {
				t.Errorf("%d pages before anything was read of this version", n)
			}
			got, err := os.ReadFile(path)
			must(t, err)
			if !bytes.Equal(got, body) {
				t.Fatal("other bytes")
			}
			if n, all := pagesOf(t, path, size), size/os.Getpagesize(); n != all {
				t.Errorf("%d pages of %d were kept for the next open", n, all)
			}
			srv.PutObject("b", "f", second, nil)
		}
	})
}

// pagesOf opens a file and returns how many of its pages the kernel has then
// (mincore(2)).
func pagesOf(t *testing.T, path string, size int) (n int) {
	f, err := os.Open(path)
	must(t, err)
	defer f.Close()
	b, err := unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ, unix.MAP_SHARED)
	must(t, err)
	defer func() { must(t, unix.Munmap(b)) }()
	vec := make([]byte, size/os.Getpagesize())
	_, _, errno := unix.Syscall(unix.SYS_MINCORE, uintptr(unsafe.Pointer(&b[0])), uintptr(size), uintptr(unsafe.Pointer(&vec[0])))
	if errno != 0 {
		t.Fatalf("mincore: %v", errno)
	}
	for _, v := range vec {
		n += int(v & 1)
	}
	return n
}
