package fs

import (
	"context"
	"errors"

	"github.com/s3mount/s3mount/s3"
)

// Mount is one mounted filesystem.
type Mount struct{}

// Start mounts o.Bucket at mountpoint and returns once the mount answers.
func Start(ctx context.Context, client *s3.Client, mountpoint string, o Options) (*Mount, error) {
	return nil, errors.New("mount: skeleton")
}

// Wait returns when the filesystem is unmounted and all is drained. The error
// tells what could not be written.
func (m *Mount) Wait() error { return nil }

// Unmount writes everything to S3 and unmounts, lazily if the mount is busy.
func (m *Mount) Unmount(ctx context.Context) error { return nil }

// Drain returns when S3 holds everything that was written so far.
func (m *Mount) Drain(ctx context.Context) error { return nil }
