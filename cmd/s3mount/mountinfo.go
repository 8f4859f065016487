package main

import (
	"bufio"
	"io"
	"strings"
)

// mountedAt is one line of /proc/self/mountinfo (proc_pid_mountinfo(5)).
type mountedAt struct {
	mountpoint string
	fstype     string
	source     string
}

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
	return mountedAt{
		mountpoint: unescapeOctal(left[4]),
		fstype:     right[0],
		source:     unescapeOctal(right[1]),
	}, true
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
