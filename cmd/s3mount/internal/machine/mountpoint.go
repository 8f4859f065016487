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
	// answerTimeout is how long a mountpoint may take to say what is there. A
	// directory answers at once; a mount whose process hangs never does.
	answerTimeout = 10 * time.Second
	// maxHeal bounds how many dead mounts stacked on one mountpoint are taken
	// away. More than one happens when something mounted over a dead one.
	maxHeal = 16
)

// CheckMountpoint makes sure that a filesystem can be mounted at path and
// takes away the dead mounts that a killed process has left there. healed is
// their number.
func (m *Machine) CheckMountpoint(ctx context.Context, path string, nonempty bool) (healed int, err error) {
	err = m.Inspect(ctx, path, nonempty)
	for ; IsDead(err) && healed < maxHeal; healed++ {
		if err := m.Detach(ctx, path); err != nil {
			return healed, exit.Errorf(exit.Mountpoint, "%s is a dead mount that cannot be taken away (%w): run umount -l %s as root", path, err, path)
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
		err = exit.Errorf(exit.Mountpoint, "look at the mountpoint: %w", err)
	}
	return healed, err
}

// IsDead reports whether an error is one of a FUSE mount whose process is gone.
func IsDead(err error) bool {
	return errors.Is(err, unix.ENOTCONN) || errors.Is(err, unix.ECONNABORTED)
}

// Inspect wants a directory that nothing is using and that this user may mount
// on. The error is a failure or comes from looking at it.
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
		// The kernel remembers the attributes of a dead mount's root for a
		// while: only a request shows whether somebody answers.
		if err := m.Answers(ctx, real); err != nil {
			return err
		}
		return exit.Errorf(exit.Mountpoint, "%s is already mounted, from %q (%s): unmount it first with umount %s", path, top.source, top.fstype, path)
	}
	if !m.CanMount && unix.Access(real, unix.W_OK) != nil {
		return exit.Errorf(exit.Mountpoint, "the mountpoint %s belongs to somebody else: use a directory that you can write to, or mount as root", path)
	}
	if nonempty || mounted && top.fstype == "autofs" {
		// To read the directory of an automounter is to wait for the very
		// mount that is being made.
		return nil
	}
	return checkEmpty(path, real)
}

func checkEmpty(path, real string) error {
	dir, err := os.Open(real)
	if errors.Is(err, os.ErrPermission) {
		return nil // one may mount on what one may not read
	}
	if err != nil {
		return err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(1)
	if len(names) > 0 {
		return exit.Errorf(exit.Mountpoint, "the mountpoint %s is not empty (it has %q): use an empty directory, or --nonempty to hide what is there", path, names[0])
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

// TakeAway detaches what is mounted at path by FUSE, if anything is.
func (m *Machine) TakeAway(ctx context.Context, path string) error {
	top, mounted, err := m.VisibleMount(path)
	if err != nil || !mounted || !top.isFUSE() {
		return err
	}
	return m.Detach(ctx, path)
}

// Answers makes the filesystem at path answer, or says why it does not.
func (m *Machine) Answers(ctx context.Context, path string) error {
	_, err := patiently(ctx, func() (struct{}, error) { return struct{}{}, m.Ping(path) })
	return err
}

// patiently waits for a system call on a mountpoint, but not for ever. The
// call itself cannot be abandoned: its goroutine stays until it returns.
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
