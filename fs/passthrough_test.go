package fs

import (
	"strings"
	"syscall"
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// backingTable is the kernel's side of passthrough.
type backingTable struct {
	t      *testing.T
	last   int32
	live   map[int32]string // id: content of the file
	tries  int
	refuse syscall.Errno
}

func (b *backingTable) RegisterBackingFd(m *fuse.BackingMap) (int32, syscall.Errno) {
	b.tries++
	if b.refuse != 0 {
		return 0, b.refuse
	}
	var st syscall.Stat_t
	if err := syscall.Fstat(int(m.Fd), &st); err != nil {
		b.t.Errorf("register: %v", err)
		return 0, syscall.EBADF
	}
	p := make([]byte, st.Size)
	if n, err := syscall.Pread(int(m.Fd), p, 0); err != nil || n != len(p) {
		b.t.Errorf("register: %d bytes, %v", n, err)
	}
	b.last++
	b.live[b.last] = string(p)
	return b.last, 0
}

func (b *backingTable) UnregisterBackingFd(id int32) syscall.Errno {
	if _, ok := b.live[id]; !ok {
		b.t.Errorf("%d is taken back, but not registered", id)
		return syscall.ENOENT
	}
	delete(b.live, id)
	return 0
}

// passing mounts read-only, with key in the disk cache, and a kernel that passes through.
func passing(t *testing.T, key, content string) (*kernel, *backingTable) {
	t.Helper()
	dir := t.TempDir()
	k := newKernel(t, withCache(dir))
	k.srv.PutObject(testBucket, key, []byte(content), nil)
	k.cat(key)
	k.unmount()
	k = remount(t, k.srv, withCache(dir), func(o *Options) { o.ReadOnly = true })
	b := &backingTable{t: t, live: map[int32]string{}}
	k.f.kernel = &untilRefused{backingFiles: b, log: k.f.log}
	return k, b
}

func (k *kernel) openMode(p string) (fuse.OpenOut, fuse.Status) {
	k.t.Helper()
	id, st := k.lookup(p)
	k.must(st, "lookup", p)
	var out fuse.OpenOut
	st = k.f.Open(nil, &fuse.OpenIn{InHeader: header(id), Flags: syscall.O_RDONLY}, &out)
	if st == fuse.OK {
		k.open[out.Fh] = id
	}
	return out, st
}

// TestPassthroughOneFile checks that all handles of an inode have the same backing
// file, which is unregistered with the last handle.
func TestPassthroughOneFile(t *testing.T) {
	want := testContent(300_000)
	k, b := passing(t, "f", want)
	for range 2 {
		one, st := k.openMode("f")
		k.must(st, "open", "f")
		two, st := k.openMode("f")
		k.must(st, "open", "f")
		if one.OpenFlags != fuse.FOPEN_PASSTHROUGH|fuse.FOPEN_NOFLUSH || two.OpenFlags != one.OpenFlags || one.BackingID != two.BackingID {
			t.Fatalf("opened as %+v and %+v", one, two)
		}
		if b.live[one.BackingID] != want {
			t.Error("the kernel reads other bytes")
		}
		k.close(one.Fh)
		if len(b.live) != 1 {
			t.Error("taken back while it is in use")
		}
		k.close(two.Fh)
		if len(b.live) != 0 {
			t.Error("not taken back")
		}
	}
}

// TestPassthroughChange checks that old handles keep working after a change of the
// object, and that the name gets another inode with the new version.
func TestPassthroughChange(t *testing.T) {
	want := testContent(300_000)
	k, b := passing(t, "f", want)
	old, st := k.openMode("f")
	k.must(st, "open", "f")
	id := k.open[old.Fh]
	k.srv.PutObject(testBucket, "f", []byte(strings.ToUpper(want)), nil)
	if _, st := k.openMode("f"); st != fuse.Status(syscall.ESTALE) {
		t.Fatalf("open of the new version on the old inode: %v", st)
	}
	// The kernel looks the name up again.
	fresh, st := k.openMode("f")
	k.must(st, "open", "f")
	if k.open[fresh.Fh] == id {
		t.Errorf("inode %d as before", id)
	}
	got := b.live[fresh.BackingID] // the cache may have it already
	if fresh.OpenFlags&fuse.FOPEN_PASSTHROUGH == 0 {
		got = k.read(fresh.Fh, 0, len(want))
	}
	if got != strings.ToUpper(want) {
		t.Errorf("the new version reads %.40q", got)
	}
	if b.live[old.BackingID] != want {
		t.Error("the old version is gone from its handle")
	}
	// An open of the old inode fails, so that the kernel looks the name up again.
	var out fuse.OpenOut
	if st := k.f.Open(nil, &fuse.OpenIn{InHeader: header(id)}, &out); st != fuse.Status(syscall.ESTALE) {
		t.Errorf("open of an inode that was left behind: %v", st)
	}
	k.close(old.Fh)
	k.close(fresh.Fh)
	if len(b.live) != 0 {
		t.Error("not taken back")
	}
}

// TestPassthroughModes checks that files are read through the page cache beside a
// handle that uses it, and if the kernel refuses passthrough.
func TestPassthroughModes(t *testing.T) {
	want := testContent(300_000)
	k, b := passing(t, "f", want)
	pass := k.f.kernel
	k.f.kernel = nil
	cached, st := k.openMode("f")
	k.must(st, "open", "f")
	k.f.kernel = pass
	if out, st := k.openMode("f"); st != fuse.OK || out.OpenFlags&fuse.FOPEN_PASSTHROUGH != 0 || b.tries != 0 {
		t.Errorf("beside a handle of the page cache: opened as %+v, %v", out, st)
	} else {
		k.close(out.Fh)
	}
	k.close(cached.Fh)
	b.refuse = syscall.EPERM
	for range 3 {
		if got := k.cat("f"); got != want {
			t.Error("other bytes where the kernel refuses")
		}
	}
	if b.tries != 1 {
		t.Errorf("the kernel was asked %d times after it refused", b.tries)
	}
}
