package integration

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/s3mount/s3mount/integration/harness"
)

// TestPackage makes the packages, then installs the .deb, mounts with it by
// mount(8), and removes it: in a mount namespace, in a root directory that is an
// overlay of the machine's, so that the machine itself sees nothing of it.
func TestPackage(t *testing.T) {
	t.Parallel()
	t.Run("deb", func(t *testing.T) {
		// The tools that make packages are built from source the first time.
		harness.Run(t, harness.Config{NeedRoot: true, Timeout: 12 * time.Minute}, testPackage)
	})
}

func testPackage(t *testing.T, w *harness.World) {
	harness.Need(t, "dpkg", "unshare", "chroot", "mount")
	mod, err := harness.ModuleDir()
	must(t, err)
	dist := filepath.Join(filepath.Dir(mod), "cmd", "s3mount", "packaging", "dist.sh")
	// With HOME in the work dir Go would fill a cache of its own.
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
	bucket := w.Bucket(t)
	must(t, bucket.Put(w.Context(t), "f", []byte("in S3\n"), nil))
	script := `
		mount --make-rprivate /
		mount -t tmpfs tmpfs "$ROOT"
		mkdir "$ROOT/upper" "$ROOT/work" "$ROOT/root"
		mount -t overlay overlay -o "lowerdir=/,upperdir=$ROOT/upper,workdir=$ROOT/work" "$ROOT/root"
		cd "$ROOT/root"
		mount --rbind /dev dev; mount --rbind /proc proc; mount -t tmpfs tmpfs run
		mkdir -p mnt/b; cp "$DEB" s3mount.deb
		chroot . dpkg -i /s3mount.deb >"$ROOT/log" 2>&1 || { cat "$ROOT/log"; exit 1; }
		chroot . s3mount --version
		chroot . getent passwd s3mount | cut -d: -f6
		chroot . sh -c 'test -s /usr/share/man/man8/s3mount.8.gz && test -s "/usr/lib/systemd/system/s3mount@.service" && test -d /etc/s3mount'
		chroot . sh -c 'echo "$1 /mnt/b s3mount _netdev,endpoint=$2,log_file=/s3mount.log 0 0" >/etc/fstab; mount /mnt/b' sh "$BUCKET" "$ENDPOINT"
		cat mnt/b/f; echo written >mnt/b/new
		umount mnt/b
		while pgrep -f '^[^ ]*s3mount .*/mnt/b' >/dev/null; do sleep 0.1; done
		chroot . dpkg -r s3mount >/dev/null
		chroot . sh -c 'ls -d /usr/bin/s3mount /usr/sbin/mount.s3mount /usr/share/doc/s3mount /etc/s3mount 2>/dev/null || echo removed'`
	deb := filepath.Join(one, "s3mount-1.2.3-linux-"+runtime.GOARCH+".deb")
	env = append(slices.Concat(harness.Environment(), harness.Credentials()),
		"ROOT="+w.Dir(t, "root"), "DEB="+deb, "BUCKET="+bucket.Bucket, "ENDPOINT="+w.Endpoint, "LC_ALL=C")
	r := w.Exec(t, env, "unshare", "-m", "bash", "-euc", script, "script")
	lines := strings.Split(r.Out, "\n")
	if r.Code != 0 || len(lines) < 4 || !strings.HasPrefix(lines[0], "s3mount 1.2.3 (") || !slices.Equal(lines[1:], []string{"/var/lib/s3mount-service", "in S3", "removed", ""}) {
		t.Fatalf("exit status %d\n%s", r.Code, r.Out)
	}
	wantObject(t, w, bucket, "new", []byte("written\n"))
	if _, err := os.Stat("/usr/share/man/man8/s3mount.8.gz"); err == nil {
		t.Error("the package is in the machine itself")
	}
}
