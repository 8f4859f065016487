package integration

import (
	"errors"
	"os"
	"syscall"
	"testing"

	"github.com/s3mount/s3mount/integration/harness"
)

// TestP6Directories checks that created directories survive a remount, that no
// directory vanishes with its last file, that rmdir removes only empty directories, and
// that implicit directories behave like others.
func TestP6Directories(t *testing.T) {
	t.Parallel()
	run(t, "mkdir", func(t *testing.T, w *harness.World) {
		m, _, _ := mountOf(t, w)
		must(t, os.MkdirAll(m.Path("a/b/c"), 0o750))
		m = m.Remount(t)
		if st, err := os.Stat(m.Path("a/b/c")); err != nil || st.Mode() != os.ModeDir|0o750 {
			t.Errorf("after remount: %v, %v", st, err)
		}
	})
	run(t, "last file", func(t *testing.T, w *harness.World) {
		m, bucket, _ := mountOf(t, w)
		must(t, bucket.Put(w.Context(t), "implicit/deep/f", []byte("x"), nil))
		must(t, bucket.Put(w.Context(t), "moved/f", []byte("x"), nil))
		must(t, os.Remove(m.Path("implicit/deep/f")))
		must(t, os.Rename(m.Path("moved/f"), m.Path("f")))
		for _, d := range []string{"implicit/deep", "implicit", "moved"} {
			if st, err := os.Stat(m.Path(d)); err != nil || !st.IsDir() {
				t.Errorf("%s vanished with its last file: %v", d, err)
			}
		}
		m = m.Remount(t)
		for _, d := range []string{"implicit/deep", "implicit", "moved"} {
			if st, err := os.Stat(m.Path(d)); err != nil || !st.IsDir() {
				t.Errorf("%s is gone after remount: %v", d, err)
			}
			must(t, os.Remove(m.Path(d)))
		}
		m = m.Remount(t)
		names, err := os.ReadDir(m.Dir)
		if err != nil || len(names) != 1 {
			t.Errorf("after rmdir and remount: %v (%v), want f alone", names, err)
		}
	})
	run(t, "rmdir", func(t *testing.T, w *harness.World) {
		a, b, bucket := twoMounts(t, w)
		must(t, bucket.Put(w.Context(t), "implicit/f", []byte("x"), nil))
		wantErrno(t, "rmdir of an implicit directory with a file", syscall.Rmdir(a.Path("implicit")), syscall.ENOTEMPTY)
		must(t, os.Mkdir(a.Path("d"), 0o755))
		if _, err := os.ReadDir(a.Path("d")); err != nil { // a knows now that it is empty
			t.Fatal(err)
		}
		must(t, os.WriteFile(b.Path("d/f"), []byte("x"), 0o644))
		wantErrno(t, "rmdir of a directory that another mount filled", syscall.Rmdir(a.Path("d")), syscall.ENOTEMPTY)
		wantObject(t, w, bucket, "d/f", []byte("x"))
		wantErrno(t, "rmdir of a file", syscall.Rmdir(b.Path("d/f")), syscall.ENOTDIR)
		wantErrno(t, "unlink of a directory", syscall.Unlink(b.Path("d")), syscall.EISDIR, syscall.EPERM)
	})
	run(t, "implicit", func(t *testing.T, w *harness.World) {
		m, bucket, _ := mountOf(t, w)
		must(t, bucket.Put(w.Context(t), "i/j/f", []byte("x"), nil))
		must(t, os.WriteFile(m.Path("i/g"), []byte("y"), 0o644))
		must(t, os.Mkdir(m.Path("i/k"), 0o755))
		must(t, os.Chmod(m.Path("i/j"), 0o700))
		must(t, os.Rename(m.Path("i"), m.Path("n")))
		wantObject(t, w, bucket, "n/j/f", []byte("x"))
		wantObject(t, w, bucket, "n/g", []byte("y"))
		m = m.Remount(t)
		if _, err := os.Stat(m.Path("i")); !errors.Is(err, syscall.ENOENT) {
			t.Errorf("the old name: %v", err)
		}
		if st, err := os.Stat(m.Path("n/j")); err != nil || st.Mode().Perm() != 0o700 {
			t.Errorf("the mode of an implicit directory was not kept: %v (%v)", st, err)
		}
	})
}
