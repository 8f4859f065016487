package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/s3mount/s3mount/integration/harness"
)

// TestDemo checks that the demo works and stays mounted, that its recording is current,
// and that a stop leaves nothing behind, also if s3mount was killed.
func TestDemo(t *testing.T) {
	t.Parallel()
	run(t, "start and stop", testDemo)
}

var (
	numbers = regexp.MustCompile(`[0-9]+`)
	// attributes are the owner, the group, the size and the time in a line of ls -l.
	attributes = regexp.MustCompile(`(?m)^(\S{10}) .* (\S+)$`)
	spaces     = regexp.MustCompile(`[ ]+`)
)

// stable removes the parts of a recording that change with the user, the time and the
// sizes of files.
func stable(text string) string {
	text = attributes.ReplaceAllString(text, "$1 $2")
	return spaces.ReplaceAllString(numbers.ReplaceAllString(text, "0"), " ")
}

func testDemo(t *testing.T, w *harness.World) {
	mod, err := harness.ModuleDir()
	must(t, err)
	// With HOME in the work dir Go would use a new build cache.
	home := "HOME=" + os.Getenv(harness.EnvHome)
	demo := filepath.Join(w.Work, "demo")
	if r := w.Exec(t, []string{home}, "go", "build", "-C", mod, "-o", demo, "./demo"); r.Code != 0 {
		t.Fatalf("build the demo: %s", r.Out)
	}
	run := func(args ...string) harness.Result {
		return w.Exec(t, []string{home, "S3MOUNT_BINARY=", "S3MOUNT_RUNTIME_DIR=" + filepath.Join(w.Work, "run")}, demo, args...)
	}
	if r := run("record", w.Work); r.Code != 0 {
		t.Fatalf("the recording ended with %d:\n%s", r.Code, r.Out)
	}
	got, err := os.ReadFile(filepath.Join(w.Work, "recording.txt"))
	must(t, err)
	recorded, err := os.ReadFile(filepath.Join(mod, "demo", "recording.txt"))
	must(t, err)
	if stable(string(got)) != stable(string(recorded)) {
		t.Errorf("demo/recording.txt is not current (make demo-record writes it). The demo shows:\n%s", got)
	}
	dir := filepath.Join(os.TempDir(), fmt.Sprintf("s3mount-demo-%d", os.Getuid()))
	for _, killed := range []bool{false, true} {
		if r := run("start"); r.Code != 0 || !strings.Contains(r.Out, "\n  papers/archive/README.md\n") {
			t.Fatalf("the start ended with %d:\n%s", r.Code, r.Out)
		}
		if b, err := os.ReadFile(filepath.Join(dir, "mnt", "hello.txt")); err != nil || !strings.HasSuffix(string(b), "\nA second line.\n") {
			t.Errorf("the demo's file holds %q (%v)", b, err)
		}
		if r := run("start"); r.Code != 1 || !strings.Contains(r.Out, "make demo-stop") {
			t.Errorf("a second start ended with %d: %s", r.Code, r.Out)
		}
		if killed {
			w.Exec(t, nil, "pkill", "-KILL", "-f", "^s3mount .*"+dir)
		}
		if r := run("stop"); r.Code != 0 {
			t.Fatalf("the stop ended with %d: %s", r.Code, r.Out)
		}
		waitGone(t, w, dir)
		if _, err := os.Stat(dir); err == nil {
			t.Errorf("%s is left", dir)
		}
	}
	if r := run("stop"); r.Code != 0 {
		t.Errorf("a stop of nothing ended with %d: %s", r.Code, r.Out)
	}
}
