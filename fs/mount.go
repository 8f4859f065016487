package fs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"github.com/s3mount/s3mount/fs/writeback"
	"github.com/s3mount/s3mount/s3"
)

// Mount is one mounted filesystem.
type Mount struct {
	f          *filesystem
	o          *observed // receives the requests of go-fuse
	server     *fuse.Server
	mountpoint string
	done       chan struct{} // closed when unmounted and drained
	err        error         // of the last drain; read after done
}

const (
	// maxWrite is the size of the largest READ and WRITE. 1 MiB costs 1.5 times less
	// CPU per GiB than the default of 128 KiB. More than the 256 pages of the kernel's
	// default needs a sysctl.
	maxWrite = 1 << 20
	// maxBackground is large enough for the kernel's readahead of several readers.
	maxBackground = 64
	// maxInflight bounds the buffers of waiting requests in go-fuse, in bytes.
	maxInflight = 64 << 20
	// readAheadKB is the readahead of the backing device of the mount. With it the
	// kernel requests 1 MiB at a time, and reads from memory reach 2.6 GiB/s instead of
	// 1.7. Only root can set it.
	readAheadKB = "2048"
	// drainTime bounds the drain after an unmount by another program.
	drainTime = time.Hour
)

// Start mounts o.Bucket at mountpoint and returns once the mount answers.
func Start(ctx context.Context, client *s3.Client, mountpoint string, o Options) (*Mount, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	mountpoint, err := o.directory(mountpoint)
	if err != nil {
		return nil, err
	}
	f, err := newFilesystem(client, o)
	if err != nil {
		return nil, err
	}
	if err := f.recover(ctx); err != nil {
		return nil, errors.Join(err, f.close())
	}
	asked := newObserved(f)
	target, err := o.target(mountpoint)
	if err != nil {
		return nil, errors.Join(err, f.close())
	}
	server, err := fuse.NewServer(asked, target, o.mountOptions())
	if err != nil {
		return nil, errors.Join(fmt.Errorf("mount %s: %w", mountpoint, err), f.close())
	}
	m := &Mount{f: f, o: asked, server: server, mountpoint: mountpoint, done: make(chan struct{})}
	go m.serve()
	go asked.requests.Watch(m.done, o.SlowRequest, f.pathOf)
	if err := server.WaitMount(); err != nil {
		return nil, errors.Join(fmt.Errorf("wait for the mount at %s: %w", mountpoint, err), m.Unmount(ctx))
	}
	m.tuneReadahead()
	return m, nil
}

func (o Options) mountOptions() *fuse.MountOptions {
	m := &fuse.MountOptions{
		FsName: o.Source, Name: "s3mount",
		AllowOther:  o.AllowOther,
		DirectMount: o.Device == nil && os.Geteuid() == 0, // with a device it would mount again
		Options:     append([]string{"default_permissions"}, o.MountOptions...),

		MaxWrite: maxWrite, MaxBackground: maxBackground, MaxInflightRequestBytes: maxInflight,
		// Splice is slower than writev with our blocks, and go-fuse logs an error per
		// MiB.
		DisableSplice: true,
		// The filesystem drops pages at an open that finds another ETag. Automatic
		// invalidation by mtime would cost a GETATTR per read.
		ExplicitDataCacheControl: true,
		EnableSymlinkCaching:     true,
		ExtraCapabilities:        fuse.CAP_ATOMIC_O_TRUNC | fuse.CAP_DIRECT_IO_ALLOW_MMAP,

		Debug:  o.Debug,
		Logger: newDebugLog(o.Logger),
	}
	if m.FsName == "" {
		m.FsName = o.Bucket
	}
	if o.ReadOnly {
		m.Options = append(m.Options, "ro")
	}
	return m
}

