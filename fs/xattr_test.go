package fs

import (
	"strings"
	"syscall"
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/s3mount/s3mount/s3"
)

func withXattr(o *Options) { o.Xattr = true }

func (k *kernel) setxattr(p, name, value string, flags uint32) fuse.Status {
	k.t.Helper()
	id, st := k.lookup(p)
	k.must(st, "lookup", p)
	return k.f.SetXAttr(nil, &fuse.SetXAttrIn{InHeader: header(id), Flags: flags}, name, []byte(value))
}

func (k *kernel) removexattr(p, name string) fuse.Status {
	k.t.Helper()
	id, st := k.lookup(p)
	k.must(st, "lookup", p)
	h := header(id)
	return k.f.RemoveXAttr(nil, &h, name)
}

func (k *kernel) getxattr(p, name string, size int) (string, fuse.Status) {
	k.t.Helper()
	id, st := k.lookup(p)
	k.must(st, "lookup", p)
	h, buf := header(id), make([]byte, size)
	n, st := k.f.GetXAttr(nil, &h, name, buf)
	if st != fuse.OK {
		return "", st
	}
	return string(buf[:n]), st
}

func (k *kernel) listxattr(p string, uid uint32) string {
	k.t.Helper()
	id, st := k.lookup(p)
	k.must(st, "lookup", p)
	h, buf := header(id), make([]byte, 4096)
	h.Uid = uid
	n, st := k.f.ListXAttr(nil, &h, buf)
	k.must(st, "listxattr", p)
	return strings.ReplaceAll(string(buf[:n]), "\x00", " ")
}

func TestXattr(t *testing.T) {
	k := newKernel(t, withXattr)
	k.put("f", "x")
	errnoIs(t, k.setxattr("f", "user.a", "1", xattrReplace), syscall.ENODATA, "replace of none")
	k.must(k.setxattr("f", "user.a", "1", xattrCreate), "create", "f")
	errnoIs(t, k.setxattr("f", "user.a", "2", xattrCreate), syscall.EEXIST, "create of one")
	k.must(k.setxattr("f", "user.a", "\x00two", xattrReplace), "replace", "f")
	k.must(k.setxattr("f", "user.empty", "", 0), "set", "f")
	k.must(k.setxattr("f", "trusted.t", "t", 0), "set", "f")
	k.must(k.setxattr("f", "security.s", "s", 0), "set", "f")
	errnoIs(t, k.setxattr("f", "system.posix_acl_access", "x", 0), syscall.EOPNOTSUPP, "ACL")
	_, st := k.getxattr("f", "system.posix_acl_access", 100)
	errnoIs(t, st, syscall.EOPNOTSUPP, "reading an ACL")
	_, st = k.getxattr("f", "user.none", 100)
	errnoIs(t, st, syscall.ENODATA, "reading none")
	_, st = k.getxattr("f", "user.a", 3)
	errnoIs(t, st, syscall.ERANGE, "reading into 3 bytes")
	errnoIs(t, k.removexattr("f", "user.none"), syscall.ENODATA, "removing none")

	check := func(k *kernel, where string) {
		t.Helper()
		if got, st := k.getxattr("f", "user.a", 100); st != fuse.OK || got != "\x00two" {
			t.Errorf("%s: user.a is %q, %v", where, got, st)
		}
		if got := k.listxattr("f", 0); got != "security.s trusted.t user.a user.empty " {
			t.Errorf("%s: root sees %q", where, got)
		}
		if got := k.listxattr("f", 1000); got != "security.s user.a user.empty " {
			t.Errorf("%s: others see %q", where, got)
		}
	}
	check(k, "at once")
	if err := k.f.drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if puts, copies := k.requests("PutObject"), k.requests("CopyObject"); copies == 0 || copies > 5 {
		t.Errorf("five changes took %d copies and %d PUTs, want them gathered", copies, puts)
	}
	check(k, "after drain")
	check(remount(t, k.srv, withXattr), "on another mount")
	k.must(k.removexattr("f", "user.a"), "remove", "f")
	if got := k.listxattr("f", 1000); got != "security.s user.empty " {
		t.Errorf("after the removal: %q", got)
	}
}

