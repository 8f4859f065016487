package fs

import (
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/s3mount/s3mount/s3/s3test"
)

func chmodTo(mode uint32) fuse.SetAttrIn {
	return fuse.SetAttrIn{SetAttrInCommon: fuse.SetAttrInCommon{Valid: fuse.FATTR_MODE, Mode: mode}}
}

// newReadOnlyKernel mounts a bucket in which all writes are refused while the returned
// flag is set.
func newReadOnlyKernel(t *testing.T, change ...func(*Options)) (*kernel, *atomic.Bool) {
	t.Helper()
	var refuse atomic.Bool
	srv := s3test.NewServer(t, s3test.Options{Buckets: []string{testBucket}, Deny: func(kind, _, _ string) bool {
		return refuse.Load() && (kind == "PutObject" || kind == "CopyObject")
	}})
	return remount(t, srv, change...), &refuse
}

// TestAttributesWithoutPermission changes attributes of what another tool has written,
// with credentials that may only read. The program hears of it, and the inode shows
// what the object has.
func TestAttributesWithoutPermission(t *testing.T) {
	changes := map[string]fuse.SetAttrIn{
		"chmod":   chmodTo(0o600),
		"chown":   {SetAttrInCommon: fuse.SetAttrInCommon{Valid: fuse.FATTR_UID, Owner: fuse.Owner{Uid: 12345}}},
		"utimens": {SetAttrInCommon: fuse.SetAttrInCommon{Valid: fuse.FATTR_MTIME, Mtime: 1000}},
	}
	for name, in := range changes {
		t.Run(name, func(t *testing.T) {
			k, refuse := newReadOnlyKernel(t)
			refuse.Store(true)
			k.srv.PutObject(testBucket, "d/f", []byte("x"), map[string]string{"mode": "33188", "uid": "7", "mtime": "5000"})
			for _, p := range []string{"d/f", "d"} {
				before, st := k.stat(p)
				k.must(st, "stat", p)
				for range 2 {
					errnoIs(t, k.setattr(p, in), syscall.EACCES, name+" "+p)
				}
				after, st := k.stat(p)
				k.must(st, "stat", p)
				if after.Mode != before.Mode || after.Uid != before.Uid || after.Mtime != before.Mtime {
					t.Errorf("%s shows %+v after a refused %s, and %+v before", p, after, name, before)
				}
			}
			refuse.Store(false)
			k.must(k.setattr("d/f", in), name, "d/f")
		})
	}
}

// TestAttributesBesideOwnFiles changes attributes of a file of another tool, after this
// mount has written in the same directory. S3 accepts new files there, but no change of
// others. Each change is refused at once.
func TestAttributesBesideOwnFiles(t *testing.T) {
	srv := s3test.NewServer(t, s3test.Options{Buckets: []string{testBucket}, Deny: func(kind, _, key string) bool {
		return kind == "CopyObject" && key == "d/theirs"
	}})
	srv.PutObject(testBucket, "d/theirs", []byte("x"), nil)
	k := remount(t, srv)
	k.put("d/mine", "x")
	for range 2 {
		errnoIs(t, k.setattr("d/theirs", chmodTo(0o600)), syscall.EACCES, "chmod of another tool's file")
		k.must(k.setattr("d/mine", chmodTo(0o640)), "chmod", "d/mine")
	}
	k.must(k.setattr("d/mine", chmodTo(0o600)), "chmod", "d/mine")
}

// TestXattrWithoutPermission is TestAttributesWithoutPermission for setxattr.
func TestXattrWithoutPermission(t *testing.T) {
	k, refuse := newReadOnlyKernel(t, func(o *Options) { o.Xattr = true })
	refuse.Store(true)
	k.srv.PutObject(testBucket, "f", []byte("x"), nil)
	id, st := k.lookup("f")
	k.must(st, "lookup", "f")
	in := &fuse.SetXAttrIn{InHeader: header(id)}
	errnoIs(t, k.f.SetXAttr(nil, in, "user.a", []byte("1")), syscall.EACCES, "setxattr")
	h := header(id)
	if _, st := k.f.GetXAttr(nil, &h, "user.a", make([]byte, 10)); st != fuse.ENODATA {
		t.Errorf("getxattr after a refused setxattr: %v", st)
	}
}

// TestAttributesOfWhatIsBeingWritten sets attributes as copy tools do, while S3 refuses
// to write the object once more. They ride on the write, or are lost, and no call fails
// because of them.
func TestAttributesOfWhatIsBeingWritten(t *testing.T) {
	k, refuse := newReadOnlyKernel(t)
	fh := k.create("f", syscall.O_WRONLY)
	k.write(fh, 0, "x")
	k.must(k.setattr("f", chmodTo(0o640)), "chmod of an open file", "f")
	k.close(fh)
	refuse.Store(true)
	k.must(k.setattr("f", chmodTo(0o600)), "chmod after the close", "f")
	id, st := k.lookup("f")
	k.must(st, "lookup", "f")
	_ = k.f.flushAttrs(t.Context(), k.f.inodes.get(id))
	if a, st := k.stat("f"); st != fuse.OK || a.Mode&0o7777 != 0o640 {
		t.Errorf("%v, mode %o after the change was lost", st, a.Mode)
	}
	// S3 has refused a write in this directory: the next change waits again.
	errnoIs(t, k.setattr("f", chmodTo(0o600)), syscall.EACCES, "chmod after a refusal")
}
