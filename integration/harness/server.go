package harness

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Server is a running S3 server with one or more processes.
type Server struct {
	Name     string // name in package servers
	Endpoint string // URL
	Data     string // directory of its data
	Log      string // file with the output of its processes
	Access   string // access log with one line per request; "" if there is none

	proc    *Process   // process that answers S3 requests
	helpers []*Process // other processes, in the order of their start
}

// command starts a process of the server. Its output goes to the log.
func (s *Server) command(cmd *exec.Cmd) (*Process, error) {
	log, err := os.OpenFile(s.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open the server's log: %w", err)
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	return Start(cmd)
}

// start starts the process that answers S3 requests.
func (s *Server) start(cmd *exec.Cmd) (err error) {
	s.proc, err = s.command(cmd)
	return err
}

// startHelper starts another process of the server.
func (s *Server) startHelper(cmd *exec.Cmd) error {
	p, err := s.command(cmd)
	if err == nil {
		s.helpers = append(s.helpers, p)
	}
	return err
}

// startPatience is the longest time until a server answers. Ceph needs 5 s on an idle
// machine.
const startPatience = time.Minute

// waitReady waits until a GET of path returns one of the statuses.
func (s *Server) waitReady(ctx context.Context, path string, statuses ...int) error {
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	for {
		if answers(ctx, s.Endpoint+path, statuses) {
			return nil
		}
		select {
		case <-s.proc.Done():
			return fmt.Errorf("%s ended at once: %w\n%s", s.Name, s.proc.Err(), Tail(s.Log, 20))
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %w\n%s", s.Name, context.Cause(ctx), Tail(s.Log, 20))
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// answers reports whether a GET of url returns one of the statuses.
func answers(ctx context.Context, url string, statuses []int) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	_ = res.Body.Close()
	return slices.Contains(statuses, res.StatusCode)
}

// PID returns the id of the process that answers S3 requests.
func (s *Server) PID() int { return s.proc.Process.Pid }

// Pause stops the process that answers requests (SIGSTOP). It answers no request before
// Resume.
func (s *Server) Pause() {
	s.proc.Signal(syscall.SIGSTOP)
	for range 1000 { // a running thread stops a moment later
		if stopped(s.PID()) {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// stopped reports whether all threads of a process are stopped (proc_pid_stat(5)). It
// returns true if the process is gone.
func stopped(pid int) bool {
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	for _, task := range tasks {
		b, err := os.ReadFile(task)
		_, state, _ := strings.Cut(string(b), ") ")
		if err == nil && !strings.HasPrefix(state, "T") {
			return false
		}
	}
	return true
}

// Resume continues the process after Pause.
func (s *Server) Resume() { s.proc.Signal(syscall.SIGCONT) }

// Stop kills all processes of the server.
func (s *Server) Stop() {
	processes := s.helpers
	if s.proc != nil {
		processes = append(processes, s.proc)
	}
	for i := len(processes) - 1; i >= 0; i-- {
		processes[i].Signal(syscall.SIGKILL)
		<-processes[i].Done()
	}
}
