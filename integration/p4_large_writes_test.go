package integration

import (
	"bytes"
	"io"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/s3mount/s3mount/integration/harness"
)

// TestP4LargeWrites checks writes beyond the memory limit, and the removal of abandoned
// uploads.
func TestP4LargeWrites(t *testing.T) {
	t.Parallel()
	t.Run("full disk", func(t *testing.T) {
		harness.Run(t, harness.Config{NeedRoot: true}, testFullDisk)
	})
	run(t, "killed", testKilledStream)
}

// testFullDisk checks writes on a full disk. A file without a name, which cannot be
// uploaded, gets ENOSPC and keeps its data. Writes to other files succeed, because
// their data go to S3.
func testFullDisk(t *testing.T, w *harness.World) {
	disk := w.Dir(t, "disk")
	must(t, syscall.Mount("tmpfs", disk, "tmpfs", 0, "mode=0700,size=16m"))
	t.Cleanup(func() { must(t, syscall.Unmount(disk, syscall.MNT_DETACH)) })
	bucket := w.Bucket(t)
	m := w.Mount(t, harness.MountOptions{Endpoint: w.Endpoint, Source: bucket.Bucket,
		Args: []string{"--memory-limit", "32MiB", "--spool-dir", disk}})

	f, err := os.Create(m.Path("nameless"))
	must(t, err)
	must(t, os.Remove(m.Path("nameless")))
	var want []byte
	for i := 0; err == nil; i++ {
		p := payload(i, 1<<20)
		if _, err = f.Write(p); err == nil {
			want = append(want, p...)
		}
		if len(want) > 256<<20 {
			t.Fatal("memory and disk never end")
		}
	}
	wantErrno(t, "a write to a full disk", err, syscall.ENOSPC)
	got := make([]byte, len(want))
	_, err = io.ReadFull(io.NewSectionReader(f, 0, int64(len(got))), got)
	must(t, err)
	if !bytes.Equal(got, want) {
		t.Errorf("of %d bytes those from %d on are others", len(want), firstDiff(got, want))
	}
	must(t, f.Close())

	body := payload(1, 100<<20)
	must(t, os.WriteFile(m.Path("named"), body, 0o644))
	wantObject(t, w, bucket, "named", body)
	m.Unmount(t)
}

// testKilledStream: the upload of a process that was killed is aborted by the
// next mount.
func testKilledStream(t *testing.T, w *harness.World) {
	m, bucket, proxy := mountOf(t, w)
	f, err := os.Create(m.Path("f"))
	must(t, err)
	defer f.Close()
	_, err = f.Write(payload(1, 20<<20))
	must(t, err)
	ctx := w.Context(t)
	for proxy.Counts()[harness.Part] == 0 {
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			t.Fatal("no part was sent before the end")
		}
	}
	m.Kill(t)
	if up, err := bucket.Uploads(ctx); err != nil || len(up) != 1 {
		t.Fatalf("the killed process left %q (%v), want one upload", up, err)
	}
	m = m.Again(t)
	for {
		up, err := bucket.Uploads(ctx)
		must(t, err)
		if len(up) == 0 {
			break
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			t.Fatalf("the next mount has not aborted %q", up)
		}
	}
	m.Unmount(t)
	wantNoObject(t, w, bucket, "f")
}
