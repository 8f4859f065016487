package integration

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/s3mount/s3mount/integration/harness"
)

// TestP3NoLostUpdate checks that data based on an old version do not replace the newer
// version and are saved locally, that exclusive creates fail if the name exists, and
// that a full replacement succeeds.
func TestP3NoLostUpdate(t *testing.T) {
	t.Parallel()
	for name, edit := range map[string]func(f *os.File) error{
		"partial write": func(f *os.File) error { _, err := f.WriteAt([]byte("MINE"), 10); return err },
		"append":        func(f *os.File) error { _, err := f.WriteAt([]byte("MINE"), 1000); return err },
		"truncate":      func(f *os.File) error { return f.Truncate(500) },
	} {
		run(t, name, func(t *testing.T, w *harness.World) {
			m, bucket, _ := mountOf(t, w)
			must(t, bucket.Put(w.Context(t), "f", payload(1, 1000), nil))
			f, err := os.OpenFile(m.Path("f"), os.O_RDWR, 0)
			must(t, err)
			must(t, edit(f))
			must(t, bucket.Put(w.Context(t), "f", []byte("theirs"), nil))
			wantErrno(t, "close over a newer version", f.Close(), syscall.ESTALE)
			wantObject(t, w, bucket, "f", []byte("theirs"))
			wantRecovered(t, m, func(b []byte) bool {
				return bytes.Contains(b, []byte("MINE")) || bytes.Equal(b, payload(1, 1000)[:500])
			})
			got, err := readOpen(m.Path("f"))
			if err != nil || string(got) != "theirs" {
				t.Errorf("a new open reads %q (%v), want their bytes", got, err)
			}
		})
	}
	run(t, "exclusive create", func(t *testing.T, w *harness.World) {
		a, b, bucket := twoMounts(t, w)
		f, err := os.OpenFile(a.Path("f"), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
		must(t, err)
		_, err = f.WriteString("first")
		must(t, err)
		must(t, os.WriteFile(b.Path("f"), []byte("second"), 0o644))
		wantErrno(t, "close of a file that was to be new", f.Close(), syscall.ESTALE, syscall.EEXIST)
		wantObject(t, w, bucket, "f", []byte("second"))
		if _, err := os.OpenFile(a.Path("f"), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644); !errors.Is(err, fs.ErrExist) {
			t.Errorf("exclusive create of a file that is there: %v", err)
		}
	})
	run(t, "lock file", func(t *testing.T, w *harness.World) {
		a, b, _ := twoMounts(t, w)
		const flags = os.O_WRONLY | os.O_CREATE | os.O_EXCL
		for _, name := range []string{"index.lock", "db.lck", "lock"} {
			held, err := os.OpenFile(a.Path(name), flags, 0o644)
			must(t, err)
			if _, err := os.OpenFile(b.Path(name), flags, 0o644); !errors.Is(err, fs.ErrExist) {
				t.Errorf("open of %s, which another mount has made and not closed: %v", name, err)
			}
			must(t, held.Close())
			must(t, os.Remove(a.Path(name)))
			next, err := os.OpenFile(b.Path(name), flags, 0o644)
			for errors.Is(err, fs.ErrExist) && w.Context(t).Err() == nil { // the name may be known for the metadata TTL
				next, err = os.OpenFile(b.Path(name), flags, 0o644)
			}
			must(t, err)
			must(t, next.Close())
		}
	})
	run(t, "mkdir", func(t *testing.T, w *harness.World) {
		a, b, _ := twoMounts(t, w)
		if _, err := os.Stat(b.Path("d")); !errors.Is(err, fs.ErrNotExist) { // b knows now that it is absent
			t.Fatal(err)
		}
		must(t, os.Mkdir(a.Path("d"), 0o755))
		wantErrno(t, "mkdir of what another mount made", os.Mkdir(b.Path("d"), 0o755), syscall.EEXIST)
	})
	run(t, "rename without replacement", func(t *testing.T, w *harness.World) {
		a, b, bucket := twoMounts(t, w)
		must(t, os.WriteFile(b.Path("mine"), []byte("mine"), 0o644))
		if _, err := os.Stat(b.Path("new")); !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		must(t, os.WriteFile(a.Path("new"), []byte("theirs"), 0o644))
		err := unix.Renameat2(unix.AT_FDCWD, b.Path("mine"), unix.AT_FDCWD, b.Path("new"), unix.RENAME_NOREPLACE)
		wantErrno(t, "rename over what another mount made", err, syscall.EEXIST, syscall.EINVAL)
		wantObject(t, w, bucket, "new", []byte("theirs"))
		wantObject(t, w, bucket, "mine", []byte("mine"))
	})
	run(t, "whole replacement", func(t *testing.T, w *harness.World) {
		a, b, bucket := twoMounts(t, w)
		f, err := os.Create(a.Path("f"))
		must(t, err)
		_, err = f.WriteString("first")
		must(t, err)
		must(t, os.WriteFile(b.Path("f"), []byte("second"), 0o644))
		must(t, f.Close())
		wantObject(t, w, bucket, "f", []byte("first"))
	})
}

func twoMounts(t *testing.T, w *harness.World) (a, b *harness.Mount, bucket *harness.Referee) {
	t.Helper()
	bucket = w.Bucket(t)
	o := harness.MountOptions{Endpoint: w.Endpoint, Source: bucket.Bucket}
	return w.Mount(t, o), w.Mount(t, o), bucket
}

// wantRecovered fails the test unless a file below the mount's state directory
// satisfies is, and the log names it.
func wantRecovered(t testing.TB, m *harness.Mount, is func([]byte) bool) {
	t.Helper()
	log, err := os.ReadFile(m.Log)
	must(t, err)
	found := false
	err = filepath.WalkDir(m.State, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		if err == nil && is(b) {
			found = true
			if !bytes.Contains(log, []byte(filepath.Base(path))) {
				t.Errorf("the log does not name the recovery file %s", path)
			}
		}
		return err
	})
	must(t, err)
	if !found {
		t.Errorf("no recovery file below %s holds the bytes", m.State)
	}
}
