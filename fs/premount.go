package fs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Premount mounts the filesystem that Start will serve. It is for a process that mounts
// as root and then becomes the user uid of the group gid. The returned file is
// Options.Device. Until Start, accesses to the mountpoint block. Without a Start, the
// caller must unmount.
func Premount(mountpoint string, o Options, uid, gid int) (*os.File, error) {
	var st unix.Stat_t
	if err := unix.Stat(mountpoint, &st); err != nil {
		return nil, fmt.Errorf("look at %s: %w", mountpoint, err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		return nil, fmt.Errorf("mount %s: %w", mountpoint, unix.ENOTDIR)
	}
	// os.OpenFile would make the descriptor non-blocking, and reads would fail instead
	// of waiting.
	fd, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open the FUSE device: %w", err)
	}
	device := os.NewFile(uintptr(fd), "/dev/fuse")
	m := o.mountOptions()
	// https://docs.kernel.org/filesystems/fuse.html#mount-options
	data := []string{
		fmt.Sprintf("fd=%d", fd), fmt.Sprintf("rootmode=%o", st.Mode&unix.S_IFMT),
		fmt.Sprintf("user_id=%d", uid), fmt.Sprintf("group_id=%d", gid), fmt.Sprintf("max_read=%d", maxWrite),
	}
	if m.AllowOther {
		data = append(data, "allow_other")
	}
	flags := uintptr(unix.MS_NODEV | unix.MS_NOSUID)
	for _, name := range m.Options {
		switch name {
		case "nodev", "nosuid", "exec": // this is the default
		case "dev":
			flags &^= unix.MS_NODEV
		case "suid":
			flags &^= unix.MS_NOSUID
		case "noexec":
			flags |= unix.MS_NOEXEC
		case "ro":
			flags |= unix.MS_RDONLY
		default:
			data = append(data, name)
		}
	}
	if err := unix.Mount(m.FsName, mountpoint, "fuse."+m.Name, flags, strings.Join(data, ",")); err != nil {
		return nil, errors.Join(fmt.Errorf("mount %s: %w", mountpoint, err), device.Close())
	}
	return device, nil
}

// descriptors is the prefix of mountpoints that make go-fuse serve an open device
// without mounting.
const descriptors = "/dev/fd/"

// directory returns the absolute path of a mountpoint. It returns an error if the path
// is not a directory, because the kernel also mounts on files. Premount has checked the
// mountpoint of a device.
func (o Options) directory(mountpoint string) (string, error) {
	path, err := filepath.Abs(mountpoint)
	if err != nil {
		return "", fmt.Errorf("find the current directory: %w", err)
	}
	if o.Device != nil {
		return path, nil
	}
	if strings.HasPrefix(path, descriptors) {
		if path, err = filepath.EvalSymlinks(path); err != nil {
			return "", fmt.Errorf("resolve %s: %w", mountpoint, err)
		}
	}
	info, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("look at the mountpoint: %w", err)
	}
	if !info.IsDir() {
		return "", fmt.Errorf("mount %s: %w", path, unix.ENOTDIR)
	}
	return path, nil
}

// target returns the mountpoint for go-fuse. If Premount has mounted, it is a
// descriptor of the device, which go-fuse then owns.
func (o Options) target(mountpoint string) (string, error) {
	if o.Device == nil {
		return mountpoint, nil
	}
	fd, err := unix.FcntlInt(o.Device.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return "", fmt.Errorf("take over the FUSE device: %w", err)
	}
	return fmt.Sprintf(descriptors+"%d", fd), o.Device.Close()
}
