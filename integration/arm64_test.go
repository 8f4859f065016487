package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/s3mount/s3mount/integration/harness"
)

// TestArm64 runs the program for arm64 on another machine, by QEMU's user mode:
// a mount, small and large files, and an end with everything in S3.
func TestArm64(t *testing.T) {
	t.Parallel()
	t.Run("qemu", func(t *testing.T) {
		// The program for arm64 is built from source the first time.
		harness.Run(t, harness.Config{Timeout: 12 * time.Minute}, testArm64)
	})
}

func testArm64(t *testing.T, w *harness.World) {
	const qemu = "qemu-aarch64-static"
	if runtime.GOARCH == "arm64" {
		t.Skip("this is arm64: all other tests are about it")
	}
	harness.Need(t, qemu)
	mod, err := harness.ModuleDir()
	must(t, err)
	bin := filepath.Join(w.Work, "arm64")
	cmd := exec.CommandContext(w.Context(t), "go", "build", "-trimpath", "-o", bin, "./cmd/s3mount")
	cmd.Dir = filepath.Dir(mod)
	// With HOME in the work dir Go would use a new build cache.
	cmd.Env = append(os.Environ(), "GOARCH=arm64", "CGO_ENABLED=0", "HOME="+os.Getenv(harness.EnvHome))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build for arm64: %v\n%s", err, out)
	}
	if r := w.Exec(t, nil, qemu, bin, "--version"); r.Code != 0 || !strings.Contains(r.Out, "linux/arm64") {
		t.Fatalf("--version ended with %d: %s", r.Code, r.Out)
	}
	if r := w.Exec(t, nil, qemu, bin, "--help"); r.Code != 0 || !strings.HasPrefix(r.Out, "s3mount mounts an S3 bucket") {
		t.Fatalf("--help ended with %d: %s", r.Code, r.Out)
	}
	native := w.Binary
	w.Binary = filepath.Join(w.Work, "s3mount-arm64")
	must(t, os.WriteFile(w.Binary, []byte("#!/bin/sh\nexec "+qemu+" "+bin+" \"$@\"\n"), 0o755))
	bucket := w.Bucket(t)
	must(t, bucket.Put(w.Context(t), "d/f", []byte("in S3\n"), nil))
	m := w.Mount(t, harness.MountOptions{Endpoint: w.Endpoint, Source: bucket.Bucket})
	w.Binary = native
	large := payload(1, 20<<20)
	for name, b := range map[string][]byte{"small": []byte("x"), "large": large} {
		must(t, os.WriteFile(m.Path(name), b, 0o644))
	}
	got, err := os.ReadFile(m.Path("d", "f"))
	must(t, err)
	if string(got) != "in S3\n" {
		t.Errorf("read %q", got)
	}
	m.Unmount(t)
	m = w.Mount(t, harness.MountOptions{Endpoint: w.Endpoint, Source: bucket.Bucket, Dir: m.Dir, State: m.State})
	got, err = os.ReadFile(m.Path("large"))
	if err != nil || firstDiff(got, large) != len(large) {
		t.Errorf("what arm64 wrote differs at %d (%v)", firstDiff(got, large), err)
	}
	wantObject(t, w, bucket, "small", []byte("x"))
}
