package fs

import (
	"syscall"
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// uploadSize is a hole that takes several copies inside S3.
const uploadSize = 100 << 20

// setSize is ftruncate(2).
func (k *kernel) setSize(fh uint64, size uint64) {
	k.t.Helper()
	var out fuse.AttrOut
	in := fuse.SetAttrIn{SetAttrInCommon: fuse.SetAttrInCommon{InHeader: header(k.open[fh]),
		Valid: fuse.FATTR_SIZE | fuse.FATTR_FH, Fh: fh, Size: size}}
	k.must(k.f.SetAttr(nil, &in, &out), "ftruncate", "")
}

// TestUploadEndsWithItsFile checks that unlink, a rename over the file, O_TRUNC and
// truncate end the upload for which the close of the file waits.
func TestUploadEndsWithItsFile(t *testing.T) {
	for name, c := range map[string]struct {
		end  func(k *kernel) fuse.Status
		want string // the object of the name; "-": none
	}{
		"unlink":      {func(k *kernel) fuse.Status { return k.unlink("f") }, "-"},
		"rename over": {func(k *kernel) fuse.Status { return k.rename("other", "f", 0) }, "other"},
		"O_TRUNC": {func(k *kernel) fuse.Status {
			k.close(k.openFile("f", syscall.O_WRONLY|syscall.O_TRUNC))
			return fuse.OK
		}, ""},
		"truncate": {func(k *kernel) fuse.Status {
			return k.setattr("f", fuse.SetAttrIn{SetAttrInCommon: fuse.SetAttrInCommon{Valid: fuse.FATTR_SIZE}})
		}, ""},
	} {
		for _, durability := range []string{durabilityS3, durabilityJournal} {
			if name == "rename over" && durability == durabilityJournal {
				continue // the rename saves first what the close has promised (savePromised)
			}
			t.Run(name+" "+durability, func(t *testing.T) {
				g := newGate("UploadPartCopy", "f")
				k := newGatedKernel(t, g, func(o *Options) { o.Posix, o.Durability, o.Linger = "off", durability, 0 })
				k.put("other", "other")
				fh := k.create("f", syscall.O_WRONLY)
				k.setSize(fh, uploadSize)
				closed := make(chan fuse.Status, 1)
				go func() { closed <- k.flush(fh) }()
				<-g.arrived
				if s := k.f.writes.Stats(); s.Unsaved != uploadSize || len(k.f.writes.Uploads()) != 1 {
					t.Errorf("%d bytes are unsaved in %d uploads, want %d in one", s.Unsaved, len(k.f.writes.Uploads()), uploadSize)
				}
				// The server still holds the copies back.
				k.must(c.end(k), name, "f")
				k.must(<-closed, "close", "f")
				close(g.open)
				k.close(fh)
				k.unmount()
				if c.want == "-" {
					k.wantNoObject("f")
				} else {
					k.wantObject("f", c.want)
				}
				if n := k.srv.Uploads(testBucket); n != 0 {
					t.Errorf("%d uploads are left", n)
				}
				if keys := k.keys(); len(keys) > 2 {
					t.Errorf("the bucket has %q, want two objects at most", keys)
				}
			})
		}
	}
}
