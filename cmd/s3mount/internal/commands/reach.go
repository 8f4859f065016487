package commands

import (
	"errors"
	"os"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/control"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/exit"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/machine"
)

// dial connects to the process of a mount.
func dial(m machine.Mount) (*control.Client, error) {
	c, err := control.Dial(control.Target{Major: m.Major, Minor: m.Minor, UID: m.UID}, os.Getenv)
	switch {
	case errors.Is(err, control.ErrNoSocket) && os.Geteuid() != 0 && os.Geteuid() != m.UID:
		return nil, exit.Errorf(exit.Mountpoint, "%s was mounted by user %d: only that user and root may ask it", m.Mountpoint, m.UID)
	case errors.Is(err, control.ErrNoSocket):
		return nil, exit.Errorf(exit.Mountpoint, "%s: %w; its log says why, and mounting again heals a dead mount", m.Mountpoint, err)
	case err != nil:
		return nil, exit.Errorf(exit.Mountpoint, "%s: %w", m.Mountpoint, err)
	}
	return c, nil
}
