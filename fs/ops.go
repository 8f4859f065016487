package fs

import (
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// All operations are methods of filesystem. Nothing is embedded, so that a missing
// operation does not compile.
var _ fuse.RawFileSystem = (*filesystem)(nil)

func (f *filesystem) String() string { return "s3mount" }

// SetDebug does nothing, because MountOptions.Debug is set before the mount.
func (f *filesystem) SetDebug(bool) {}

// Init is called when the kernel has agreed to the mount, before any request.
func (f *filesystem) Init(s *fuse.Server) {
	f.server = s
	f.usePassthrough(s)
	p := &pruner{inodes: f.inodes, kernel: s}
	f.watching.Go(func() { p.run(f.life) })
}

// OnUnmount does nothing, because Mount drains after the end of the server.
func (f *filesystem) OnUnmount() {}

// The kernel handles locks: flock(2) and fcntl(2) work between all processes of one
// mount without a request.

func (f *filesystem) GetLk(<-chan struct{}, *fuse.LkIn, *fuse.LkOut) fuse.Status { return fuse.ENOSYS }
func (f *filesystem) SetLk(<-chan struct{}, *fuse.LkIn) fuse.Status              { return fuse.ENOSYS }
func (f *filesystem) SetLkw(<-chan struct{}, *fuse.LkIn) fuse.Status             { return fuse.ENOSYS }

// Ioctl returns ENOTTY, because there are no controls.
func (f *filesystem) Ioctl(<-chan struct{}, *fuse.IoctlIn, []byte, *fuse.IoctlOut, []byte) fuse.Status {
	return fuse.Status(syscall.ENOTTY)
}
