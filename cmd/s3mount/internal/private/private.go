package private

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// Make creates a directory that only this user can enter, and missing directories above
// it. path is absolute. If the directory exists, is open to others and is not empty, Make
// returns an error and does not change it, because it may be a place such as /tmp.
func Make(path string) error {
	w, err := newWalk(true)
	if err != nil {
		return err
	}
	defer w.close()
	name, err := w.to(path)
	if err != nil {
		return err
	}
	if err := w.makeChild(name); err != nil {
		return err
	}
	dir, err := w.openLast(name)
	if err != nil {
		return err
	}
	defer dir.Close()
	open, err := w.checkLast(dir)
	if err != nil || !open {
		return err
	}
	if err := dir.Chmod(0o700); err != nil {
		return fmt.Errorf("close %s to other users: %w", path, err)
	}
	return nil
}

// Check reports whether Make would succeed, as far as it can without creating
// directories.
func Check(path string) error {
	w, err := newWalk(false)
	if err != nil {
		return err
	}
	defer w.close()
	name, err := w.to(path)
	if errors.Is(err, os.ErrNotExist) {
		return w.checkWritable()
	}
	if err != nil {
		return err
	}
	dir, err := w.openLast(name)
	if errors.Is(err, os.ErrNotExist) {
		return w.checkWritable()
	}
	if err != nil {
		return err
	}
	defer dir.Close()
	_, err = w.checkLast(dir)
	return err
}

// openLast opens the directory at the end of the path.
func (w *walk) openLast(name string) (*os.File, error) {
	path := w.child(name)
	var st unix.Stat_t
	if err := unix.Fstatat(w.dir, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return nil, fmt.Errorf("look at %s: %w", path, err)
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFLNK:
		return nil, fmt.Errorf("%s is a symbolic link: name the directory itself", path)
	case unix.S_IFDIR:
	default:
		return nil, fmt.Errorf("%s is not a directory", path)
	}
	if st.Uid != w.euid {
		return nil, fmt.Errorf("%s belongs to another user (%d): name another directory", path, st.Uid)
	}
	fd, err := unix.Openat(w.dir, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	return os.NewFile(uintptr(fd), path), nil
}

// checkLast checks the directory at the end of the path. open reports that others can
// enter it and that it is empty.
func (w *walk) checkLast(dir *os.File) (open bool, err error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(dir.Fd()), &st); err != nil {
		return false, fmt.Errorf("look at %s: %w", dir.Name(), err)
	}
	switch {
	case st.Uid != w.euid:
		return false, fmt.Errorf("%s belongs to another user (%d): name another directory", dir.Name(), st.Uid)
	case st.Mode&0o077 == 0:
		return false, nil
	}
	if _, err := dir.Readdirnames(1); !errors.Is(err, io.EOF) {
		return false, fmt.Errorf("%s is open to other users: chmod 700 it, or name a directory of its own", dir.Name())
	}
	return true, nil
}

// checkWritable checks that this user can create a directory in the current directory of
// the walk.
func (w *walk) checkWritable() error {
	if err := unix.Faccessat(unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d", w.dir), unix.W_OK|unix.X_OK, unix.AT_EACCESS); err != nil {
		return fmt.Errorf("this user cannot write to %s (%w): give it that right, or name another directory", w.path, err)
	}
	return nil
}
