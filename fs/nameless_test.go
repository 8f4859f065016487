package fs

import (
	"syscall"
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// TestOpenOfReplacedNode shows that an OPEN that the kernel has sent before it heard
// of a rename or an unlink gets the content of its node, also if S3 never had it and
// nothing else has the node open, and that the content is released with the node.
func TestOpenOfReplacedNode(t *testing.T) {
	for name, remove := range map[string]func(*kernel) fuse.Status{
		"replaced": func(k *kernel) fuse.Status { return k.rename("new", "f", 0) },
		"removed":  func(k *kernel) fuse.Status { return k.unlink("f") },
	} {
		t.Run(name, func(t *testing.T) {
			k := newKernel(t, lingering)
			k.put("f", "old")
			k.put("new", "new")
			id, st := k.lookup("f")
			k.must(st, "lookup", "f")
			k.must(remove(k), "remove", "f")
			k.f.letGo(t.Context(), k.f.inodes.get(id)) // as the end of the handle that wrote it does
			if got := k.catNode(id); got != "old" {
				t.Errorf("an OPEN under way reads %q, want %q", got, "old")
			}
			k.drain()
			k.forgetNameless()
			if s := k.f.writes.Stats(); s.Files != 0 || s.Dirty != 0 {
				t.Errorf("after the kernel has forgotten the node: %+v", s)
			}
		})
	}
}

// TestOpenOfBareNode shows that an OPEN of a node that has lost its name and has no
// content of its own fails with ESTALE, so that the kernel looks the name up again.
func TestOpenOfBareNode(t *testing.T) {
	k := newKernel(t)
	k.put("f", "old")
	k.put("new", "new")
	id, st := k.lookup("f")
	k.must(st, "lookup", "f")
	k.must(k.rename("new", "f", 0), "rename", "new")
	for _, flags := range []uint32{syscall.O_RDONLY, syscall.O_WRONLY, syscall.O_RDWR | syscall.O_TRUNC} {
		var out fuse.OpenOut
		if st := k.f.Open(nil, &fuse.OpenIn{InHeader: header(id), Flags: flags}, &out); st != fuse.Status(syscall.ESTALE) {
			t.Errorf("open with flags %#x: %v, want ESTALE", flags, st)
		}
	}
	if got := k.cat("f"); got != "new" {
		t.Errorf("the name holds %q", got)
	}
}

// catNode opens a node by its number, reads it and closes it.
func (k *kernel) catNode(id uint64) string {
	k.t.Helper()
	var out fuse.OpenOut
	k.must(k.f.Open(nil, &fuse.OpenIn{InHeader: header(id)}, &out), "open", "")
	k.open[out.Fh] = id
	defer k.release(out.Fh)
	return k.read(out.Fh, 0, 100)
}
