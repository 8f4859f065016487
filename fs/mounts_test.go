package fs

import (
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/s3mount/s3mount/s3/s3test"
)

// P6: a directory that another mount has filled is not empty, whatever this
// mount believes.
func TestRmdirOfWhatAnotherMountFilled(t *testing.T) {
	a := newKernel(t)
	b := remount(t, a.srv)
	a.must(a.mkdir("d"), "mkdir", "d")
	b.put("d/f", "x")
	errnoIs(t, a.rmdir("d"), syscall.ENOTEMPTY, "rmdir")
	a.wantObject("d/f", "x")
}

// P3: RENAME_NOREPLACE does not replace a file that another mount has made
// after this one had found the name free.
func TestNoReplaceOfWhatAnotherMountMade(t *testing.T) {
	a := newKernel(t)
	b := remount(t, a.srv)
	a.put("from", "mine")
	if _, st := a.stat("to"); syscall.Errno(st) != syscall.ENOENT {
		t.Fatalf("stat: %v", syscall.Errno(st))
	}
	b.put("to", "theirs")
	errnoIs(t, a.rename("from", "to", renameNoReplace), syscall.EEXIST, "rename")
	a.wantObject("to", "theirs")
	a.wantObject("from", "mine")
}

// P2, P3: who opens a file to add to it, and had seen that there is none, adds to
// what another mount has closed since.
func TestCreateOfWhatAnotherMountMade(t *testing.T) {
	for name, tc := range map[string]struct {
		flags uint32
		want  string
	}{
		"append": {syscall.O_APPEND, "theirs, mine"},
		"update": {0, ", mine"},
		"empty":  {syscall.O_TRUNC, ", mine"},
	} {
		t.Run(name, func(t *testing.T) {
			a := newKernel(t, func(o *Options) { o.MetadataTTL = 0 })
			b := remount(t, a.srv)
			if _, st := a.stat("log"); st != fuse.ENOENT {
				t.Fatalf("stat: %v", st)
			}
			b.put("log", "theirs")
			fh, st := a.tryCreate("log", syscall.O_WRONLY|tc.flags)
			if replaces := tc.flags == syscall.O_TRUNC; replaces != (st == fuse.OK) {
				t.Fatalf("create: %v", st)
			}
			if st != fuse.OK {
				errnoIs(t, st, syscall.ESTALE, "create")
				fh = a.openFile("log", syscall.O_WRONLY|tc.flags)
			}
			a.write(fh, 0, ", mine")
			a.close(fh)
			a.wantObject("log", tc.want)
		})
	}
}

// P9: the directory of an over-long segment goes with its last name.
func TestRmdirOfALongSegment(t *testing.T) {
	k := newKernel(t)
	long := slices.Repeat([]byte("d"), 600)
	k.srv.PutObject(testBucket, string(long), []byte("x"), nil)
	first := k.ls("/")
	if len(first) != 1 {
		t.Fatalf("ls /: %q", first)
	}
	second := k.ls(first[0])
	if len(second) != 1 {
		t.Fatalf("ls %s: %q", first[0], second)
	}
	third := k.ls(first[0] + "/" + second[0])
	if len(third) != 1 {
		t.Fatalf("third level: %q", third)
	}
	dir := first[0] + "/" + second[0]
	errnoIs(t, k.rmdir(dir), syscall.ENOTEMPTY, "rmdir while the name is there")
	outer, _ := k.lookup(first[0]) // the kernel remembers both
	root := header(rootID)
	inner := header(outer)
	k.must(k.unlink(dir+"/"+third[0]), "unlink", third[0])
	k.must(k.f.Rmdir(nil, &inner, second[0]), "rmdir", "second level")
	k.must(k.f.Rmdir(nil, &root, first[0]), "rmdir", "first level")
	if err := k.f.drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if keys := k.keys(); len(keys) != 0 {
		t.Errorf("S3 still has %q", keys)
	}
}

// P6: a directory without a marker gets one when its last file goes; a rmdir
// while that marker is on its way removes it, too.
func TestRmdirWhileTheMarkerIsWritten(t *testing.T) {
	faults := s3test.NewFaults(s3test.Rule{
		Match: s3test.Both(s3test.OnKind("PutObject"), s3test.OnKey("d/")), Fault: s3test.Delay(200 * time.Millisecond),
	})
	srv := s3test.NewServer(t, s3test.Options{Faults: faults})
	srv.CreateBucket(testBucket)
	srv.PutObject(testBucket, "d/f", []byte("x"), nil)
	srv.PutObject(testBucket, "first", []byte("x"), nil)
	k := remount(t, srv)
	k.must(k.unlink("first"), "unlink", "first") // the first of a mount is synchronous
	k.ls("d")
	k.must(k.unlink("d/f"), "unlink", "d/f")
	for faults.Struck() == 0 {
		runtime.Gosched()
	}
	k.must(k.rmdir("d"), "rmdir", "d")
	if err := k.f.drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if keys := k.keys(); len(keys) != 0 {
		t.Errorf("S3 still has %q", keys)
	}
}
