package integration

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/s3mount/s3mount/integration/harness"
)

// TestSystemd boots systemd in separate namespaces, which runs the unit
// s3mount@.service, and executes the checks of testdata/systemd/exam.sh.
func TestSystemd(t *testing.T) {
	t.Parallel()
	t.Run("boot", func(t *testing.T) {
		harness.Run(t, harness.Config{NeedRoot: true, Timeout: 5 * time.Minute}, testSystemd)
	})
}

// notBooted is the exit status of boot.sh where systemd cannot be booted.
const notBooted = 77

func testSystemd(t *testing.T, w *harness.World) {
	harness.Need(t, "unshare", "mount", "systemctl", "setpriv", "make")
	systemd := ""
	for _, p := range []string{"/usr/lib/systemd/systemd", "/lib/systemd/systemd"} {
		if _, err := os.Stat(p); err == nil && systemd == "" {
			systemd = p
		}
	}
	if systemd == "" {
		t.Skip("systemd is not installed")
	}
	mod, err := harness.ModuleDir()
	must(t, err)
	bucket, dir := w.Bucket(t), w.Dir(t, "systemd")
	must(t, bucket.Put(w.Context(t), "f", []byte("in S3\n"), nil))
	exam, err := os.ReadFile(filepath.Join(mod, "testdata", "systemd", "exam.sh"))
	must(t, err)
	env := strings.Join([]string{"BUCKET=" + bucket.Bucket, "ENDPOINT=" + w.Endpoint,
		"ACCESS_KEY=" + harness.AccessKey, "SECRET_KEY=" + harness.SecretKey, "LC_ALL=C.UTF-8", ""}, "\n")
	must(t, os.WriteFile(filepath.Join(dir, "exam.sh"), exam, 0o644))
	must(t, os.WriteFile(filepath.Join(dir, "env"), []byte(env), 0o600))
	must(t, os.Link(w.Binary, filepath.Join(dir, "s3mount")))
	r := w.Apart(t, append(slices.Clone(harness.Environment()), "SOURCE="+filepath.Dir(mod), "SYSTEMD="+systemd),
		"bash", filepath.Join(mod, "testdata", "systemd", "boot.sh"), dir)
	if r.Code == notBooted {
		t.Skipf("systemd cannot be booted here: %s", r.Out)
	}
	out, err := os.ReadFile(filepath.Join(dir, "out"))
	must(t, err)
	if r.Code != 0 || !strings.HasSuffix(string(out), "== end\n") {
		t.Fatalf("exit status %d\n%s\n%s", r.Code, out, r.Out)
	}
	t.Logf("%s", out)
	for key, body := range map[string]string{"new": "written\n", "healed": "healed\n", "open": "not closed\n"} {
		wantObject(t, w, bucket, key, []byte(body))
	}
}
