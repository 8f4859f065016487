package harness

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// FuseMount is a FUSE mount in /proc/self/mountinfo
// (https://docs.kernel.org/filesystems/proc.html, 3.5).
type FuseMount struct {
	Dir    string
	Minor  int // names the connection in fusectl
	Type   string
	Source string
}

// FuseMounts returns the FUSE mounts below dir, including dir. It does not access them.
func FuseMounts(dir string) ([]FuseMount, error) {
	ms, err := mountsUnder(dir)
	return slices.DeleteFunc(ms, func(m FuseMount) bool {
		return !strings.HasPrefix(m.Type, "fuse") || m.Type == "fusectl"
	}), err
}

func mountsUnder(dir string) ([]FuseMount, error) {
	b, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("read the mount table: %w", err)
	}
	var ms []FuseMount
	for line := range strings.Lines(string(b)) {
		left, right, ok := strings.Cut(line, " - ")
		l, r := strings.Fields(left), strings.Fields(right)
		if !ok || len(l) < 5 || len(r) < 2 {
			continue
		}
		at := unoctal(l[4])
		if at != dir && !strings.HasPrefix(at, dir+"/") {
			continue
		}
		_, minor, _ := strings.Cut(l[2], ":")
		n, err := strconv.Atoi(minor)
		if err != nil {
			return nil, fmt.Errorf("read device number of %s: %w", at, err)
		}
		ms = append(ms, FuseMount{Dir: at, Minor: n, Type: r[0], Source: unoctal(r[1])})
	}
	return ms, nil
}

// unoctal decodes the \ooo escapes of the mount table.
func unoctal(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+4 <= len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// Abort ends the FUSE connection of a mount, so that every pending call fails, and
// detaches the mount. It never waits for the filesystem.
func (m FuseMount) Abort() error {
	if os.Geteuid() != 0 {
		if out, err := Output("fusermount3", "-u", "-z", m.Dir); err != nil {
			return fmt.Errorf("detach %s: %w: %s", m.Dir, err, out)
		}
		return nil
	}
	ctl, err := fusectl()
	if err == nil {
		// Abort fails only if the connection has already ended.
		_ = os.WriteFile(filepath.Join(ctl, strconv.Itoa(m.Minor), "abort"), []byte("1"), 0)
	}
	if err := syscall.Unmount(m.Dir, syscall.MNT_DETACH); err != nil && err != syscall.EINVAL {
		return fmt.Errorf("detach %s: %w", m.Dir, err)
	}
	return nil
}

// fusectl returns the directory of the FUSE connections of the kernel. It mounts it in
// this mount namespace if necessary.
func fusectl() (string, error) {
	const dir = "/sys/fs/fuse/connections"
	var st syscall.Statfs_t
	const fusectlMagic = 0x65735543 // linux/magic.h
	if err := syscall.Statfs(dir, &st); err == nil && st.Type == fusectlMagic {
		return dir, nil
	}
	if err := syscall.Mount("fusectl", dir, "fusectl", 0, ""); err != nil {
		return "", fmt.Errorf("mount fusectl: %w", err)
	}
	return dir, nil
}
