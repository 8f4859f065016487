package machine

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/text"
)

// maxUsers limits the number of programs that UsersOf names.
const maxUsers = 5

// UsersOf names the programs that use a mount, if this user may see them in /proc
// (proc_pid_cwd(5), proc_pid_fd(5)). It only reads links, which sends no request to the
// mount.
func UsersOf(at Mount) string {
	var names []string
	processes, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return ""
	}
	for _, dir := range processes {
		if !uses(dir, at.Mountpoint) {
			continue
		}
		name, err := os.ReadFile(filepath.Join(dir, "comm"))
		if err != nil {
			continue // it has ended
		}
		if len(names) == maxUsers {
			names = append(names, "others")
			break
		}
		pid, _ := strconv.Atoi(filepath.Base(dir)) // the name consists of digits
		names = append(names, fmt.Sprintf("%s (%d)", text.Printable(strings.TrimSpace(string(name))), pid))
	}
	if len(names) == 0 {
		return ""
	}
	return ", used by " + text.Enumerate(names)
}

// uses reports whether the process in a directory of /proc has a file of a mount open or
// has its working directory there.
func uses(process, mountpoint string) bool {
	links := []string{filepath.Join(process, "cwd"), filepath.Join(process, "root")}
	open, err := filepath.Glob(filepath.Join(process, "fd", "*"))
	if err != nil {
		return false
	}
	return slices.ContainsFunc(append(links, open...), func(link string) bool {
		target, err := os.Readlink(link)
		return err == nil && (target == mountpoint || strings.HasPrefix(target, strings.TrimSuffix(mountpoint, "/")+"/"))
	})
}
