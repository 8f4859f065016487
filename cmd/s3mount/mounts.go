package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// ourMounts returns the mounts of s3mount that this process sees.
func (m *machine) ourMounts() ([]mountedAt, error) {
	f, err := os.Open(m.mountinfo)
	if err != nil {
		return nil, fmt.Errorf("read the table of mounts: %w", err)
	}
	defer f.Close()
	all, err := allMounts(f, mountedAt.isOurs)
	if err != nil {
		return nil, fmt.Errorf("read the table of mounts: %w", err)
	}
	return all, nil
}

// mountOf finds the mount of s3mount that a path lies in. A mount that hangs is
// not asked: only where the path as it is written lies in none, symbolic links
// are followed.
func (m *machine) mountOf(path string) (mountedAt, error) {
	all, err := m.ourMounts()
	if err != nil {
		return mountedAt{}, err
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return mountedAt{}, fmt.Errorf("find the current directory: %w", err)
	}
	if at, ok := covering(all, abs); ok {
		return at, nil
	}
	real, err := filepath.EvalSymlinks(abs)
	if errors.Is(err, os.ErrNotExist) {
		return mountedAt{}, fail(exitMountpoint, "%s does not exist", path)
	}
	if at, ok := covering(all, real); err == nil && ok {
		return at, nil
	}
	return mountedAt{}, fail(exitMountpoint, "%s is not in a mount of s3mount: s3mount status lists those that there are", path)
}

// covering returns the innermost of the mounts that path lies in.
func covering(all []mountedAt, path string) (found mountedAt, ok bool) {
	for _, m := range all {
		below := strings.TrimSuffix(m.mountpoint, "/") + "/"
		if (path == m.mountpoint || strings.HasPrefix(path, below)) && len(m.mountpoint) >= len(found.mountpoint) {
			found, ok = m, true
		}
	}
	return found, ok
}
