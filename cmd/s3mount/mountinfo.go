package main

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// mountedAt is one line of /proc/self/mountinfo (proc_pid_mountinfo(5)).
type mountedAt struct {
	mountpoint   string
	fstype       string
	source       string
	major, minor uint32 // of the device, by which the kernel knows the mount
	uid          int    // of who mounted it; -1 if this is no FUSE mount
}

// isOurs tells whether s3mount answers for the mount.
func (m mountedAt) isOurs() bool { return m.fstype == "fuse.s3mount" }

// isFUSE tells whether a FUSE process answers for the mount.
func (m mountedAt) isFUSE() bool {
	return m.fstype == "fuse" || strings.HasPrefix(m.fstype, "fuse.")
}

// topMount returns the mount that is visible at path: the last of those
// stacked there. ok is false if none is.
func topMount(mountinfo io.Reader, path string) (top mountedAt, ok bool, err error) {
	lines := bufio.NewScanner(mountinfo)
	// A line holds two paths of up to 4 KiB, whose bytes may be written as
	// four each, and the mount options.
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		m, valid := parseMountinfo(lines.Text())
		if valid && m.mountpoint == path {
			top, ok = m, true
		}
	}
	return top, ok, lines.Err()
}

// parseMountinfo reads one line:
//
//	36 35 98:0 /root /mountpoint rw,noatime shared:1 - ext4 /dev/root rw
func parseMountinfo(line string) (mountedAt, bool) {
	before, after, ok := strings.Cut(line, " - ")
	left, right := strings.Fields(before), strings.Split(after, " ")
	if !ok || len(left) < 5 || len(right) < 2 {
		return mountedAt{}, false
	}
	m := mountedAt{
		mountpoint: unescapeOctal(left[4]),
		fstype:     right[0],
		source:     unescapeOctal(right[1]),
		uid:        -1,
	}
	// What cannot be read is 0:0, which is no mount's number.
	if _, err := fmt.Sscanf(left[2], "%d:%d", &m.major, &m.minor); err != nil {
		m.major, m.minor = 0, 0
	}
	for _, o := range strings.Split(right[len(right)-1], ",") {
		if id, ok := strings.CutPrefix(o, "user_id="); ok {
			m.uid, _ = strconv.Atoi(id) // the kernel writes a number
		}
	}
	return m, true
}

// allMounts returns the mounts that keep says yes to, without those that another
// one hides: of several at one mountpoint the last.
func allMounts(mountinfo io.Reader, keep func(mountedAt) bool) ([]mountedAt, error) {
	var all []mountedAt
	lines := bufio.NewScanner(mountinfo)
	lines.Buffer(nil, 1<<20) // as above
	for lines.Scan() {
		m, valid := parseMountinfo(lines.Text())
		if !valid {
			continue
		}
		all = slices.DeleteFunc(all, func(old mountedAt) bool { return old.mountpoint == m.mountpoint })
		all = append(all, m)
	}
	return slices.DeleteFunc(all, func(m mountedAt) bool { return !keep(m) }), lines.Err()
}

// unescapeOctal undoes the kernel's \040 for bytes that would break the format.
func unescapeOctal(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) && isOctal(s[i+1]) && isOctal(s[i+2]) && isOctal(s[i+3]) {
			b.WriteByte((s[i+1]-'0')<<6 | (s[i+2]-'0')<<3 | (s[i+3] - '0'))
			i += 3
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func isOctal(c byte) bool { return c >= '0' && c <= '7' }
