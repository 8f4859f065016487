package fs

import (
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/s3mount/s3mount/s3"
	"github.com/s3mount/s3mount/s3/s3test"
)

// between lets something happen, once, before or after S3 has answered a GET.
type between struct {
	next          http.RoundTripper
	before, after atomic.Pointer[func()]
}

func (b *between) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodGet {
		once(&b.before)
	}
	res, err := b.next.RoundTrip(r)
	if r.Method == http.MethodGet {
		once(&b.after)
	}
	return res, err
}

func once(f *atomic.Pointer[func()]) {
	if do := f.Swap(nil); do != nil {
		(*do)()
	}
}

func newBetween(t *testing.T) (*kernel, *between) {
	t.Helper()
	srv := s3test.NewServer(t, s3test.Options{Buckets: []string{testBucket}})
	b := &between{}
	client := srv.Client(func(o *s3.Options) {
		o.Transport = func(next http.RoundTripper) http.RoundTripper { b.next = next; return b }
	})
	return mountOn(t, srv, client), b
}

// TestReadWhileThisMountReplaces: the object is replaced by this mount while a read is
// on its way. A mount sees its own writes: the read gets the new bytes, not ESTALE.
func TestReadWhileThisMountReplaces(t *testing.T) {
	const size, off = 3 << 20, 2 << 20
	for name, saved := range map[string]bool{"and saves": true, "and is about to save": false} {
		t.Run(name, func(t *testing.T) {
			k, b := newBetween(t)
			k.srv.PutObject(testBucket, "f", []byte(testContent(size)), nil)
			want := strings.ToUpper(testContent(size))
			reader := k.openFile("f", syscall.O_RDONLY)
			var writer uint64
			replace := func() {
				writer = k.openFile("f", syscall.O_WRONLY|syscall.O_TRUNC)
				if st := writeAll(k, writer, 0, want); st != fuse.OK {
					t.Errorf("write: %v", st)
				}
				if saved {
					k.release(writer)
				}
			}
			b.before.Store(&replace)
			if got, st := k.tryRead(reader, off, 100); st != fuse.OK || got != want[off:off+100] {
				t.Errorf("read %q, %v", got, st)
			}
			if !saved {
				k.release(writer)
			}
			k.close(reader)
		})
	}
}

// TestPagesAreOfTheReader: while an open is on its way, the object is changed by
// someone else, and the mount learns of it. What that handle reads are not the pages
// of the new version.
func TestPagesAreOfTheReader(t *testing.T) {
	k, b := newBetween(t)
	old := testContent(1000)
	k.srv.PutObject(testBucket, "f", []byte(old), nil)
	k.cat("f")
	change := func() {
		k.srv.PutObject(testBucket, "f", []byte(strings.ToUpper(old)), nil)
		k.f.ns.Invalidate("f")
		_, st := k.lookup("f")
		k.must(st, "lookup", "f")
	}
	b.after.Store(&change)
	one, st := k.openMode("f")
	k.must(st, "open", "f")
	if got := k.read(one.Fh, 0, 1000); got != old {
		t.Errorf("read %.20q", got)
	}
	k.close(one.Fh)
	two, st := k.openMode("f")
	k.must(st, "open", "f")
	if two.OpenFlags&fuse.FOPEN_KEEP_CACHE != 0 {
		t.Error("the kernel keeps pages of an older version")
	}
	if got := k.read(two.Fh, 0, 1000); got != strings.ToUpper(old) {
		t.Errorf("read %.20q after a change", got)
	}
	k.close(two.Fh)
}

// TestOpensOfTwoVersions: while an open is on its way, the object is changed by someone
// else, and opened. One inode shows one version.
func TestOpensOfTwoVersions(t *testing.T) {
	k, b := newBetween(t)
	old := testContent(1000)
	k.srv.PutObject(testBucket, "f", []byte(old), nil)
	k.cat("f")
	var second uint64
	change := func() {
		k.srv.PutObject(testBucket, "f", []byte(strings.ToUpper(old)), nil)
		second = k.openFile("f", syscall.O_RDONLY)
	}
	b.after.Store(&change)
	if _, st := k.openMode("f"); st != fuse.Status(syscall.ESTALE) {
		t.Errorf("an older version was opened beside a newer one: %v", st)
	}
	third := k.openFile("f", syscall.O_RDONLY)
	for _, fh := range []uint64{second, third} {
		if got := k.read(fh, 0, 1000); got != strings.ToUpper(old) {
			t.Errorf("read %.20q", got)
		}
		k.close(fh)
	}
}

