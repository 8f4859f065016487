package integration

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/s3mount/s3mount/integration/harness"
)

// TestXattrMount checks that --xattr stores extended attributes on the objects of all
// kinds of files, and that POSIX ACLs are refused with the errno that copy programs
// expect.
func TestXattrMount(t *testing.T) {
	t.Parallel()
	t.Run("kept", func(t *testing.T) { harness.Run(t, harness.Config{NeedRoot: true}, testXattrKept) })
	run(t, "limits", func(t *testing.T, w *harness.World) {
		m, _, _ := mountOf(t, w, "--xattr")
		must(t, os.WriteFile(m.Path("f"), nil, 0o644))
		wantErrno(t, "8 KiB", unix.Setxattr(m.Path("f"), "user.large", make([]byte, 8<<10), 0), unix.ENOSPC)
		wantErrno(t, "65 KiB", unix.Setxattr(m.Path("f"), "user.large", make([]byte, 65<<10), 0), unix.E2BIG)
		wantErrno(t, "a long name", unix.Setxattr(m.Path("f"), "user."+strings.Repeat("n", 251), nil, 0), unix.ERANGE)
		wantErrno(t, "another space", unix.Setxattr(m.Path("f"), "other.x", nil, 0), unix.EOPNOTSUPP)
	})
	run(t, "programs", func(t *testing.T, w *harness.World) {
		harness.Need(t, "rsync")
		m, _, _ := mountOf(t, w, "--xattr")
		out := w.Sh(t, m.Dir, `
			echo one > a; chmod 640 a; cp -a a b; cp -a "$1" here; sed -i s/one/two/ b; stat -c '%a' b
			tar --acls --xattrs -cf t.tar a b; mkdir x; tar --acls --xattrs --warning=no-xattr-write -xf t.tar -C x; cat x/b`, "/etc/hostname")
		if out != "640\ntwo\n" {
			t.Errorf("programs that copy ACLs said %q", out)
		}
		if out := w.Sh(t, m.Dir, "rsync -aAX a x/ 2>&1; cat x/b; mkdir y; rsync -aX x/ y/; cat y/b"); !strings.HasSuffix(out, "two\ntwo\n") {
			t.Errorf("rsync said %q", out)
		}
	})
}

func testXattrKept(t *testing.T, w *harness.World) {
	m, bucket, _ := mountOf(t, w, "--xattr")
	must(t, os.WriteFile(m.Path("file"), []byte("x"), 0o644))
	must(t, os.Mkdir(m.Path("dir"), 0o755))
	must(t, os.Symlink("file", m.Path("link")))
	must(t, os.WriteFile(m.Path("dir/moved"), []byte("y"), 0o644))
	names := map[string]string{"file": "user.colour", "dir": "user.colour", "link": "trusted.colour", "dir/moved": "security.colour"}
	for name, attr := range names {
		must(t, unix.Lsetxattr(m.Path(name), attr, []byte("blue\x00"), 0))
	}
	wantErrno(t, "user on a symlink", unix.Lsetxattr(m.Path("link"), "user.x", nil, 0), unix.EPERM)
	look := func(where string) {
		t.Helper()
		for name, attr := range names {
			buf := make([]byte, 100)
			n, err := unix.Lgetxattr(m.Path(name), attr, buf)
			if err != nil || !bytes.Equal(buf[:max(n, 0)], []byte("blue\x00")) {
				t.Errorf("%s: %s of %s is %q, %v", where, attr, name, buf[:max(n, 0)], err)
			}
			n, err = unix.Llistxattr(m.Path(name), buf)
			if list := strings.Split(string(buf[:max(n, 0)]), "\x00"); err != nil || !slices.Contains(list, attr) {
				t.Errorf("%s: the names of %s are %q, %v", where, name, list, err)
			}
		}
	}
	look("at once")
	m = m.Remount(t)
	look("after remount, by name")
	m = m.Remount(t)
	if _, err := os.ReadDir(m.Path("dir")); err != nil {
		t.Fatal(err)
	}
	look("after remount, from a listing")
	must(t, os.Rename(m.Path("dir/moved"), m.Path("dir/elsewhere")))
	must(t, os.Rename(m.Path("dir"), m.Path("dir2")))
	delete(names, "dir")
	delete(names, "dir/moved")
	names["dir2"], names["dir2/elsewhere"] = "user.colour", "security.colour"
	look("after a rename")
	m = m.Remount(t)
	look("after a rename and remount")

	m.Unmount(t)
	head, err := bucket.Head(w.Context(t), "file")
	must(t, err)
	if got := head.Metadata["xattr"]; !strings.Contains(got, "user.colour") || strings.ContainsAny(got, `"{}`) {
		t.Errorf("the object's metadata hold %q", got)
	}
}

// TestInvalidateName checks that the control attribute works with and without --xattr.
func TestInvalidateName(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{"with": {"--xattr"}, "without": nil} {
		run(t, name, func(t *testing.T, w *harness.World) {
			m, bucket, _ := mountOf(t, w, append(args, "--metadata-ttl", "1h")...)
			if _, err := os.Stat(m.Path("f")); !os.IsNotExist(err) {
				t.Fatal(err)
			}
			must(t, bucket.Put(w.Context(t), "f", []byte("x"), nil))
			must(t, unix.Setxattr(m.Dir, "user.s3mount.invalidate", []byte("1"), 0))
			if _, err := os.ReadDir(m.Dir); err != nil {
				t.Fatal(err)
			}
			_, err := unix.Getxattr(m.Path("f"), "user.none", nil)
			wantErrno(t, "getxattr", err, syscall.ENODATA, syscall.EOPNOTSUPP)
		})
	}
}
