package machine

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/exit"
)

const (
	// answerTimeout limits the wait for an answer of a mountpoint. A directory answers at
	// once, and a mount whose process hangs never does.
	answerTimeout = 10 * time.Second
	// maxHeal limits the number of dead mounts that are removed from one mountpoint. There
	// is more than one if a program mounted over a dead mount.
	maxHeal = 16
)

// CheckMountpoint checks that a filesystem can be mounted at path. It removes the dead
// mounts that killed processes have left there, and returns their number.
func (m *Machine) CheckMountpoint(ctx context.Context, path string, nonempty bool) (healed int, err error) {
	err = m.Inspect(ctx, path, nonempty)
	for ; IsDead(err) && healed < maxHeal; healed++ {
		if err := m.Detach(ctx, path); err != nil {
			return healed, exit.Errorf(exit.Mountpoint, "%s is a dead mount that cannot be removed (%w): run umount -l %s as root", path, err, path)
		}
		err = m.Inspect(ctx, path, nonempty)
	}
	var known *exit.Error
	switch {
	case err == nil, errors.As(err, &known):
	case errors.Is(err, os.ErrNotExist):
		err = exit.Errorf(exit.Mountpoint, "the mountpoint %s does not exist: create it with mkdir -p %s", path, path)
	case errors.Is(err, context.DeadlineExceeded):
		err = exit.Errorf(exit.Mountpoint, "the mountpoint %s does not answer: another mount there hangs; run umount -l %s as root", path, path)
	default:
		err = exit.Errorf(exit.Mountpoint, "check the mountpoint: %w", err)
	}
	return healed, err
}

// IsDead reports whether an error comes from a FUSE mount whose process has ended.
func IsDead(err error) bool {
	return errors.Is(err, unix.ENOTCONN) || errors.Is(err, unix.ECONNABORTED)
}

// Inspect checks that path is an unused directory on which this user may mount. The error
// has an exit code, or comes from a system call.
func (m *Machine) Inspect(ctx context.Context, path string, nonempty bool) error {
	info, err := patiently(ctx, func() (os.FileInfo, error) { return m.Stat(path) })
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return exit.Errorf(exit.Mountpoint, "the mountpoint %s is not a directory", path)
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	top, mounted, err := m.VisibleMount(real)
	if err != nil {
		return err
	}
	if mounted && top.isFUSE() {
		// The kernel caches the attributes of the root of a dead mount. Only a request
		// shows whether its process answers.
		if err := m.Answers(ctx, real); err != nil {
			return err
		}
		return exit.Errorf(exit.Mountpoint, "%s is already mounted, from %q (%s): unmount it first with umount %s", path, top.source, top.fstype, path)
	}
	if !m.CanMount && unix.Access(real, unix.W_OK) != nil {
		return exit.Errorf(exit.Mountpoint, "the mountpoint %s belongs to another user: use a directory that you can write to, or mount as root", path)
	}
	if nonempty || mounted && top.fstype == "autofs" {
		// Reading the directory of an automounter would wait for the mount that this
		// process is making.
		return nil
	}
	return checkEmpty(path, real)
}

func checkEmpty(path, real string) error {
	dir, err := os.Open(real)
	if errors.Is(err, os.ErrPermission) {
		return nil // a user may mount on a directory that is not readable
	}
	if err != nil {
		return err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(1)
	if len(names) > 0 {
		return exit.Errorf(exit.Mountpoint, "the mountpoint %s is not empty (it has %q): use an empty directory, or --nonempty to hide its files", path, names[0])
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// VisibleMount returns the mount that is visible at path.
func (m *Machine) VisibleMount(path string) (Mount, bool, error) {
	f, err := os.Open(m.Mountinfo)
	if err != nil {
		return Mount{}, false, err
	}
	defer f.Close()
	return topMount(f, path)
}

// TakeAway detaches the FUSE mount at path, if there is one.
func (m *Machine) TakeAway(ctx context.Context, path string) error {
	top, mounted, err := m.VisibleMount(path)
	if err != nil || !mounted || !top.isFUSE() {
		return err
	}
	return m.Detach(ctx, path)
}

// Answers sends a request to the filesystem at path, and returns the error if it does not
// answer.
func (m *Machine) Answers(ctx context.Context, path string) error {
	_, err := patiently(ctx, func() (struct{}, error) { return struct{}{}, m.Ping(path) })
	return err
}

// patiently runs a system call on a mountpoint, and waits for at most answerTimeout. A
// system call cannot be cancelled, so its goroutine stays until it returns.
func patiently[T any](ctx context.Context, call func() (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	type answer struct {
		value T
		err   error
	}
	got := make(chan answer, 1)
	go func() {
		value, err := call()
		got <- answer{value, err}
	}()
	select {
	case a := <-got:
		return a.value, a.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}
