package fs

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Premount mounts at mountpoint what Start is going to serve, for a process
// that mounts as root and then becomes the user uid of the group gid. The file
// returned goes into Options.Device. Until Start, whoever touches the mountpoint
// waits; if there will be no Start, the mount must be taken away.
func Premount(mountpoint string, o Options, uid, gid int) (*os.File, error) {
	var st unix.Stat_t
	if err := unix.Stat(mountpoint, &st); err != nil {
		return nil, fmt.Errorf("look at %s: %w", mountpoint, err)
	}
	// Not by os.OpenFile, which would have reads fail that should wait.
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
		case "nodev", "nosuid", "exec": // so it is
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

// target is where go-fuse shall mount: at the mountpoint, or, when Premount has
// done so, on its device, which go-fuse then owns.
func (o Options) target(mountpoint string) (string, error) {
	if o.Device == nil {
		return mountpoint, nil
	}
	fd, err := unix.FcntlInt(o.Device.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return "", fmt.Errorf("take over the FUSE device: %w", err)
	}
	return fmt.Sprintf("/dev/fd/%d", fd), o.Device.Close()
}
