package harness

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// opApart names the op by which Apart starts a program.
const opApart = "apart"

// Apart is Exec in a mount namespace of the program's own, in which the mounts
// of other tests are not: a copy of one would keep its s3mount from the end that
// an umount asks for, for as long as the program runs. It needs root.
func (w *World) Apart(t testing.TB, env []string, name string, args ...string) Result {
	t.Helper()
	cmd := exec.CommandContext(w.Context(t), w.Self, slices.Concat([]string{filepath.Dir(w.Work), name}, args)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	return w.run(t, cmd, append(slices.Clone(env), envOp+"="+opApart))
}

// apart is the process that Apart starts, in the new namespace: it takes away
// the mounts below args[0] there and becomes the program of args[1:].
func apart(args []string) error {
	mounts, err := FuseMounts(args[0])
	for _, m := range mounts {
		// It may be below one that is gone already.
		if e := syscall.Unmount(m.Dir, syscall.MNT_DETACH); e != nil && e != syscall.EINVAL && e != syscall.ENOENT {
			err = errors.Join(err, fmt.Errorf("detach %s: %w", m.Dir, e))
		}
	}
	program, e := exec.LookPath(args[1])
	if err := errors.Join(err, e); err != nil {
		return err
	}
	env := slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, envOp+"=") })
	return fmt.Errorf("run %s: %w", program, syscall.Exec(program, args[1:], env))
}
