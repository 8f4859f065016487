package harness

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
)

// Process is a child that is killed by the kernel when this process dies.
type Process struct {
	*exec.Cmd
	done chan struct{}
	err  error
}

// Start starts cmd. The parent death signal of Linux is bound to the thread
// that forked (prctl(2), PR_SET_PDEATHSIG), so that thread waits here for the
// child's end.
func Start(cmd *exec.Cmd) (*Process, error) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	p := &Process{Cmd: cmd, done: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			p.err = cmd.Wait()
			close(p.done)
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	return p, nil
}

// Done is closed when the process has ended; Err tells how.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err is the result of Wait, once Done is closed.
func (p *Process) Err() error { return p.err }

// Signal sends a signal; that the process is gone already is no error.
func (p *Process) Signal(s os.Signal) {
	_ = p.Cmd.Process.Signal(s)
}
