package integration

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/hanwen/go-fuse/v2/posixtest"

	"github.com/s3mount/s3mount/integration/harness"
)

// TestPosix runs go-fuse's tests for filesystems, each on a mount of its own.
func TestPosix(t *testing.T) {
	t.Parallel()
	for _, name := range slices.Sorted(maps.Keys(posixtest.All)) {
		run(t, name, func(t *testing.T, w *harness.World) {
			var args []string
			if strings.HasPrefix(name, "XAttr") {
				args = []string{"--xattr"}
			}
			m, _, _ := mountOf(t, w, args...)
			dir := m.Path("dir")
			must(t, os.Mkdir(dir, 0o755))
			posixtest.All[name](t, dir)
		})
	}
}
