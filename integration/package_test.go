package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/s3mount/s3mount/integration/harness"
)

// TestPackage makes the packages, then installs each, mounts with it by
// mount(8), and removes it: in a mount namespace, in a root directory that is an
// overlay of the machine's, so that the machine itself sees nothing of it.
func TestPackage(t *testing.T) {
	t.Parallel()
	t.Run("made", func(t *testing.T) {
		// The tools that make packages are built from source the first time.
		harness.Run(t, harness.Config{NeedRoot: true, Timeout: 12 * time.Minute}, testPackage)
	})
}

func testPackage(t *testing.T, w *harness.World) {
	harness.Need(t, "chroot", "mount")
	mod, err := harness.ModuleDir()
	must(t, err)
	dist := filepath.Join(filepath.Dir(mod), "cmd", "s3mount", "packaging", "dist.sh")
	// With HOME in the work dir Go would use a new build cache.
	env := []string{"HOME=" + os.Getenv(harness.EnvHome), "ARCHES=" + runtime.GOARCH, "VERSION=1.2.3", "SOURCE_DATE_EPOCH=1700000000"}
	one, two := filepath.Join(w.Work, "dist1"), filepath.Join(w.Work, "dist2")
	for _, out := range []string{one, two} {
		if r := w.Exec(t, env, dist, out); r.Code != 0 {
			t.Fatalf("dist.sh: %s", r.Out)
		}
	}
	sums := map[string][]byte{}
	for _, out := range []string{one, two} {
		sums[out], err = os.ReadFile(filepath.Join(out, "SHA256SUMS"))
		must(t, err)
	}
	if string(sums[one]) != string(sums[two]) || strings.Count(string(sums[one]), "\n") != 4 {
		t.Errorf("made twice:\n%s\n%s", sums[one], sums[two])
	}
	for kind := range installers {
		testInstalled(t, w, kind, one)
	}
	if _, err := os.Stat("/usr/share/man/man8/s3mount.8.gz"); err == nil {
		t.Error("the package is in the machine itself")
	}
}

// installers are the commands that install, verify and remove a package.
var installers = map[string]struct{ tool, install, verify, remove string }{
	"deb": {"dpkg", "dpkg -i /s3mount.deb", "dpkg --verify s3mount", "dpkg -r s3mount"},
	// On Debian, rpm refuses to install without --force-debian, and does not know the
	// packages of dpkg.
	"rpm": {"rpm", "rpm --force-debian --nodeps -i /s3mount.rpm", "rpm -V --nodeps s3mount", "rpm --force-debian -e s3mount"},
}

// testInstalled works with one package of dist.
func testInstalled(t *testing.T, w *harness.World, kind, dist string) {
	how := installers[kind]
	if _, err := exec.LookPath(how.tool); err != nil {
		t.Logf("%s is not installed: nobody has installed the .%s", how.tool, kind)
		return
	}
	bucket := w.Bucket(t)
	must(t, bucket.Put(w.Context(t), "f", []byte("in S3\n"), nil))
	script := `
		mount -t tmpfs tmpfs "$ROOT"
		mkdir "$ROOT/upper" "$ROOT/work" "$ROOT/root"
		mount -t overlay overlay -o "lowerdir=/,upperdir=$ROOT/upper,workdir=$ROOT/work" "$ROOT/root"
		cd "$ROOT/root"
		mount --rbind /dev dev; mount --rbind /proc proc; mount -t tmpfs tmpfs run
		mkdir -p mnt/b; cp "$PACKAGE" "s3mount.$KIND"
		chroot . $INSTALL >"$ROOT/log" 2>&1 || { cat "$ROOT/log"; exit 1; }
		chroot . s3mount --version
		chroot . getent passwd s3mount | cut -d: -f6
		chroot . sh -c 'test -s /usr/share/man/man8/s3mount.8.gz && test -s "/usr/lib/systemd/system/s3mount@.service" && test -d /etc/s3mount'
		chroot . $VERIFY
		chroot . sh -c 'echo "$1 /mnt/b s3mount _netdev,endpoint=$2,log_file=/s3mount.log 0 0" >/etc/fstab; mount /mnt/b' sh "$BUCKET" "$ENDPOINT"
		cat mnt/b/f; echo written >mnt/b/new
		umount mnt/b
		while pgrep -f "^[^ ]*s3mount .*$BUCKET" >/dev/null; do sleep 0.1; done
		chroot . $REMOVE >"$ROOT/log" 2>&1 || { cat "$ROOT/log"; exit 1; }
		chroot . sh -c 'ls -d /usr/bin/s3mount /usr/sbin/mount.s3mount /usr/share/doc/s3mount /etc/s3mount 2>/dev/null || echo removed'`
	env := append(slices.Concat(harness.Environment(), harness.Credentials()),
		"KIND="+kind, "INSTALL="+how.install, "VERIFY="+how.verify, "REMOVE="+how.remove,
		"PACKAGE="+filepath.Join(dist, "s3mount-1.2.3-linux-"+runtime.GOARCH+"."+kind),
		"ROOT="+w.Dir(t, "root"), "BUCKET="+bucket.Bucket, "ENDPOINT="+w.Endpoint, "LC_ALL=C")
	r := w.Apart(t, env, "bash", "-euc", script, "script")
	lines := strings.Split(r.Out, "\n")
	if r.Code != 0 || len(lines) < 4 || !strings.HasPrefix(lines[0], "s3mount 1.2.3 (") ||
		!slices.Equal(lines[1:], []string{"/var/lib/s3mount-service", "in S3", "removed", ""}) {
		t.Fatalf(".%s: exit status %d\n%s", kind, r.Code, r.Out)
	}
	wantObject(t, w, bucket, "new", []byte("written\n"))
}
