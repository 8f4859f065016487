package machine

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/moby/sys/capability"
	"golang.org/x/sys/unix"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/exit"
)

// Machine describes the computer and the user. Tests use their own files.
type Machine struct {
	Mountinfo string // path of /proc/self/mountinfo
	FuseDev   string // path of /dev/fuse
	FuseConf  string // path of fusermount3's configuration
	// CanMount reports whether this process may mount by itself.
	CanMount bool
	LookPath func(string) (string, error)
	Stat     func(string) (os.FileInfo, error)
	// Ping sends a request to the filesystem that is mounted at a path.
	Ping func(path string) error
	// Detach unmounts a mount even if it is busy or dead.
	Detach func(ctx context.Context, path string) error
}

// This returns the machine on which the process runs.
func This() *Machine {
	m := &Machine{
		Mountinfo: "/proc/self/mountinfo",
		FuseDev:   "/dev/fuse",
		FuseConf:  "/etc/fuse.conf",
		CanMount:  hasMountCapability(),
		LookPath:  exec.LookPath,
		Stat:      os.Stat,
		Ping: func(path string) error {
			var st unix.Statfs_t
			return unix.Statfs(path, &st)
		},
	}
	m.Detach = m.lazyUnmount
	return m
}

// hasMountCapability reports whether the process has CAP_SYS_ADMIN, which root
// lacks in most containers.
func hasMountCapability() bool {
	own, err := capability.NewPid2(0)
	if err == nil {
		err = own.Load()
	}
	if err != nil {
		return os.Geteuid() == 0
	}
	return own.Get(capability.EFFECTIVE, capability.CAP_SYS_ADMIN)
}

// lazyUnmount detaches path with the system call, or with fusermount3 for users who may not
// use it.
func (m *Machine) lazyUnmount(ctx context.Context, path string) error {
	if m.CanMount {
		return unix.Unmount(path, unix.MNT_DETACH)
	}
	bin, err := m.Fusermount()
	if err != nil {
		return err
	}
	out, err := exec.CommandContext(ctx, bin, "-u", "-z", "--", path).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w", firstLine(out, bin), err)
	}
	return nil
}

// Fusermount returns the path of the program that mounts for users.
func (m *Machine) Fusermount() (string, error) {
	for _, name := range []string{"fusermount3", "fusermount"} {
		if path, err := m.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("fusermount3 is not installed")
}

// CheckFUSE checks that this process can mount, by itself or with fusermount3, which opens
// the device with the rights of the user.
func (m *Machine) CheckFUSE(allowOther bool) error {
	if err := m.checkDevice(); err != nil || m.CanMount {
		return err
	}
	if _, err := m.Fusermount(); err != nil {
		return exit.Errorf(exit.FUSE, "only root may mount without fusermount3, which is not installed: install the package fuse3 or mount as root")
	}
	if allowOther && !m.userAllowOther() {
		return exit.Errorf(exit.FUSE, "--allow-other is not allowed to users here: put the line user_allow_other into %s or mount as root", m.FuseConf)
	}
	return nil
}

func (m *Machine) checkDevice() error {
	f, err := os.OpenFile(m.FuseDev, os.O_RDWR, 0)
	switch {
	case err == nil:
		return f.Close()
	case errors.Is(err, os.ErrPermission):
		return exit.Errorf(exit.FUSE, "%s may not be opened: give this user (chmod 666 %s) or container (--device %s) access to it", m.FuseDev, m.FuseDev, m.FuseDev)
	case errors.Is(err, os.ErrNotExist), errors.Is(err, unix.ENODEV), errors.Is(err, unix.ENXIO):
		return exit.Errorf(exit.FUSE, "%s does not exist: load the kernel module (modprobe fuse) or give the container the device (--device /dev/fuse --cap-add SYS_ADMIN)", m.FuseDev)
	}
	return exit.Errorf(exit.FUSE, "check FUSE: %w", err)
}

// userAllowOther reports whether the configuration of fusermount3 permits allow_other to
// users (mount.fuse3(8), "CONFIGURATION").
func (m *Machine) userAllowOther() bool {
	f, err := os.Open(m.FuseConf)
	if err != nil {
		return false
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if strings.TrimSpace(lines.Text()) == "user_allow_other" {
			return true
		}
	}
	return false
}

// firstLine returns the first line of the output of a program, or its name if there is
// none.
func firstLine(out []byte, otherwise string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	if line == "" {
		return otherwise
	}
	return line
}

// Unmount unmounts like umount(8). The error is EBUSY while a program uses the mount.
func (m *Machine) Unmount(ctx context.Context, path string) error {
	if m.CanMount {
		return unix.Unmount(path, 0)
	}
	bin, err := m.Fusermount()
	if err != nil {
		return err
	}
	out, err := exec.CommandContext(ctx, bin, "-u", "--", path).CombinedOutput()
	switch {
	case err == nil:
		return nil
	case strings.Contains(string(out), "busy"): // the message of fusermount3 for EBUSY
		return unix.EBUSY
	}
	return fmt.Errorf("%s: %w", firstLine(out, bin), err)
}
