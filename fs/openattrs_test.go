package fs

import (
	"syscall"
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
	"github.com/s3mount/s3mount/s3/s3test"
)

// refreshed counts the inodes whose attributes the kernel is told to drop.
type refreshed struct{ inodes []uint64 }

func (r *refreshed) EntryNotify(uint64, string) fuse.Status { return fuse.OK }

func (r *refreshed) InodeNotify(id uint64, _, _ int64) fuse.Status {
	r.inodes = append(r.inodes, id)
	return fuse.OK
}

// TestOpenCorrectsShownMode opens a file whose listing showed default attributes. fstat shows
// the mode of the object, and the kernel drops the attributes that it has.
func TestOpenCorrectsShownMode(t *testing.T) {
	k := newKernel(t)
	notified := &refreshed{}
	k.f.server = notified
	k.srv.PutObject(testBucket, "private", []byte("x"), map[string]string{"mode": "33152"})
	k.srv.PutObject(testBucket, "plain", []byte("x"), nil)
	k.ls("/") // the listing shows no attributes
	id, st := k.lookup("private")
	k.must(st, "lookup", "private")
	for _, name := range []string{"private", "plain"} {
		fh := k.openFile(name, syscall.O_RDONLY)
		a, st := k.fstat(fh, 0)
		k.must(st, "fstat", name)
		if want := map[string]uint32{"private": 0o600, "plain": 0o644}[name]; a.Mode&0o777 != want {
			t.Errorf("%s has the mode %o", name, a.Mode)
		}
		k.release(fh)
	}
	if len(notified.inodes) != 1 || notified.inodes[0] != id {
		t.Errorf("the kernel dropped the attributes of %v, want of %d", notified.inodes, id)
	}
}

// TestModeAfterReplay changes the mode of files that only the journal has. After a kill, the
// next mount shows the mode of each file that is opened.
func TestModeAfterReplay(t *testing.T) {
	srv := s3test.NewServer(t, s3test.Options{Buckets: []string{testBucket}})
	state := t.TempDir()
	journal := func(dir string) func(*Options) {
		return func(o *Options) { o.Durability, o.Linger, o.StateDir = durabilityJournal, time.Hour, dir }
	}
	k := remount(t, srv, journal(state))
	private := fuse.SetAttrIn{SetAttrInCommon: fuse.SetAttrInCommon{Valid: fuse.FATTR_MODE, Mode: 0o600}}
	for _, name := range []string{"saved", "rewritten", "replaced"} {
		k.put(name, "text")
	}
	k.drain()
	for _, name := range []string{"created", "moved"} {
		k.put(name, "text")
	}
	for _, name := range []string{"saved", "rewritten", "created", "moved"} {
		k.must(k.setattr(name, private), "chmod", name)
	}
	k.put("rewritten", "other text")
	k.must(k.rename("moved", "replaced", 0), "rename", "moved")

	other := s3test.NewServer(t, s3test.Options{Buckets: []string{testBucket}})
	for _, key := range srv.Keys(testBucket) {
		data, metadata, _ := srv.Object(testBucket, key)
		other.PutObject(testBucket, key, data, metadata)
	}
	after := remount(t, other, journal(copyState(t, state)))
	after.ls("/") // a listing from before the replay, as one change may send it for another
	after.recover()
	for _, name := range []string{"saved", "rewritten", "created", "replaced"} {
		fh := after.openFile(name, syscall.O_RDONLY)
		a, st := after.fstat(fh, 0)
		after.must(st, "fstat", name)
		if a.Mode&0o777 != 0o600 {
			_, metadata, _ := other.Object(testBucket, name)
			t.Errorf("%s has the mode %o, the object %v", name, a.Mode, metadata)
		}
		after.release(fh)
	}
}

// TestOpenOfCachedFileLearnsAttributes opens a file whose bytes are in the disk cache. The
// request that revalidates the bytes brings the attributes, too.
func TestOpenOfCachedFileLearnsAttributes(t *testing.T) {
	cacheDir := t.TempDir()
	cached := func(o *Options) { o.CacheDir = cacheDir }
	k := newKernel(t, cached)
	k.srv.PutObject(testBucket, "private", []byte("text"), map[string]string{"mode": "33152"})
	if got := k.cat("private"); got != "text" {
		t.Fatalf("read %q", got)
	}
	k.unmount()
	k.srv.Reset()
	after := remount(t, k.srv, cached)
	after.ls("/")
	fh := after.openFile("private", syscall.O_RDONLY)
	if a, st := after.fstat(fh, 0); st != fuse.OK || a.Mode&0o777 != 0o600 {
		t.Errorf("mode %o, %v", a.Mode, st)
	}
	if got := after.read(fh, 0, 10); got != "text" {
		t.Errorf("read %q", got)
	}
	after.release(fh)
	if n := k.srv.Requests(); n["GetObject"] != 0 || n["HeadObject"] > 2 {
		t.Errorf("requests: %v", n)
	}
}
