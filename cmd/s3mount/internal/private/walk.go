package private

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// maxLinks bounds the symbolic links on a path, as the kernel does (path_resolution(7)).
const maxLinks = 40

// walk walks from the root to a directory. Its zero value is not valid.
type walk struct {
	euid, egid uint32
	trusted    []uint32 // users who may own directories on the way
	create     bool     // make missing directories

	dir   int    // descriptor of the current directory
	path  string // its path, for messages
	links int    // number of links that were followed
}

// newWalk starts at the root.
func newWalk(create bool) (*walk, error) {
	w := &walk{euid: uint32(os.Geteuid()), egid: uint32(os.Getegid()), create: create, dir: -1}
	w.trusted = trustedUsers(w.euid)
	return w, w.restart()
}

// trustedUsers returns root and this user. In a user namespace that maps only some users,
// all other users, such as the real root, appear as the overflow user. No process in the
// namespace can be that user (user_namespaces(7)).
func trustedUsers(euid uint32) []uint32 {
	const overflow = 65534
	users := []uint32{0, euid}
	mapped, err := os.ReadFile("/proc/self/uid_map")
	if err == nil && !slices.Equal(strings.Fields(string(mapped)), []string{"0", "0", "4294967295"}) {
		users = append(users, overflow)
	}
	return users
}

func (w *walk) close() {
	if w.dir >= 0 {
		_ = unix.Close(w.dir) // nothing was written
	}
}

// restart goes back to the root.
func (w *walk) restart() error {
	fd, err := unix.Open("/", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open /: %w", err)
	}
	w.close()
	w.dir, w.path = fd, "/"
	return w.checkReached()
}

// to walks to the parent of an absolute path and returns the last name of the path.
func (w *walk) to(path string) (name string, err error) {
	rest := split(path)
	if len(rest) == 0 {
		return "", errors.New("/ cannot be private")
	}
	for len(rest) > 1 {
		target, err := w.enter(rest[0])
		if err != nil {
			return "", err
		}
		rest = append(target, rest[1:]...)
	}
	return rest[0], nil
}

// enter enters a directory. For a symbolic link it returns the names on the path of the
// link.
func (w *walk) enter(name string) (target []string, err error) {
	fd, err := w.openChild(name)
	if err != nil {
		return nil, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, errors.Join(fmt.Errorf("look at %s: %w", w.child(name), err), unix.Close(fd))
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFLNK:
		defer unix.Close(fd)
		return w.follow(fd, name, st)
	case unix.S_IFDIR:
		w.close()
		w.dir, w.path = fd, w.child(name)
		return nil, w.checkReached()
	}
	return nil, errors.Join(fmt.Errorf("%s is not a directory", w.child(name)), unix.Close(fd))
}

// openChild opens a name in the current directory. If it is missing and w.create is set, it
// creates the directory.
func (w *walk) openChild(name string) (int, error) {
	const flags = unix.O_PATH | unix.O_NOFOLLOW | unix.O_CLOEXEC
	fd, err := unix.Openat(w.dir, name, flags, 0)
	if errors.Is(err, unix.ENOENT) && w.create {
		if err := w.makeChild(name); err != nil {
			return -1, err
		}
		fd, err = unix.Openat(w.dir, name, flags, 0)
	}
	if err != nil {
		return -1, fmt.Errorf("open %s: %w", w.child(name), err)
	}
	return fd, nil
}

func (w *walk) makeChild(name string) error {
	if err := unix.Mkdirat(w.dir, name, 0o700); err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("make the directory %s: %w", w.child(name), err)
	}
	return nil
}

// follow reads a symbolic link.
func (w *walk) follow(fd int, name string, st unix.Stat_t) ([]string, error) {
	if !slices.Contains(w.trusted, st.Uid) {
		return nil, fmt.Errorf("the symbolic link %s belongs to another user (%d)", w.child(name), st.Uid)
	}
	if w.links++; w.links > maxLinks {
		return nil, fmt.Errorf("follow %s: %w", w.child(name), unix.ELOOP)
	}
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(fd, "", buf)
	if err != nil {
		return nil, fmt.Errorf("follow %s: %w", w.child(name), err)
	}
	target := string(buf[:n])
	if filepath.IsAbs(target) {
		if err := w.restart(); err != nil {
			return nil, err
		}
	}
	return split(target), nil
}

// checkReached checks that only root and the user can replace names in the current
// directory.
func (w *walk) checkReached() error {
	var st unix.Stat_t
	if err := unix.Fstat(w.dir, &st); err != nil {
		return fmt.Errorf("look at %s: %w", w.path, err)
	}
	if !slices.Contains(w.trusted, st.Uid) {
		return fmt.Errorf("%s belongs to another user (%d), who could replace directories below it: use a directory elsewhere", w.path, st.Uid)
	}
	if st.Mode&0o022 == 0 || st.Mode&unix.S_ISVTX != 0 || w.ownGroup(st) {
		return nil
	}
	return fmt.Errorf("other users can write to %s (mode %04o) and could replace directories below it: run chmod go-w %s, or use a directory elsewhere",
		w.path, st.Mode&0o7777, w.path)
}

// ownGroup reports whether only the members of the user's own group can write. That group
// has the number of the user, and by convention contains only the user.
func (w *walk) ownGroup(st unix.Stat_t) bool {
	return st.Mode&0o002 == 0 && st.Uid == w.euid && st.Gid == w.egid && w.egid == w.euid
}

// child returns the path of a name in the current directory.
func (w *walk) child(name string) string { return filepath.Join(w.path, name) }

// split returns the names on a path.
func split(path string) []string {
	return slices.DeleteFunc(strings.Split(path, "/"), func(name string) bool { return name == "" || name == "." })
}
