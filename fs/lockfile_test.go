package fs

import (
	"syscall"
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// TestIsLockFile checks which names O_EXCL decides at open.
func TestIsLockFile(t *testing.T) {
	for name, want := range map[string]bool{
		"index.lock": true, "db.lck": true, "lock": true, ".lock": true,
		"lock.txt": false, "unlock": false, "lockfile": false, "a.locks": false,
	} {
		if got := isLockFile(name); got != want {
			t.Errorf("%q: %v", name, got)
		}
	}
}

// TestLockFile lets two mounts take the same lock. The open of one of them fails, in both
// durabilities. The lock can then be written, renamed over a file and removed.
func TestLockFile(t *testing.T) {
	for _, durability := range []string{durabilityS3, durabilityJournal} {
		t.Run(durability, func(t *testing.T) {
			set := func(o *Options) { o.Durability, o.StateDir = durability, t.TempDir() }
			a := newKernel(t, set)
			b := remount(t, a.srv, set)
			a.put("index", "old")
			const flags = syscall.O_RDWR | syscall.O_EXCL
			fh := a.create("index.lock", flags)
			a.wantObject("index.lock", "")
			if _, st := b.tryCreate("index.lock", flags); syscall.Errno(st) != syscall.EEXIST {
				t.Errorf("the other mount takes the lock: %v", syscall.Errno(st))
			}
			if got := a.read(fh, 0, 10); got != "" {
				t.Errorf("a new lock holds %q", got)
			}
			a.write(fh, 0, "new")
			if got := a.read(fh, 0, 10); got != "new" {
				t.Errorf("the lock holds %q", got)
			}
			a.close(fh)
			a.must(a.rename("index.lock", "index", 0), "rename", "index.lock")
			if err := a.f.drain(t.Context()); err != nil {
				t.Fatal(err)
			}
			a.wantObject("index", "new")
			a.wantNoObject("index.lock")

			fh, st := b.tryCreate("index.lock", flags)
			if st != fuse.OK {
				t.Fatalf("the lock is free, and the other mount gets %v", syscall.Errno(st))
			}
			b.must(b.unlink("index.lock"), "unlink", "index.lock")
			b.close(fh)
			if err := b.f.drain(t.Context()); err != nil {
				t.Fatal(err)
			}
			b.wantNoObject("index.lock")
			fh = a.create("index.lock", flags)
			a.close(fh)
			a.must(a.unlink("index.lock"), "unlink", "index.lock")
			if err := a.f.drain(t.Context()); err != nil {
				t.Fatal(err)
			}
			a.wantNoObject("index.lock")
			fh = a.create("plain", flags) // no lock: one PUT, at close
			a.wantNoObject("plain")
			a.close(fh)
		})
	}
}
