package integration

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/s3mount/s3mount/integration/harness"
)

// TestOverlay shows that an overlayfs of the kernel on top of a mount is a writable layer
// that leaves the bucket unchanged.
func TestOverlay(t *testing.T) {
	t.Parallel()
	run(t, "overlayfs", func(t *testing.T, w *harness.World) {
		if os.Geteuid() != 0 {
			t.Skip("only root mounts an overlayfs")
		}
		bucket := w.Bucket(t)
		ctx := w.Context(t)
		for key, body := range map[string]string{"d/changed": "from S3", "d/removed": "from S3", "kept": "from S3"} {
			must(t, bucket.Put(ctx, key, []byte(body), nil))
		}
		m := w.Mount(t, harness.MountOptions{Endpoint: w.Endpoint, Source: bucket.Bucket, Args: []string{"--read-only"}})
		upper, merged := w.Dir(t, "upper"), w.Dir(t, "merged")
		must(t, unix.Mount("tmpfs", upper, "tmpfs", 0, "")) // the work directory may be on another overlayfs
		t.Cleanup(func() { must(t, unix.Unmount(upper, unix.MNT_DETACH)) })
		layer, work := filepath.Join(upper, "layer"), filepath.Join(upper, "work")
		must(t, os.Mkdir(layer, 0o755))
		must(t, os.Mkdir(work, 0o755))
		must(t, unix.Mount("overlay", merged, "overlay", 0, "lowerdir="+m.Dir+",upperdir="+layer+",workdir="+work))
		t.Cleanup(func() { must(t, unix.Unmount(merged, unix.MNT_DETACH)) })

		f, err := os.OpenFile(filepath.Join(merged, "d/changed"), os.O_APPEND|os.O_WRONLY, 0)
		must(t, err)
		_, err = f.WriteString(", and here")
		must(t, err)
		must(t, f.Close())
		must(t, os.Remove(filepath.Join(merged, "d/removed")))
		must(t, os.WriteFile(filepath.Join(merged, "new"), []byte("new"), 0o644))
		for file, want := range map[string]string{"d/changed": "from S3, and here", "kept": "from S3", "new": "new"} {
			if got, err := os.ReadFile(filepath.Join(merged, file)); err != nil || string(got) != want {
				t.Errorf("%s in the overlay: %q, %v", file, got, err)
			}
		}
		if _, err := os.Stat(filepath.Join(merged, "d/removed")); !os.IsNotExist(err) {
			t.Errorf("the removed file is there: %v", err)
		}
		for _, key := range []string{"d/changed", "d/removed", "kept"} {
			wantObject(t, w, bucket, key, []byte("from S3"))
		}
		wantNoObject(t, w, bucket, "new")
	})
}
