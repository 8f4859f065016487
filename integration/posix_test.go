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

// notPosix are tests of go-fuse that are not about POSIX.
var notPosix = map[string]string{
	"FcntlFlockLocksFile": "it wants two locks of one process to conflict, against fcntl(2); a local disk fails it, too",
}

// TestPosix runs go-fuse's tests for filesystems, each on a mount of its own.
func TestPosix(t *testing.T) {
	t.Parallel()
	for _, name := range slices.Sorted(maps.Keys(posixtest.All)) {
		if notPosix[name] != "" {
			continue
		}
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
