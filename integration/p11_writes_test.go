package integration

import (
	"bytes"
	"crypto/md5" //nolint:gosec // an S3 ETag is an MD5
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/s3mount/s3mount/integration/harness"
	"github.com/s3mount/s3mount/s3/s3test"
)

// TestP11Writes checks the memory of writes.
func TestP11Writes(t *testing.T) {
	t.Parallel()
	t.Run("one very large file", func(t *testing.T) {
		harness.Run(t, harness.Config{Timeout: 20 * time.Minute}, testLargeWrite)
	})
}

// testLargeWrite copies 20 GiB, with S3MOUNT_FULL=1, in a process of 256 MiB,
// and otherwise so much that the limit is met many times. The zeros take no
// memory in the server, and their ETag is known; what S3 has of the file before
// the last part lies in the spool, on the disk of the temporary directory.
func testLargeWrite(t *testing.T, w *harness.World) {
	size, limit := int64(320<<20), int64(64<<20)
	if os.Getenv("S3MOUNT_FULL") != "" {
		size, limit = 20<<30, 192<<20
	}
	srv := s3test.NewServer(t, s3test.Options{Buckets: []string{"b"}})
	m := w.Mount(t, harness.MountOptions{Endpoint: srv.URL(), Source: "b", Args: []string{"--memory-limit", fmt.Sprint(limit)}})
	start := time.Now()
	w.Sh(t, m.Dir, `dd if=/dev/zero of=big bs=1M count="$1" status=none`, fmt.Sprint(size>>20))
	t.Logf("%d MiB in %v", size>>20, time.Since(start).Round(time.Second))
	if got, want := srv.ETag("b", "big"), etagOfZeros(size); got != want {
		t.Errorf("the object's ETag is %s, want %s", got, want)
	}
	wantMemory(t, m, limit+overhead)
	m.Unmount(t)
	if n := srv.Uploads("b"); n != 0 {
		t.Errorf("%d uploads are left", n)
	}
}

// etagOfZeros is the ETag that S3 gives to size zeros in the parts of s3mount:
// 900 of 8 MiB, 900 of twice as much, and so on.
func etagOfZeros(size int64) string {
	const first, growEvery = 8 << 20, 900
	all := md5.New() //nolint:gosec // see above
	sums := map[int64][]byte{}
	n := int64(0)
	for left := size; left > 0; n++ {
		part := min(int64(first)<<(n/growEvery), left)
		if sums[part] == nil {
			sum := md5.Sum(bytes.Repeat([]byte{0}, int(part))) //nolint:gosec // see above
			sums[part] = sum[:]
		}
		_, _ = all.Write(sums[part]) // never fails
		left -= part
	}
	return fmt.Sprintf(`"%x-%d"`, all.Sum(nil), n)
}
