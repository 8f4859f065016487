package integration

import (
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/s3mount/s3mount/integration/harness"
)

// TestP4Holes checks that long holes are transferred at most once, and that an upload
// ends with its file.
func TestP4Holes(t *testing.T) {
	t.Parallel()
	run(t, "a hole of some GiB", testLongHole)
	run(t, "removed while it is sent", testRemovedWhileSent)
}

// holeSize is the size of the hole. versitygw writes all its bytes to disk, which
// takes some seconds.
const holeSize = 2 << 30

// testLongHole: the object of a file with a long hole is made by copies inside S3.
func testLongHole(t *testing.T, w *harness.World) {
	m, bucket, proxy := mountOf(t, w)
	f, err := os.Create(m.Path("f"))
	must(t, err)
	_, err = f.WriteAt([]byte("end"), holeSize)
	must(t, err)
	must(t, f.Close())
	f, err = os.Open(m.Path("f"))
	must(t, err)
	end := make([]byte, 8)
	n, err := f.ReadAt(end, holeSize-5)
	if n != 8 || err != nil && err != io.EOF || string(end) != "\x00\x00\x00\x00\x00end" {
		t.Errorf("the file ends with %q, %v", end[:n], err)
	}
	must(t, f.Close())
	if sent, _ := proxy.Bytes(); sent > 64<<20 {
		t.Errorf("%d bytes crossed the network for a hole of %d", sent, int64(holeSize))
	}
	m.Unmount(t) // waits for the delete of the object of zeros
	keys, err := bucket.Keys(w.Context(t), "")
	must(t, err)
	for _, k := range keys {
		if strings.Contains(k, "zeros") {
			t.Errorf("%q is left", k)
		}
	}
}

// testRemovedWhileSent checks that rm of a file with a long upload returns at once, and
// so does a later umount.
func testRemovedWhileSent(t *testing.T, w *harness.World) {
	m, bucket, _ := mountOf(t, w)
	write := exec.CommandContext(w.Context(t), "truncate", "-s", "60G", m.Path("f"))
	must(t, write.Start())
	ctx := w.Context(t)
	for {
		up, err := bucket.Uploads(ctx)
		must(t, err)
		if len(up) > 0 {
			break
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			t.Fatal("no upload was started before the end")
		}
	}
	status := m.Command(t, "status", m.Dir).Out
	if !strings.Contains(status, "60.0 GiB in 1 open file") {
		t.Errorf("status does not show 60 GiB that are unsaved:\n%s", status)
	}
	must(t, write.Process.Kill())
	_ = write.Wait()
	start := time.Now()
	must(t, os.Remove(m.Path("f")))
	m.Unmount(t)
	if d := time.Since(start); d > 30*time.Second {
		t.Errorf("rm and umount took %v", d)
	}
	wantNoObject(t, w, bucket, "f")
	if up, err := bucket.Uploads(ctx); err != nil || len(up) != 0 {
		t.Errorf("uploads %q (%v) are left", up, err)
	}
}