// TestWriteOnWhatWasRead: a change through a handle is built on the version that the
// handle reads, also when the mount has heard of a newer one since: it is refused (P3).
func TestWriteOnWhatWasRead(t *testing.T) {
	changes := map[string]func(k *kernel, fh uint64){
		"write": func(k *kernel, fh uint64) { k.write(fh, 0, "FIRST") },
		"punch": func(k *kernel, fh uint64) {
			in := &fuse.FallocateIn{InHeader: header(k.open[fh]), Fh: fh, Length: 3, Mode: fallocPunchHole | fallocKeepSize}
			k.must(k.f.Fallocate(nil, in), "fallocate", "f")
		},
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			k := newKernel(t)
			k.srv.PutObject(testBucket, "f", []byte("first text"), nil)
			fh := k.openFile("f", syscall.O_RDWR)
			if got := k.read(fh, 0, 20); got != "first text" {
				t.Fatalf("%q", got)
			}
			k.srv.PutObject(testBucket, "f", []byte("their text"), nil)
			k.f.ns.InvalidateAll()
			id, st := k.lookup("f")
			k.must(st, "lookup", "f")
			if e := k.f.inodes.get(id).snapshot(); e.ETag != k.srv.ETag(testBucket, "f") {
				t.Fatalf("the mount has not heard of the newer version: %+v", e)
			}
			change(k, fh)
			errnoIs(t, k.flush(fh), syscall.ESTALE, "close of a change of an old version")
			k.release(fh)
			k.wantObject("f", "their text")
			if got := k.cat("f"); got != "their text" {
				t.Errorf("after that the mount reads %q", got)
			}
		})
	}
}

// TestEndOfFileAsksNobody: the kernel asks for the size when a read reaches the end of
// a file, or lseek(2) does. A handle shows one version, so that S3 has no news for it;
// fstat(2), which comes without a handle, does look at S3.
func TestEndOfFileAsksNobody(t *testing.T) {
	k := newKernel(t, func(o *Options) { o.MetadataTTL = 0 })
	k.srv.PutObject(testBucket, "f", []byte("first"), nil)
	fh := k.openFile("f", syscall.O_RDONLY)
	if got := k.read(fh, 0, 100); got != "first" {
		t.Fatalf("read %q", got)
	}
	before := k.requests("")
	if a, st := k.fstat(fh, fuse.FUSE_GETATTR_FH); st != fuse.OK || a.Size != 5 {
		t.Errorf("at the end of the file: %v, size %d", st, a.Size)
	}
	if got := k.requests("") - before; got != 0 {
		t.Errorf("%d requests at the end of a file, want none", got)
	}
	k.srv.PutObject(testBucket, "f", []byte("longer now"), nil)
	if a, st := k.fstat(fh, 0); st != fuse.OK || a.Size != 10 {
		t.Errorf("fstat after a foreign change: %v, size %d", st, a.Size)
	}
	before = k.requests("")
	if a, st := k.fstat(fh, fuse.FUSE_GETATTR_FH); st != fuse.OK || a.Size != 10 {
		t.Errorf("at the end of a file of which there is news: %v, size %d", st, a.Size)
	}
	if k.requests("") == before {
		t.Error("a handle whose version is not the inode's asked nobody")
	}
	k.close(fh)

	fh = k.openFile("f", syscall.O_RDWR)
	k.read(fh, 0, 100)
	k.srv.PutObject(testBucket, "f", []byte("and longer still"), nil)
	if a, st := k.fstat(fh, fuse.FUSE_GETATTR_FH); st != fuse.OK || a.Size != 16 {
		t.Errorf("the end that a writer appends to: %v, size %d", st, a.Size)
	}
	k.close(fh)
}
