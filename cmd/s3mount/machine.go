package main

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
)

// machine is what the checks need to know of the computer and the user; tests
// give it files of their own.
type machine struct {
	mountinfo string // path of /proc/self/mountinfo
	fuseDev   string // path of /dev/fuse
	fuseConf  string // path of fusermount3's configuration
	// canMount tells whether this process may mount by itself.
	canMount bool
	lookPath func(string) (string, error)
	stat     func(string) (os.FileInfo, error)
	// ping makes the filesystem that is mounted at a path answer.
	ping func(path string) error
	// detach takes a mount out of the tree though it is busy or dead.
	detach func(ctx context.Context, path string) error
}

// thisMachine describes the machine that the process runs on.
func thisMachine() *machine {
	m := &machine{
		mountinfo: "/proc/self/mountinfo",
		fuseDev:   "/dev/fuse",
		fuseConf:  "/etc/fuse.conf",
		canMount:  hasMountCapability(),
		lookPath:  exec.LookPath,
		stat:      os.Stat,
		ping: func(path string) error {
			var st unix.Statfs_t
			return unix.Statfs(path, &st)
		},
	}
	m.detach = m.lazyUnmount
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

// lazyUnmount detaches path by the system call or, for those who may not, by
// fusermount3.
func (m *machine) lazyUnmount(ctx context.Context, path string) error {
	if m.canMount {
		return unix.Unmount(path, unix.MNT_DETACH)
	}
	bin, err := m.fusermount()
	if err != nil {
		return err
	}
	out, err := exec.CommandContext(ctx, bin, "-u", "-z", "--", path).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w", firstLine(out, bin), err)
	}
	return nil
}

// fusermount finds the program that mounts for users.
func (m *machine) fusermount() (string, error) {
	for _, name := range []string{"fusermount3", "fusermount"} {
		if path, err := m.lookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("fusermount3 is not installed")
}

// checkFUSE finds out whether this process will be able to mount, by itself or
// by fusermount3, which opens the device with the user's rights.
func (m *machine) checkFUSE(allowOther bool) error {
	if err := m.checkDevice(); err != nil || m.canMount {
		return err
	}
	if _, err := m.fusermount(); err != nil {
		return fail(exitFUSE, "only root may mount without fusermount3, which is not installed: install the package fuse3 or mount as root")
	}
	if allowOther && !m.userAllowOther() {
		return fail(exitFUSE, "--allow-other is not allowed to users here: put the line user_allow_other into %s or mount as root", m.fuseConf)
	}
	return nil
}

func (m *machine) checkDevice() error {
	f, err := os.OpenFile(m.fuseDev, os.O_RDWR, 0)
	switch {
	case err == nil:
		return f.Close()
	case errors.Is(err, os.ErrPermission):
		return fail(exitFUSE, "%s may not be opened: give this user (chmod 666 %s) or container (--device %s) access to it", m.fuseDev, m.fuseDev, m.fuseDev)
	case errors.Is(err, os.ErrNotExist), errors.Is(err, unix.ENODEV), errors.Is(err, unix.ENXIO):
		return fail(exitFUSE, "%s does not exist: load the kernel module (modprobe fuse) or give the container the device (--device /dev/fuse --cap-add SYS_ADMIN)", m.fuseDev)
	}
	return fail(exitFUSE, "check FUSE: %w", err)
}

// userAllowOther reads from fusermount3's configuration whether users may give
// allow_other (mount.fuse3(8), "CONFIGURATION").
func (m *machine) userAllowOther() bool {
	f, err := os.Open(m.fuseConf)
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

// firstLine is what a program had to say, or its name if it said nothing.
func firstLine(out []byte, otherwise string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	if line == "" {
		return otherwise
	}
	return line
}

// unmount is umount(8): the error is EBUSY while somebody uses the mount.
func (m *machine) unmount(ctx context.Context, path string) error {
	if m.canMount {
		return unix.Unmount(path, 0)
	}
	bin, err := m.fusermount()
	if err != nil {
		return err
	}
	out, err := exec.CommandContext(ctx, bin, "-u", "--", path).CombinedOutput()
	switch {
	case err == nil:
		return nil
	case strings.Contains(string(out), "busy"): // EBUSY in the words of fusermount3
		return unix.EBUSY
	}
	return fmt.Errorf("%s: %w", firstLine(out, bin), err)
}