// TestXattrRidesOnThePut checks that the extended attributes of a new file cost no
// request, and that a later write keeps them.
func TestXattrRidesOnThePut(t *testing.T) {
	k := newKernel(t, withXattr)
	fh := k.create("f", syscall.O_WRONLY)
	k.write(fh, 0, "x")
	k.must(k.setxattr("f", "user.a", "1", 0), "set", "f")
	k.close(fh)
	if err := k.f.drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if puts, copies, heads := k.requests("PutObject"), k.requests("CopyObject"), k.requests("HeadObject"); puts != 1 || copies != 0 || heads > 1 {
		t.Errorf("%d PutObject, %d CopyObject and %d HeadObject, want one, none and that of the name", puts, copies, heads)
	}
	for _, p := range []*kernel{remount(t, k.srv), k} { // also one that does not show them
		fh = p.openFile("f", syscall.O_WRONLY|syscall.O_APPEND)
		p.write(fh, 1, "y")
		p.close(fh)
		p.must(p.setattr("f", fuse.SetAttrIn{SetAttrInCommon: fuse.SetAttrInCommon{Valid: fuse.FATTR_MODE, Mode: 0o600}}), "chmod", "f")
		if err := p.f.drain(t.Context()); err != nil {
			t.Fatal(err)
		}
		p.f.invalidateAll()
	}
	if got, st := remount(t, k.srv, withXattr).getxattr("f", "user.a", 10); st != fuse.OK || got != "1" {
		t.Errorf("user.a became %q, %v", got, st)
	}
}

// TestXattrLimit checks the limit of S3, 2 KiB of metadata including those of other
// tools.
func TestXattrLimit(t *testing.T) {
	k := newKernel(t, withXattr)
	k.put("f", "x")
	k.must(k.setxattr("f", "user.a", strings.Repeat("v", 1200), 0), "set", "f")
	errnoIs(t, k.setxattr("f", "user.b", strings.Repeat("v", 300), 0), syscall.ENOSPC, "a second")
	errnoIs(t, k.setxattr("f", "user.a", strings.Repeat("v", 60000), 0), syscall.ENOSPC, "a large one")
	if err := k.f.drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	putWith(t, k, "other", map[string]string{"colour": strings.Repeat("b", 1000)})
	errnoIs(t, k.setxattr("other", "user.a", strings.Repeat("v", 1000), 0), syscall.ENOSPC, "beside metadata of others")
	k.must(k.setxattr("other", "user.a", "small", 0), "set", "other")
}

// TestXattrOfOthers checks that attributes of s3fs are read, and that unreadable ones
// are not overwritten.
func TestXattrOfOthers(t *testing.T) {
	k := newKernel(t, withXattr)
	putWith(t, k, "s3fs", map[string]string{"xattr": "%7B%22user.colour%22%3A%22Ymx1ZQ%3D%3D%22%7D"})
	putWith(t, k, "odd", map[string]string{"xattr": "blue"})
	k.ls("")
	if got, st := k.getxattr("s3fs", "user.colour", 10); st != fuse.OK || got != "blue" {
		t.Errorf("user.colour is %q, %v", got, st)
	}
	errnoIs(t, k.setxattr("odd", "user.a", "1", 0), syscall.EOPNOTSUPP, "setting beside what cannot be read")
	before := k.requests("HeadObject")
	k.ls("")
	if _, st := k.getxattr("s3fs", "security.capability", 10); st != fuse.ENODATA {
		t.Errorf("security.capability: %v", st)
	}
	if n := k.requests("HeadObject") - before; n != 0 {
		t.Errorf("what ls asks cost %d requests", n)
	}
}

// TestNoXattr checks that a mount without the option returns the errno that the kernel
// remembers, and that only the control attribute can be set.
func TestNoXattr(t *testing.T) {
	k := newKernel(t)
	k.put("f", "x")
	_, st := k.getxattr("f", "user.a", 10)
	errnoIs(t, st, syscall.ENOSYS, "getxattr")
	errnoIs(t, k.setxattr("f", "user.a", "1", 0), syscall.EOPNOTSUPP, "setxattr")
	k.must(k.setxattr("f", invalidateXattr, "1", 0), "invalidate", "f")
}

func putWith(t *testing.T, k *kernel, key string, meta map[string]string) {
	t.Helper()
	in := &s3.PutInput{Bucket: testBucket, Key: key, Body: strings.NewReader("x"), Size: 1}
	in.Metadata = meta
	if _, err := k.srv.Client().Put(t.Context(), in); err != nil {
		t.Fatal(err)
	}
}
