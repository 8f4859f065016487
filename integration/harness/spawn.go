package harness

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
)

// Process is a child that the kernel kills when this process dies.
type Process struct {
	*exec.Cmd
	done chan struct{}
	err  error
}

// Start starts cmd. The parent death signal is bound to the thread that forked
// (PR_SET_PDEATHSIG, prctl(2)), so that this thread waits for the end of the child.
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

// Done returns a channel that is closed when the process has ended. Err then returns
// its error.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err returns the result of Wait after Done is closed.
func (p *Process) Err() error { return p.err }

// Signal sends a signal. It does nothing if the process has ended.
func (p *Process) Signal(s os.Signal) {
	_ = p.Cmd.Process.Signal(s)
}
