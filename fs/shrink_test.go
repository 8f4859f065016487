package fs

import (
	"syscall"
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// TestShrunkElsewhere checks that the first open of a file that has become smaller, and
// only that one, makes the kernel look the name up again, so that it does not use the
// old size.
func TestShrunkElsewhere(t *testing.T) {
	for _, flags := range []uint32{syscall.O_RDONLY, syscall.O_WRONLY, syscall.O_RDWR} {
		k := newKernel(t)
		k.srv.PutObject(testBucket, "f", []byte("a long content"), nil)
		id, st := k.lookup("f")
		k.must(st, "lookup", "f")
		open := func() fuse.Status {
			var out fuse.OpenOut
			st := k.f.Open(nil, &fuse.OpenIn{InHeader: header(id), Flags: flags}, &out)
			if st == fuse.OK {
				k.open[out.Fh] = id
				k.close(out.Fh)
			}
			return st
		}
		k.must(open(), "open", "f")
		k.srv.PutObject(testBucket, "f", []byte("short"), nil)
		errnoIs(t, open(), syscall.ESTALE, "open of a file that has shrunk")
		if a, st := k.stat("f"); st != fuse.OK || a.Size != 5 {
			t.Errorf("size %d, %v", a.Size, st)
		}
		k.must(open(), "open", "f")
		k.srv.PutObject(testBucket, "f", []byte("longer again"), nil)
		k.must(open(), "open", "f")
	}
}
