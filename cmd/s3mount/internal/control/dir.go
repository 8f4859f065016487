package control

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// DirVariable is the environment variable that overrides the runtime directory.
const DirVariable = "S3MOUNT_RUNTIME_DIR"

const (
	// systemDir is the runtime directory of root, by the Filesystem Hierarchy
	// Standard.
	systemDir = "/run/s3mount"
	// serviceDirs is the beginning of the runtime directories of services whose units
	// contain RuntimeDirectory=s3mount.NAME (systemd.exec(5)).
	serviceDirs = systemDir + "."
)

// RuntimeDir returns the directory for the sockets of a process of the user euid. This is
// the value of DirVariable, or systemDir for root. For other users it is the directory of
// their service, a directory in XDG_RUNTIME_DIR (XDG Base Directory Specification), or one
// in /tmp.
func RuntimeDir(euid int, getenv func(string) string) string {
	if dir := getenv(DirVariable); filepath.IsAbs(dir) {
		return dir
	}
	if euid == 0 {
		return systemDir
	}
	if dir := getenv("RUNTIME_DIRECTORY"); strings.HasPrefix(dir, serviceDirs) && !strings.Contains(dir, ":") {
		return dir
	}
	if dir := getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "s3mount")
	}
	return "/tmp/s3mount-" + strconv.Itoa(euid)
}

// dirsOf returns the directories in which the socket of a mount of the user uid may be.
func dirsOf(uid int, getenv func(string) string) []string {
	dirs := []string{RuntimeDir(uid, getenv), fmt.Sprintf("/run/user/%d/s3mount", uid), fmt.Sprintf("/tmp/s3mount-%d", uid)}
	services, err := filepath.Glob(serviceDirs + "*")
	if err != nil {
		return dirs
	}
	for _, dir := range services {
		var st unix.Stat_t
		if unix.Lstat(dir, &st) == nil && int(st.Uid) == uid { // the others belong to mounts of other users
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

// SocketName returns the name of the socket of the mount with a device number.
func SocketName(major, minor uint32) string { return fmt.Sprintf("%d-%d.sock", major, minor) }

// makeDir opens the runtime directory, and creates it if it is missing.
func makeDir(path string) (*os.File, error) {
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, fmt.Errorf("make the runtime directory: %w", err)
	}
	dir, err := openDir(path, os.Geteuid())
	if err != nil {
		return nil, err
	}
	// systemd creates directories that all users can read. Other users must not see the
	// names of the sockets.
	if err := dir.Chmod(0o700); err != nil {
		dir.Close()
		return nil, fmt.Errorf("close the runtime directory to others: %w", err)
	}
	return dir, nil
}

// openDir opens a runtime directory. It must belong to one of the owners, and no other user
// may be able to write to it.
func openDir(path string, owners ...int) (*os.File, error) {
	fd, err := unix.Open(path, unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_RDONLY|unix.O_CLOEXEC, 0)
	switch {
	case errors.Is(err, unix.ELOOP), errors.Is(err, unix.ENOTDIR):
		return nil, fmt.Errorf("the runtime directory %s is not a directory, or is a symbolic link: remove it, or name another one in %s", path, DirVariable)
	case err != nil:
		return nil, fmt.Errorf("open the runtime directory: %w", &os.PathError{Op: "open", Path: path, Err: err})
	}
	dir := os.NewFile(uintptr(fd), path)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		dir.Close()
		return nil, fmt.Errorf("look at the runtime directory: %w", err)
	}
	if err := checkOwner("the runtime directory "+path, st, owners); err != nil {
		dir.Close()
		return nil, err
	}
	return dir, nil
}

// checkOwner checks that a file belongs to one of owners and that no other user can write
// to it.
func checkOwner(what string, st unix.Stat_t, owners []int) error {
	for _, uid := range owners {
		if int(st.Uid) != uid {
			continue
		}
		if st.Mode&0o022 != 0 {
			return fmt.Errorf("others can write to %s (mode %04o): use chmod go-w", what, st.Mode&0o7777)
		}
		return nil
	}
	return fmt.Errorf("%s belongs to user %d, not to user %d: remove it, or name another one in %s", what, st.Uid, owners[0], DirVariable)
}

// under returns a path to a name in an open directory. It stays valid if the directory is
// renamed, and is short enough for a socket (108 bytes, unix(7)).
func under(dir *os.File, name string) string {
	return fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), name)
}
