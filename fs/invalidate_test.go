package fs

import (
	"fmt"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// notices is a notifier that holds names back until it is opened.
type notices struct {
	open      chan struct{}
	arrived   chan struct{} // gets a value for each name that comes
	now, most atomic.Int32  // names that are held back, and the most at once
	names     []string
}

func (o *notices) EntryNotify(_ uint64, name string) fuse.Status {
	o.most.Store(max(o.most.Load(), o.now.Add(1)))
	o.arrived <- struct{}{}
	<-o.open
	o.names = append(o.names, name)
	o.now.Add(-1)
	return fuse.OK
}

func (o *notices) InodeNotify(uint64, int64, int64) fuse.Status { return fuse.OK }

// TestInvalidateAllUsesOneGoroutine drops all that is cached of a hundred names,
// three times at once. The kernel hears of one name at a time, and of each twice:
// what comes during the first pass needs one more.
func TestInvalidateAllUsesOneGoroutine(t *testing.T) {
	const files = 100
	k := newKernel(t)
	want := []string{}
	for i := range files {
		name := fmt.Sprintf("f%02d", i)
		k.srv.PutObject(testBucket, name, []byte("x"), nil)
		want = append(want, name, name)
	}
	for _, name := range want {
		_, st := k.lookup(name)
		k.must(st, "lookup", name)
	}
	o := &notices{open: make(chan struct{}), arrived: make(chan struct{}, 2*files)}
	k.f.server = o
	k.f.invalidateAll()
	<-o.arrived
	k.f.invalidateAll()
	k.f.invalidateAll()
	close(o.open)
	k.f.watching.Wait()
	slices.Sort(o.names)
	if !slices.Equal(o.names, want) {
		t.Errorf("the kernel heard of %d names, want %d", len(o.names), len(want))
	}
	if most := o.most.Load(); most != 1 {
		t.Errorf("%d names at once, want one", most)
	}
}

// TestRenameSetsCtime renames files and a directory, as ext4 does it.
func TestRenameSetsCtime(t *testing.T) {
	k := newKernel(t)
	past := fuse.SetAttrIn{SetAttrInCommon: fuse.SetAttrInCommon{Valid: fuse.FATTR_MTIME, Mtime: 1000}}
	k.put("saved", "x")
	k.must(k.setattr("saved", past), "utimens", "saved")
	k.must(k.mkdir("d"), "mkdir", "d")
	fh := k.create("unsaved", syscall.O_WRONLY)
	for _, name := range []string{"saved", "d", "unsaved"} {
		id, st := k.lookup(name)
		k.must(st, "lookup", name)
		before := k.f.inodes.get(id).tell()
		k.must(k.rename(name, name+"2", 0), "rename", name)
		after := k.f.inodes.get(id).tell()
		if !after.Attr.Ctime.After(before.Attr.Ctime) {
			t.Errorf("the ctime of %s is %v after a rename and was %v", name, after.Attr.Ctime, before.Attr.Ctime)
		}
		if !after.Attr.Mtime.Equal(before.Attr.Mtime) {
			t.Errorf("the mtime of %s is %v after a rename and was %v", name, after.Attr.Mtime, before.Attr.Mtime)
		}
	}
	k.close(fh)
}
