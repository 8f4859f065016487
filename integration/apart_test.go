package integration

import (
	"strings"
	"testing"

	"github.com/s3mount/s3mount/integration/harness"
)

// TestApart checks that a program in a separate mount namespace does not keep the
// mounts of tests: s3mount ends with the umount, before that program ends.
func TestApart(t *testing.T) {
	t.Parallel()
	t.Run("mounts", func(t *testing.T) {
		harness.Run(t, harness.Config{NeedRoot: true}, func(t *testing.T, w *harness.World) {
			m, _, _ := mountOf(t, w)
			seen := w.Apart(t, []string{"IN=env"}, "sh", "-c", `echo "$IN" "$1"; cat /proc/self/mountinfo; mount -t tmpfs tmpfs "$1"`, "sh", w.Dir(t, "tmpfs"))
			if seen.Code != 0 || !strings.HasPrefix(seen.Out, "env "+w.Work) || strings.Contains(seen.Out, m.Dir) {
				t.Errorf("exit status %d; the mount %s is in\n%s", seen.Code, m.Dir, seen.Out)
			}
			if here := w.Exec(t, nil, "cat", "/proc/self/mountinfo"); !strings.Contains(here.Out, m.Dir) || strings.Contains(here.Out, "/tmpfs") {
				t.Errorf("outside there is\n%s", here.Out)
			}
		})
	})
}
