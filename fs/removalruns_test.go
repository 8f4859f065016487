package fs

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// remover sends the removals of one thread.
type remover struct {
	*kernel
	thread uint32
}

func (r remover) header(id uint64) fuse.InHeader {
	return fuse.InHeader{NodeId: id, Caller: fuse.Caller{Pid: r.thread}}
}

func (r remover) unlink(p string) {
	r.t.Helper()
	dir, name := r.parent(p)
	h := r.header(dir)
	r.must(r.f.Unlink(nil, &h, name), "unlink", p)
}

func (r remover) rmdir(p string) {
	r.t.Helper()
	dir, name := r.parent(p)
	h := r.header(dir)
	r.must(r.f.Rmdir(nil, &h, name), "rmdir", p)
}

// list reads a directory as rm does before it removes what is in it.
func (r remover) list(p string) {
	r.t.Helper()
	id, st := r.lookup(p)
	r.must(st, "lookup", p)
	var out fuse.OpenOut
	r.must(r.f.OpenDir(nil, &fuse.OpenIn{InHeader: r.header(id)}, &out), "opendir", p)
	defer r.f.ReleaseDir(&fuse.ReleaseIn{Fh: out.Fh})
	list := fuse.NewDirEntryList(make([]byte, 1<<16), 0)
	r.must(r.f.ReadDir(nil, &fuse.ReadIn{InHeader: r.header(id), Fh: out.Fh, Size: 1 << 16}, list), "readdir", p)
}

// newRemover mounts with runs that no pause ends.
func newRemover(t *testing.T) remover {
	k := newKernel(t, func(o *Options) { o.Posix = "off" })
	k.f.runs.gap = time.Hour
	k.put("proof", "x")
	k.must(k.unlink("proof"), "unlink", "proof") // the first delete of a mount always waits
	return remover{k, 7}
}

// has tells whether S3 has an object.
func (k *kernel) has(key string) bool {
	_, ok := objectsOf(k.srv)[key]
	return ok
}

// TestRunsOfRemovals shows which removals have reached S3 when they return.
func TestRunsOfRemovals(t *testing.T) {
	r := newRemover(t)
	gather := func(p string) { // removes a file in a run, which may wait in a batch
		t.Helper()
		before := len(r.srv.Log())
		r.unlink(p)
		if sent := r.sent(before); len(sent) != 0 {
			t.Errorf("the removal of %s in a run sends %q at once", p, sent)
		}
	}
	single := func(p string) {
		t.Helper()
		r.unlink(p)
		if r.has(p) {
			t.Errorf("the removal of %s returns before S3 has executed it", p)
		}
	}
	for i := range 9 {
		r.put(fmt.Sprint(i), "x")
	}
	single("0")
	gather("1")
	other := remover{r.kernel, 8}
	other.unlink("2")
	if r.has("2") || r.has("1") {
		t.Error("the first removal of another thread returns before S3 has executed all")
	}
	gather("3")
	for i, change := range []func(){
		func() { r.close(r.createBy("new")) },
		func() {
			r.must(r.f.Rename(nil, &fuse.RenameIn{InHeader: r.header(rootID), Newdir: rootID}, "new", "newer"), "rename", "new")
		},
	} {
		change()
		if r.has("3") {
			t.Error("a change has reached S3 before a removal that was acknowledged")
		}
		single(fmt.Sprint(4 + i))
	}
	gather("6")
	r.f.runs.gap = 0
	single("7")
}

// createBy makes a file as the thread.
func (r remover) createBy(name string) uint64 {
	r.t.Helper()
	var out fuse.CreateOut
	r.must(r.f.Create(nil, &fuse.CreateIn{InHeader: r.header(rootID), Flags: syscall.O_WRONLY | syscall.O_EXCL, Mode: 0o644}, name, &out), "create", name)
	r.refs[out.NodeId]++
	r.open[out.Fh] = out.NodeId
	return out.Fh
}

// TestRemovalOfATree shows that rm -r of 900 files in nine directories takes about
// ten requests, and that S3 has executed them when the last rmdir returns.
func TestRemovalOfATree(t *testing.T) {
	r := newRemover(t)
	r.must(r.mkdir("t"), "mkdir", "t")
	for d := range 9 {
		dir := fmt.Sprintf("t/%d", d)
		r.must(r.mkdir(dir), "mkdir", dir)
		for i := range 100 {
			r.srv.PutObject(testBucket, fmt.Sprintf("%s/%02d", dir, i), []byte("x"), nil)
		}
	}
	r.f.ns.InvalidateAll()
	before := len(r.srv.Log())
	r.list("t")
	for d := range 9 {
		dir := fmt.Sprintf("t/%d", d)
		r.list(dir)
		for i := range 100 {
			r.unlink(fmt.Sprintf("%s/%02d", dir, i))
		}
		r.rmdir(dir)
	}
	r.rmdir("t")
	if left := r.keys(); len(left) != 0 {
		t.Errorf("S3 has %d objects when the last rmdir returns", len(left))
	}
	// The bound leaves room for batches that the timer ends on a slow machine.
	if sent := r.sent(before); len(sent) > 25 {
		t.Errorf("%d requests: %q", len(sent), sent)
	} else {
		t.Logf("%d requests", len(sent))
	}
}
