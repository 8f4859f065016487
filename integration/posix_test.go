package integration

import (
	"maps"
	"os"
	"slices"
	"syscall"
	"testing"

	"github.com/hanwen/go-fuse/v2/posixtest"
	"golang.org/x/sys/unix"

	"github.com/s3mount/s3mount/integration/harness"
)

// leftOut are the tests of go-fuse that are not run, and why.
var leftOut = map[string]string{
	"FcntlFlockLocksFile": "it wants two locks of one process to conflict, against fcntl(2); a local disk fails it, too",
	"Link":                "S3 has no hard links; TestRefused holds the mount to the errno for that",
	"LinkUnlinkRename":    "as Link",
	"XAttrLarge":          "S3 takes 2 KiB of metadata; TestXattrMount holds the mount to the errno for that",
}

// posixArgs are the options that a test needs.
var posixArgs = map[string][]string{"XAttr": {"--xattr"}}

// TestPosix runs the filesystem tests of go-fuse, each on a new mount.
func TestPosix(t *testing.T) {
	t.Parallel()
	for _, name := range slices.Sorted(maps.Keys(posixtest.All)) {
		if leftOut[name] != "" {
			continue
		}
		run(t, name, func(t *testing.T, w *harness.World) {
			m, _, _ := mountOf(t, w, posixArgs[name]...)
			dir := m.Path("dir")
			must(t, os.Mkdir(dir, 0o755))
			posixtest.All[name](t, dir)
		})
	}
}

// TestRefused checks the errnos of unsupported operations. cp -a, tar and rsync
// continue after these errnos.
func TestRefused(t *testing.T) {
	t.Parallel()
	run(t, "all", func(t *testing.T, w *harness.World) {
		m, _, _ := mountOf(t, w)
		must(t, os.WriteFile(m.Path("f"), []byte("x"), 0o644))
		must(t, os.Mkdir(m.Path("d"), 0o755))
		wantErrno(t, "link", os.Link(m.Path("f"), m.Path("g")), syscall.EPERM)
		wantErrno(t, "link into a directory", os.Link(m.Path("f"), m.Path("d/f")), syscall.EPERM)
		wantErrno(t, "link over a name", os.Link(m.Path("f"), m.Path("d")), syscall.EEXIST)
		wantErrno(t, "setxattr", unix.Setxattr(m.Path("f"), "user.colour", []byte("blue"), 0), unix.EOPNOTSUPP)
		_, err := unix.Getxattr(m.Path("f"), "user.colour", make([]byte, 64))
		wantErrno(t, "getxattr", err, unix.EOPNOTSUPP, unix.ENODATA)
		wantErrno(t, "removexattr", unix.Removexattr(m.Path("f"), "user.colour"), unix.EOPNOTSUPP)
		_, err = unix.Open(m.Dir, unix.O_TMPFILE|unix.O_RDWR, 0o600)
		wantErrno(t, "O_TMPFILE", err, unix.EOPNOTSUPP)
	})
}
