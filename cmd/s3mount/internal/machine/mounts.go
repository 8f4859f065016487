package machine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/exit"
)

// OurMounts returns the visible mounts of s3mount.
func (m *Machine) OurMounts() ([]Mount, error) {
	f, err := os.Open(m.Mountinfo)
	if err != nil {
		return nil, fmt.Errorf("read the table of mounts: %w", err)
	}
	defer f.Close()
	all, err := allMounts(f, Mount.IsOurs)
	if err != nil {
		return nil, fmt.Errorf("read the table of mounts: %w", err)
	}
	return all, nil
}

// MountOf returns the mount of s3mount that contains a path. It follows symbolic links only
// if the path as written is in no mount, because following them sends requests to a mount,
// which may hang.
func (m *Machine) MountOf(path string) (Mount, error) {
	all, err := m.OurMounts()
	if err != nil {
		return Mount{}, err
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return Mount{}, fmt.Errorf("find the current directory: %w", err)
	}
	if at, ok := covering(all, abs); ok {
		return at, nil
	}
	real, err := filepath.EvalSymlinks(abs)
	if errors.Is(err, os.ErrNotExist) {
		return Mount{}, exit.Errorf(exit.Mountpoint, "%s does not exist", path)
	}
	if at, ok := covering(all, real); err == nil && ok {
		return at, nil
	}
	return Mount{}, exit.Errorf(exit.Mountpoint, "%s is not in a mount of s3mount: s3mount status lists the mounts", path)
}

// covering returns the innermost mount that contains path.
func covering(all []Mount, path string) (found Mount, ok bool) {
	for _, m := range all {
		below := strings.TrimSuffix(m.Mountpoint, "/") + "/"
		if (path == m.Mountpoint || strings.HasPrefix(path, below)) && len(m.Mountpoint) >= len(found.Mountpoint) {
			found, ok = m, true
		}
	}
	return found, ok
}
