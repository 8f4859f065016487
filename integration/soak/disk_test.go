package soak

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	gofs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/s3mount/s3mount/integration/harness"
)

// These files in the control directory of a disk make it slow or full.
const (
	slowFile = "slow"
	fullFile = "full"
	// slowness is the duration of an operation on a slow disk, such as a seek of an old
	// disk.
	slowness = 20 * time.Millisecond
)

// disk is the directory of a mount's state and cache in a filesystem that can be slow
// or full. The filesystem is the loopback filesystem of go-fuse in a separate process.
type disk struct {
	dir     string // the mount
	control string
}

func newDisk(t *testing.T, w *harness.World) *disk {
	t.Helper()
	d := &disk{dir: w.Dir(t, "disk"), control: w.Dir(t, "diskctl")}
	said, tells, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer said.Close()
	cmd := w.OpCommand("disk", d.dir, w.Dir(t, "backing"), d.control)
	cmd.Stdout, cmd.Stderr = tells, os.Stderr
	p, err := harness.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	_ = tells.Close() // the process has its own
	if _, err := said.Read(make([]byte, 1)); err != nil {
		t.Fatalf("the disk does not say that it is there: %v", err)
	}
	t.Cleanup(func() {
		p.Signal(syscall.SIGTERM)
		<-p.Done()
		if err := p.Err(); err != nil {
			t.Errorf("the disk: %v", err)
		}
	})
	return d
}

// sub makes a directory on the disk.
func (d *disk) sub(t *testing.T, name string) string {
	t.Helper()
	dir := filepath.Join(d.dir, name)
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

// be makes the disk slow or full for a while.
func (d *disk) be(t *testing.T, what string, howLong time.Duration) {
	file := filepath.Join(d.control, what)
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	time.Sleep(howLong)
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
}

// diskOp is the process of a disk: mountpoint, what lies behind it, control.
func diskOp(args []string) error {
	dir, backing, control := args[0], args[1], args[2]
	root, err := gofs.NewLoopbackRoot(backing)
	if err != nil {
		return fmt.Errorf("look at %s: %w", backing, err)
	}
	srv, err := gofs.Mount(dir, &diskNode{root.(*gofs.LoopbackNode), control}, &gofs.Options{MountOptions: fuse.MountOptions{
		FsName: "disk", Name: "disk", DirectMount: os.Geteuid() == 0,
		// Or the kernel writes past this process.
		DisabledCapabilities: fuse.CAP_PASSTHROUGH,
	}})
	if err != nil {
		return fmt.Errorf("mount the disk: %w", err)
	}
	fmt.Println("ready")
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGTERM)
	<-end
	for range 100 { // its processes have ended, but the kernel may still release their files
		if err = srv.Unmount(); err == nil {
			return nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	return fmt.Errorf("unmount the disk: %w", err)
}

// diskNode is a file or directory of a disk.
type diskNode struct {
	*gofs.LoopbackNode
	control string
}

var (
	_ gofs.NodeReader      = (*diskNode)(nil)
	_ gofs.NodeWriter      = (*diskNode)(nil)
	_ gofs.NodeFsyncer     = (*diskNode)(nil)
	_ gofs.NodeCreater     = (*diskNode)(nil)
	_ gofs.NodeMkdirer     = (*diskNode)(nil)
	_ gofs.NodeWrapChilder = (*diskNode)(nil)
)

// WrapChild implements gofs.NodeWrapChilder.
func (n *diskNode) WrapChild(_ context.Context, ops gofs.InodeEmbedder) gofs.InodeEmbedder {
	return &diskNode{ops.(*gofs.LoopbackNode), n.control}
}

func (n *diskNode) is(what string) bool {
	_, err := os.Stat(filepath.Join(n.control, what))
	return err == nil
}

// seek takes its time on a slow disk.
func (n *diskNode) seek() {
	if n.is(slowFile) {
		time.Sleep(slowness)
	}
}

// grow is seek, and fails on a full disk.
func (n *diskNode) grow() syscall.Errno {
	n.seek()
	if n.is(fullFile) {
		return syscall.ENOSPC
	}
	return 0
}

// Read implements gofs.NodeReader.
func (n *diskNode) Read(ctx context.Context, f gofs.FileHandle, dest []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	n.seek()
	return f.(gofs.FileReader).Read(ctx, dest, off)
}

// Write implements gofs.NodeWriter.
func (n *diskNode) Write(ctx context.Context, f gofs.FileHandle, data []byte, off int64) (uint32, syscall.Errno) {
	if errno := n.grow(); errno != 0 {
		return 0, errno
	}
	return f.(gofs.FileWriter).Write(ctx, data, off)
}

// Fsync implements gofs.NodeFsyncer.
func (n *diskNode) Fsync(ctx context.Context, f gofs.FileHandle, flags uint32) syscall.Errno {
	n.seek()
	if fs, ok := f.(gofs.FileFsyncer); ok {
		return fs.Fsync(ctx, flags)
	}
	return 0 // a directory: nothing here survives the machine
}

// Create implements gofs.NodeCreater.
func (n *diskNode) Create(ctx context.Context, name string, flags, mode uint32, out *fuse.EntryOut) (*gofs.Inode, gofs.FileHandle, uint32, syscall.Errno) {
	if errno := n.grow(); errno != 0 {
		return nil, nil, 0, errno
	}
	return n.LoopbackNode.Create(ctx, name, flags, mode, out)
}

// Mkdir implements gofs.NodeMkdirer.
func (n *diskNode) Mkdir(ctx context.Context, name string, mode uint32, out *fuse.EntryOut) (*gofs.Inode, syscall.Errno) {
	if errno := n.grow(); errno != 0 {
		return nil, errno
	}
	return n.LoopbackNode.Mkdir(ctx, name, mode, out)
}
