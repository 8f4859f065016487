package main

import (
	"errors"
	"os"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/control"
)

// dial reaches the process of a mount.
func dial(m mountedAt) (*control.Client, error) {
	c, err := control.Dial(control.Target{Major: m.major, Minor: m.minor, UID: m.uid}, os.Getenv)
	switch {
	case errors.Is(err, control.ErrNoSocket) && os.Geteuid() != 0 && os.Geteuid() != m.uid:
		return nil, fail(exitMountpoint, "%s was mounted by user %d: only that user and root may ask it", m.mountpoint, m.uid)
	case errors.Is(err, control.ErrNoSocket):
		return nil, fail(exitMountpoint, "%s: %w; its log says why, and mounting again heals a dead mount", m.mountpoint, err)
	case err != nil:
		return nil, fail(exitMountpoint, "%s: %w", m.mountpoint, err)
	}
	return c, nil
}
