package fs

import (
	"context"
	"strings"
	"syscall"
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/s3mount/s3mount/s3"
	"github.com/s3mount/s3mount/s3/s3test"
)

// df returns the total and the free bytes.
func (k *kernel) df() (total, free int64) {
	k.t.Helper()
	var out fuse.StatfsOut
	k.must(k.f.StatFs(nil, &fuse.InHeader{NodeId: rootID}, &out), "statfs", "/")
	return int64(out.Blocks) * int64(out.Frsize), int64(out.Bfree) * int64(out.Frsize)
}

// TestDF shows that df shows the objects of the bucket and the changes of the mount.
func TestDF(t *testing.T) {
	const size, mib = 100 << 20, 1 << 20
	srv := s3test.NewServer(t, s3test.Options{Buckets: []string{testBucket}, MaxKeys: 2})
	for _, key := range []string{"a", "b", "d/e", "other"} {
		srv.PutObject(testBucket, key, make([]byte, mib), nil)
	}
	k := remount(t, srv, func(o *Options) { o.Size = size })
	<-k.f.space.counted
	want := func(what string, used int64) {
		t.Helper()
		if total, free := k.df(); total != size || total-free != used {
			t.Errorf("%s: total %d, used %d, want %d", what, total, total-free, used)
		}
	}
	want("after the count", 4*mib)
	k.ls("/")
	k.put("new", strings.Repeat("x", 2*mib))
	want("a new file", 6*mib)
	k.put("new", strings.Repeat("y", mib))
	want("a smaller file", 5*mib)
	k.must(k.rename("new", "newer", 0), "rename", "new")
	want("renamed", 5*mib)
	k.must(k.unlink("a"), "unlink", "a")
	want("removed", 4*mib)
	fh := k.create("open", syscall.O_RDWR)
	k.write(fh, 0, strings.Repeat("z", mib))
	want("not in S3 yet", 5*mib)
	k.close(fh)
	want("closed", 5*mib)
	if err := k.f.drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := k.f.space.count(t.Context(), k.f.store.Ls, testBucket); err != nil {
		t.Fatal(err)
	}
	want("counted again", 5*mib)
}

// TestQuota shows that a write beyond the quota is EDQUOT, and that removed files make room.
func TestQuota(t *testing.T) {
	const mib = 1 << 20
	srv := s3test.NewServer(t, s3test.Options{Buckets: []string{testBucket}})
	srv.PutObject(testBucket, "old", make([]byte, 2*mib), nil)
	k := remount(t, srv, func(o *Options) { o.Quota = 4 * mib })
	<-k.f.space.counted
	k.ls("/")
	k.put("f", strings.Repeat("x", mib))
	fh := k.create("g", syscall.O_RDWR)
	k.write(fh, 0, strings.Repeat("x", mib))
	_, st := k.f.Write(nil, &fuse.WriteIn{InHeader: header(k.open[fh]), Fh: fh, Offset: mib, Size: 1}, []byte("y"))
	errnoIs(t, st, syscall.EDQUOT, "write beyond the quota")
	errnoIs(t, k.f.Fallocate(nil, &fuse.FallocateIn{InHeader: header(k.open[fh]), Fh: fh, Length: 9 * mib}), syscall.EDQUOT, "fallocate beyond the quota")
	errnoIs(t, k.setattr("g", fuse.SetAttrIn{SetAttrInCommon: fuse.SetAttrInCommon{Valid: fuse.FATTR_SIZE, Size: 9 * mib}}), syscall.EDQUOT, "truncate beyond the quota")
	k.close(fh)
	if total, free := k.df(); total != 4*mib || free != 0 {
		t.Errorf("df shows %d of %d", free, total)
	}
	k.must(k.unlink("old"), "unlink", "old")
	k.put("h", strings.Repeat("x", mib))
	k.wantObject("g", strings.Repeat("x", mib))
}

// TestCountUnderChange shows that a change during a count is counted once, whether the count
// has come to the key or not.
func TestCountUnderChange(t *testing.T) {
	s := newSpace(Options{Size: 1 << 30}, func() int64 { return 0 })
	pages := 0
	ls := func(_ context.Context, in *s3.LsInput) (*s3.LsPage, error) {
		pages++
		if pages == 1 {
			return &s3.LsPage{Objects: []s3.ListedObject{{Key: "b", Size: 10}, {Key: ".s3mount/x", Size: 99}, {Key: "c", Size: 20}}, NextToken: "t"}, nil
		}
		s.changed("a", 5)          // behind the count
		s.changed("c", -20)        // removed behind the count
		s.changed("e", 40)         // before the count, which sees it
		s.changed(".s3mount/y", 7) // not of a user
		return &s3.LsPage{Objects: []s3.ListedObject{{Key: "e", Size: 40}}}, nil
	}
	if err := s.count(t.Context(), ls, "b"); err != nil {
		t.Fatal(err)
	}
	if used := s.taken(); used != 10+5+40 {
		t.Errorf("used %d, want 55", used)
	}
}
