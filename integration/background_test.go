package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/s3mount/s3mount/integration/harness"
)

// waitGone waits until nothing is mounted below dir and no s3mount names it.
func waitGone(t *testing.T, w *harness.World, dir string) {
	t.Helper()
	for {
		ms, err := harness.FuseMounts(dir)
		must(t, err)
		if len(ms) == 0 && w.Exec(t, nil, "pgrep", "-f", "^[^ ]*s3mount .*"+dir).Code == 1 {
			return
		}
		select {
		case <-w.Context(t).Done():
			t.Fatalf("still mounted or running: %v", ms)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// TestBackground checks that s3mount without --foreground returns when the mount
// answers, and continues in the background.
func TestBackground(t *testing.T) {
	t.Parallel()
	body := func(t *testing.T, w *harness.World) {
		bucket, dir := w.Bucket(t), w.Dir(t, "mnt")
		log := filepath.Join(w.Work, "mount.log")
		env := append(slices.Concat(harness.Environment(), harness.Credentials()), "S3MOUNT_RUNTIME_DIR="+w.Dir(t, "run"))
		r := w.Exec(t, env, w.Binary, "--endpoint", w.Endpoint, "--state-dir", w.Dir(t, "state"), "--log-file", log, bucket.Bucket, dir)
		if r.Code != 0 || r.Out != "" {
			t.Fatalf("exit status %d, said %q", r.Code, r.Out)
		}
		must(t, os.WriteFile(filepath.Join(dir, "f"), []byte("x"), 0o644))
		wantObject(t, w, bucket, "f", []byte("x"))
		unmount := []string{"umount", dir}
		if os.Geteuid() != 0 {
			unmount = []string{"fusermount3", "-u", dir}
		}
		if r := w.Exec(t, nil, unmount[0], unmount[1:]...); r.Code != 0 {
			t.Fatalf("umount: %s", r.Out)
		}
		waitGone(t, w, dir)
		if _, err := os.Stat(log); err != nil {
			t.Errorf("no log: %v", err)
		}
	}
	run(t, "as it is run", body)
	t.Run("nobody", func(t *testing.T) { harness.Run(t, harness.Config{AsNobody: true}, body) })
}

// TestFstab mounts by mount(8) and `mount -a`, with s3mount and its helper
// installed by `make install`, in a mount namespace where they are seen in
// their places.
func TestFstab(t *testing.T) {
	t.Parallel()
	t.Run("root", func(t *testing.T) {
		harness.Run(t, harness.Config{NeedRoot: true}, testFstab)
	})
}

func testFstab(t *testing.T, w *harness.World) {
	harness.Need(t, "make", "mount")
	bucket, dest := w.Bucket(t), w.Dir(t, "root")
	mod, err := harness.ModuleDir()
	must(t, err)
	// With HOME in the work dir Go would use a new build cache.
	env := []string{"HOME=" + os.Getenv(harness.EnvHome)}
	if r := w.Exec(t, env, "make", "-s", "-C", filepath.Dir(mod), "install", "DESTDIR="+dest, "PREFIX=/usr/local"); r.Code != 0 {
		t.Fatalf("make install: %s", r.Out)
	}
	binary, err := os.ReadFile(w.Binary) // make may have installed one that was built before
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dest, "usr/local/bin/s3mount"), binary, 0o755))
	must(t, bucket.Put(w.Context(t), "sub/f", []byte("in S3\n"), nil))
	one, two := w.Dir(t, "mnt"), w.Dir(t, "mnt")
	options := "_netdev,allow_other,endpoint=" + w.Endpoint + ",state_dir=" + w.Dir(t, "state") + ",log_file=" + filepath.Join(w.Work, "mount.log")
	fstab := filepath.Join(w.Work, "fstab")
	must(t, os.WriteFile(fstab, fmt.Appendf(nil, "%s %s s3mount %s 0 0\n%s:sub/ %s s3mount ro,%s 0 0\n", bucket.Bucket, one, options, bucket.Bucket, two, options), 0o644))
	// These are the options that mount(8) knows for every filesystem, and the options
	// that systemd adds.
	const every = "noauto,user,nofail,noexec,nosuid,nodev,noatime,uid=5,gid=6,umask=027,default_permissions," +
		"x-systemd.automount,x-systemd.idle-timeout=60,x-systemd.mount-timeout=30,x-gvfs-show,comment=x"
	helper := ""
	for _, dir := range []string{"/sbin", "/usr/sbin"} { // where mount(8) looks
		if _, err := os.Lstat(filepath.Join(dest, dir, "mount.s3mount")); err == nil {
			helper = dir
		}
	}
	if helper == "" {
		t.Fatalf("make install put no mount.s3mount where mount(8) finds it:\n%s", w.Exec(t, nil, "find", dest).Out)
	}
	script := `
		mount -t overlay overlay -o "lowerdir=$DEST/usr/local:/usr/local" /usr/local
		real=$(realpath "$HELPER")
		mount -t overlay overlay -o "lowerdir=$DEST$HELPER:$real" "$real"
		mount -a -T "$FSTAB" -t s3mount
		cat "$1/sub/f" "$2/f"; echo written > "$1/new"
		touch "$2/x" 2>&1 && exit 9 || true
		findmnt -n -o FSTYPE,SOURCE "$1"; findmnt -n -o FSTYPE,SOURCE,OPTIONS "$2" | grep -o ' ro,'
		mount -a -T "$FSTAB" -t s3mount # again: nothing to do
		df --output=source,target "$1" | tail -n 1
		mount -o remount,ro "$1" 2>&1 && exit 9 || true
		umount "$2"; mount -t fuse.s3mount -o "ro,$EVERY,$OPTIONS" "$BUCKET:sub" "$2"; findmnt -n -o OPTIONS "$2"; cat "$2/f"; umount "$2"
		mount -t s3mount -o "rubbish,$OPTIONS" "$BUCKET" "$2" 2>&1 && exit 9 || true
		mount -t s3mount -o "$OPTIONS" "$BUCKET" "$2"
		exec 8>"$2/late"; umount -l "$2"; ls -A "$2"; echo late >&8; exec 8>&-
		umount "$1"`
	env = append(slices.Concat(harness.Environment(), harness.Credentials()), "S3MOUNT_RUNTIME_DIR="+w.Dir(t, "run"), "DEST="+dest, "HELPER="+helper, "FSTAB="+fstab, "OPTIONS="+options, "EVERY="+every, "BUCKET="+bucket.Bucket)
	r := w.Apart(t, env, "bash", "-euc", script, "script", one, two)
	if r.Code != 0 {
		t.Fatalf("exit status %d\n%s", r.Code, r.Out)
	}
	waitGone(t, w, w.Work)
	wantLines(t, r.Out, "in S3", "in S3", "touch: cannot touch", "fuse.s3mount "+bucket.Bucket, " ro,", bucket.Bucket+" "+one,
		"cannot remount: unmount", "ro,nosuid,nodev,noexec,", "in S3", `unknown mount option "rubbish"`)
	wantObject(t, w, bucket, "late", []byte("late\n"))
	wantObject(t, w, bucket, "new", []byte("written\n"))
}

// wantLines wants as many lines as parts, each with its part.
func wantLines(t *testing.T, text string, parts ...string) {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if len(lines) != len(parts) {
		t.Errorf("%d lines, want %d:\n%s", len(lines), len(parts), text)
		return
	}
	for i, part := range parts {
		if !strings.Contains(strings.Join(strings.Fields(" "+lines[i]), " "), strings.TrimSpace(part)) {
			t.Errorf("line %d is %q, want %q in it", i+1, lines[i], part)
		}
	}
}
