package fs

import (
	"context"
	"syscall"
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/s3mount/s3mount/s3/s3test"
)

// A mount that dies at any request of a change of links leaves every name with
// the bytes of before or after, and the next mount brings the names together.
func TestLinksCrash(t *testing.T) {
	t.Parallel()
	for name, step := range map[string]func(k *kernel){
		"first link":  func(k *kernel) { k.link("a", "new") },
		"third link":  func(k *kernel) { k.link("x", "new") },
		"write":       func(k *kernel) { k.rewrite("y", "after!") },
		"attributes":  func(k *kernel) { k.chmod("y", 0o640); k.fsync("y") },
		"unlink":      func(k *kernel) { k.unlink("x") },
		"rename":      func(k *kernel) { k.rename("x", "new", 0) },
		"rename dir":  func(k *kernel) { k.rename("d", "e", 0) },
		"rename over": func(k *kernel) { k.rename("a", "x", 0) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for n := 1; ; n++ {
				if !crashAt(t, n, step) {
					return
				}
			}
		})
	}
}

// crashAt lets a step fail from its n-th request on, as if the process had
// died, and holds the next mount to what must be true. It returns false when
// the step has fewer requests.
func crashAt(t *testing.T, n int, step func(*kernel)) bool {
	faults := s3test.NewFaults()
	srv := s3test.NewServer(t, s3test.Options{Faults: faults})
	srv.CreateBucket(testBucket)
	state := t.TempDir()
	mount := func() *kernel {
		return remount(t, srv, func(o *Options) { o.StateDir = state; o.MetadataTTL = time.Nanosecond })
	}
	k := mount()
	k.put("a", "apart")
	k.must(k.mkdir("d"), "mkdir", "d")
	k.put("x", "before")
	k.must(k.link("x", "y"), "link", "y")
	k.must(k.link("x", "d/z"), "link", "d/z")
	k.die()

	k = mount()
	for _, p := range []string{"a", "x", "y", "d/z"} {
		k.stat(p)
	}
	faults.Clear()
	faults.Add(s3test.Rule{Nth: n, Times: -1, Fault: s3test.Answer(403, "AccessDenied")})
	step(k)
	struck := faults.Struck() > 0
	k.die()
	faults.Clear()

	k = mount()
	k.f.recover(context.Background())
	k.checkCrashed(n)
	k.die()
	return struck
}

// die ends a mount without saving anything.
func (k *kernel) die() {
	k.f.end()
	_ = k.f.close()
	k.f = nil
}

// rewrite replaces the bytes of a file as far as that goes.
func (k *kernel) rewrite(p, data string) {
	if fh, st := k.tryOpen(p, syscall.O_WRONLY); st == fuse.OK {
		k.write(fh, 0, data)
		k.flush(fh)
	}
}

func (k *kernel) chmod(p string, mode uint32) {
	k.setattr(p, fuse.SetAttrIn{SetAttrInCommon: fuse.SetAttrInCommon{Valid: fuse.FATTR_MODE, Mode: mode}})
}

func (k *kernel) fsync(p string) {
	if fh, st := k.tryOpen(p, syscall.O_RDONLY); st == fuse.OK {
		k.f.Fsync(nil, &fuse.FsyncIn{InHeader: header(k.open[fh]), Fh: fh})
	}
}

// checkCrashed looks at all names: a file of several has as many as it says,
// the mount shows what S3 holds, and nothing is lost.
func (k *kernel) checkCrashed(n int) {
	k.t.Helper()
	byIno, said := map[uint64][]string{}, map[uint64]int{}
	seen := map[string]int{}
	for _, p := range []string{"a", "x", "y", "d/z", "e/z", "new"} {
		a, st := k.stat(p)
		if st == fuse.ENOENT {
			continue
		}
		k.must(st, "stat", p)
		byIno[a.Ino] = append(byIno[a.Ino], p)
		said[a.Ino] = int(a.Nlink)
		got := k.cat(p)
		k.wantObject(p, got)
		if got != "before" && got != "after!" && got != "apart" {
			k.t.Errorf("request %d: %s holds %q", n, p, got)
		}
		seen[got]++
	}
	for ino, names := range byIno {
		if len(names) != said[ino] {
			k.t.Errorf("request %d: %q have %d links", n, names, said[ino])
		}
	}
	if seen["apart"] == 0 || seen["before"]+seen["after!"] < 2 || seen["before"] > 0 && seen["after!"] > 0 {
		k.t.Errorf("request %d: the names hold %v", n, seen)
	}
}