// serve handles requests until the unmount, and then drains.
func (m *Mount) serve() {
	m.server.Serve()
	m.f.inodes.forgetAll()
	m.f.end()
	ctx, stop := context.WithTimeout(context.Background(), drainTime)
	defer stop()
	m.err = errors.Join(m.f.drainAtEnd(ctx), m.f.close())
	if kept := m.f.kept(m.f.stillWaiting()); m.err == nil && kept != nil {
		m.err = kept
	} else if kept != nil {
		m.err = errors.Join(m.err, kept)
	}
	close(m.done)
}

// tuneReadahead sets readAheadKB. Without it reads are only slower.
func (m *Mount) tuneReadahead() {
	var st unix.Stat_t
	if unix.Stat(m.mountpoint, &st) != nil {
		return
	}
	bdi := fmt.Sprintf("/sys/class/bdi/%d:%d/read_ahead_kb", unix.Major(st.Dev), unix.Minor(st.Dev))
	if err := os.WriteFile(bdi, []byte(readAheadKB), 0); err != nil {
		m.f.log.Debug("cannot set the kernel's readahead", slog.Any("error", err))
	}
}

// Wait returns when the filesystem is unmounted and drained. The error describes the
// data that could not be uploaded.
func (m *Mount) Wait() error {
	<-m.done
	return m.err
}

// Drain returns when S3 has everything that was written so far. A *KeptError means that
// nothing is left to upload, but that S3 does not have everything.
func (m *Mount) Drain(ctx context.Context) error {
	if err := m.f.drain(ctx); err != nil {
		return err
	}
	if err := m.f.kept(nil); err != nil {
		return err
	}
	return nil
}

// Invalidate drops all cached metadata, including those of the kernel.
func (m *Mount) Invalidate() { m.f.invalidateAll() }

// openFilesTime is how long a detached mount serves open files. It is longer than a
// program takes to close its files when it is terminated together with the mount, and
// shorter than the timeout of a service manager (90 s in systemd).
const openFilesTime = 30 * time.Second

// ErrOpenFiles means that programs had open files openFilesTime after the mount was
// detached. S3 has everything that they wrote.
var ErrOpenFiles = errors.New("files are still open")

// Unmount uploads everything, removes the mountpoint from the tree and returns when the
// mount has ended. If programs have open files, the mount is detached. It then serves
// them until they are closed, until ctx ends, or until openFilesTime has passed and
// nothing is left to upload.
func (m *Mount) Unmount(ctx context.Context) error {
	drained := m.f.drainAtEnd(ctx)
	m.f.end()
	if err := m.unmount(); err != nil {
		return errors.Join(drained, fmt.Errorf("unmount %s: %w", m.mountpoint, err))
	}
	timer := time.NewTimer(openFilesTime)
	defer timer.Stop()
	for {
		select {
		case <-m.done:
			if m.err == nil && errors.Is(drained, writeback.ErrConflict) {
				return drained // nothing is left to upload, but S3 does not have everything
			}
			return m.err
		case <-ctx.Done():
			return errors.Join(drained, m.Drain(context.WithoutCancel(ctx)), fmt.Errorf("%w: %w", ErrOpenFiles, ctx.Err()))
		case <-timer.C:
			if err := m.endUnderFiles(ctx, drained); err != nil {
				return err
			}
			timer.Reset(time.Second)
		}
	}
}

// endUnderFiles decides whether the mount can end while files are open. It returns
// ErrOpenFiles, or the reason why S3 does not have everything, if it can. It returns
// nil while something is not uploaded.
func (m *Mount) endUnderFiles(ctx context.Context, drained error) error {
	if m.Unwritten() != (Unwritten{}) {
		return nil
	}
	if err := errors.Join(drained, m.Drain(ctx)); err != nil {
		return err
	}
	return ErrOpenFiles
}

func (m *Mount) unmount() error {
	select {
	case <-m.done:
		return nil // it was unmounted by another program
	default:
	}
	if os.Geteuid() == 0 {
		err := unix.Unmount(m.mountpoint, unix.MNT_DETACH)
		if errors.Is(err, syscall.EINVAL) {
			return nil // not mounted any more
		}
		return err
	}
	out, err := exec.Command("fusermount3", "-u", "-z", m.mountpoint).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}
