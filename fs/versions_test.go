package fs

import (
	"fmt"
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

// TestReadWhileThisMountReplaces replaces the object by this mount during a read. The
// read gets the new data and not ESTALE, because a mount sees its own writes.
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

// TestOpenOfAnOlderVersion changes the object while an open is on its way, and makes the
// mount learn of it. The kernel would read the old version with the attributes of the
// new one, so the open fails with ESTALE and the kernel opens the file again.
func TestOpenOfAnOlderVersion(t *testing.T) {
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
	_, st := k.openMode("f")
	errnoIs(t, st, syscall.ESTALE, "open of a version that is not the newest known")
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

// TestOpensOfTwoVersions changes and opens an object while another open is in progress.
// One inode shows one version.
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

// TestWriteOnWhatWasRead checks that a change through a handle is based on the version
// that the handle reads, even if the mount knows a newer one. It is then refused (P3).
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

// TestEndOfFileAsksNobody checks that the GETATTR at the end of a file, or for
// lseek(2), sends no request, because a handle shows one version. fstat(2), whose
// GETATTR has no handle, also shows that version.
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
	for _, flags := range []uint32{0, fuse.FUSE_GETATTR_FH} {
		if a, st := k.fstat(fh, flags); st != fuse.OK || a.Size != 5 {
			t.Errorf("fstat of the old version with flags %d: %v, size %d", flags, st, a.Size)
		}
	}
	if a, st := k.stat("f"); st != fuse.OK || a.Size != 10 {
		t.Errorf("stat after a foreign change: %v, size %d", st, a.Size)
	}
	k.close(fh)
}

// learners are the ways in which a mount learns of another version of the file f.
var learners = map[string]func(k *kernel, fh uint64){
	"lookup":  func(k *kernel, _ uint64) { k.lookup("f") },
	"listing": func(k *kernel, _ uint64) { k.ls("/") },
	"fstat":   func(k *kernel, fh uint64) { k.fstat(fh, 0) },
	"read to the end": func(k *kernel, fh uint64) {
		k.fstat(fh, fuse.FUSE_GETATTR_FH)
	},
	"open": func(k *kernel, _ uint64) {
		if fh, st := k.tryOpen("f", syscall.O_RDONLY); st == fuse.OK {
			k.close(fh)
		}
	},
	"open for writing": func(k *kernel, _ uint64) {
		if fh, st := k.tryOpen("f", syscall.O_WRONLY); st == fuse.OK {
			k.close(fh)
		}
	},
	"getxattr": func(k *kernel, fh uint64) {
		h := header(k.open[fh])
		k.f.GetXAttr(nil, &h, "user.x", nil)
	},
	"chmod": func(k *kernel, _ uint64) {
		k.setattr("f", fuse.SetAttrIn{SetAttrInCommon: fuse.SetAttrInCommon{Valid: fuse.FATTR_MODE, Mode: 0o600}})
	},
}

// TestHandleKeepsItsVersion replaces a file by a longer or a shorter one while a handle
// has the old version open, and lets the mount learn of it in each possible way. The
// kernel keeps the pages of an inode and cuts them at its size. So the handle's inode
// must keep the old size, and the name must get another inode with the new size.
func TestHandleKeepsItsVersion(t *testing.T) {
	old := strings.Repeat("o", 3000)
	for name, learn := range learners {
		for _, flags := range []uint32{syscall.O_RDONLY, syscall.O_RDWR} {
			for _, size := range []int{9000, 1000} {
				t.Run(fmt.Sprintf("%s, flags %d, %d bytes", name, flags, size), func(t *testing.T) {
					k := newKernel(t, func(o *Options) { o.MetadataTTL, o.Xattr = 0, true })
					k.srv.PutObject(testBucket, "f", []byte(old), nil)
					fh := k.openFile("f", flags)
					if got := k.read(fh, 0, 20000); got != old {
						t.Fatalf("read %.20q", got)
					}
					k.srv.PutObject(testBucket, "f", []byte(strings.Repeat("n", size)), nil)
					learn(k, fh)
					if a, st := k.fstat(fh, 0); st != fuse.OK || a.Size != 3000 {
						t.Errorf("fstat of the handle: %v, size %d", st, a.Size)
					}
					if got, st := k.tryRead(fh, 0, 20000); st == fuse.OK && got != old || st != fuse.OK && st != fuse.Status(syscall.ESTALE) {
						t.Errorf("the handle reads %.20q, %v", got, st)
					}
					if a, st := k.stat("f"); st != fuse.OK || a.Size != uint64(size) {
						t.Errorf("stat: %v, size %d", st, a.Size)
					}
					next := k.openFile("f", syscall.O_RDONLY)
					if got := k.read(next, 0, 20000); got != strings.Repeat("n", size) {
						t.Errorf("the next open reads %.20q", got)
					}
					if k.open[next] == k.open[fh] {
						t.Error("both versions share an inode, and so the kernel's pages and size")
					}
					k.close(next)
					k.close(fh)
				})
			}
		}
	}
}

// TestOwnVersionIsNotForeign answers a lookup with what S3 held before a write of this
// mount. The inode that the mount has written keeps its name.
func TestOwnVersionIsNotForeign(t *testing.T) {
	k := newKernel(t)
	k.srv.PutObject(testBucket, "f", []byte("before"), nil)
	id, st := k.lookup("f")
	k.must(st, "lookup", "f")
	n := k.f.inodes.get(id)
	before, asked := n.snapshot(), k.f.inodes.now()
	fh := k.openFile("f", syscall.O_WRONLY|syscall.O_TRUNC)
	k.write(fh, 0, "written here")
	k.close(fh)
	fh = k.openFile("f", syscall.O_RDWR)
	if !k.f.learn(n, before, asked) {
		t.Error("the inode was left behind for a version that this mount has replaced")
	}
	if got := n.snapshot().Size; got != int64(len("written here")) {
		t.Errorf("the inode has the size %d of the replaced version", got)
	}
	k.close(fh)
}
