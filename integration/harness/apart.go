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

// opApart is the name of the op that Apart uses.
const opApart = "apart"

// Apart is like Exec, but in a separate mount namespace without the mounts of other
// tests. A copy of such a mount would keep its s3mount running after an umount until
// the program ends. Apart needs root.
func (w *World) Apart(t testing.TB, env []string, name string, args ...string) Result {
	t.Helper()
	cmd := exec.CommandContext(w.Context(t), w.Self, slices.Concat([]string{filepath.Dir(w.Work), name}, args)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	return w.run(t, cmd, append(slices.Clone(env), envOp+"="+opApart))
}

// apart is the process of Apart in the new namespace. It unmounts the mounts below
// args[0] and executes args[1:].
func apart(args []string) error {
	mounts, err := FuseMounts(args[0])
	for _, m := range mounts {
		// It may be below a mount that is already gone.
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
