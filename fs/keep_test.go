package fs

import (
	"strings"
	"syscall"
	"testing"

	"github.com/s3mount/s3mount/cache"
)

// TestOwnBytesStay checks that data that this mount wrote are read back with a
// revalidation only (P2).
func TestOwnBytesStay(t *testing.T) {
	for _, size := range []int{1, cache.BlockSize, 3*cache.BlockSize + 1, cache.SmallObject} {
		k := newKernel(t)
		text := strings.Repeat("x", size)
		k.put("f", text)
		if got := k.cat("f"); got != text {
			t.Fatalf("read %d bytes, want %d", len(got), size)
		}
		if n := k.f.reads.Stats().Fetched; n != 0 {
			t.Errorf("%d bytes of %d were fetched", n, size)
		}
		if n := k.requests("GetObject"); n != 1 {
			t.Errorf("%d GETs, want 1", n)
		}
		k.srv.PutObject(testBucket, "f", []byte("theirs"), nil)
		if got := k.cat("f"); got != "theirs" {
			t.Errorf("read %.10q after another wrote it", got)
		}
		// The next version of this mount is another one.
		fh := k.openFile("f", syscall.O_WRONLY|syscall.O_TRUNC)
		k.write(fh, 0, "ours")
		k.close(fh)
		if got := k.cat("f"); got != "ours" {
			t.Errorf("read %q after this mount wrote it", got)
		}
	}
}
