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

// Server is a running S3 server of one or more processes.
type Server struct {
	Name     string // the server's name in package servers
	Endpoint string // URL
	Data     string // the directory of its data
	Log      string // file with everything that its processes printed
	Access   string // one line per request, if the server writes that

	proc    *Process   // the process that answers S3 requests
	helpers []*Process // processes that it needs, in the order of their start
}

// command makes a process of the server ready: its output goes to the log.
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

// startHelper starts a process that the server needs.
func (s *Server) startHelper(cmd *exec.Cmd) error {
	p, err := s.command(cmd)
	if err == nil {
		s.helpers = append(s.helpers, p)
	}
	return err
}

// startPatience is how long a server may take until it answers: Ceph needs 5 s
// on an idle machine.
const startPatience = time.Minute

// waitReady waits until a GET of path is answered with one of the statuses.
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

// PID is the id of the process that answers S3 requests.
func (s *Server) PID() int { return s.proc.Process.Pid }

// Pause stops the server from answering (SIGSTOP); Resume lets it go on. What
// is asked after Pause is not answered before Resume.
func (s *Server) Pause() {
	s.proc.Signal(syscall.SIGSTOP)
	for range 1000 { // a thread that runs stops a moment later
		if stopped(s.PID()) {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// stopped tells whether no thread of a process runs (proc_pid_stat(5)). One that
// is gone cannot.
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

// Resume undoes Pause.
func (s *Server) Resume() { s.proc.Signal(syscall.SIGCONT) }

// Stop kills the server with all of its processes.
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
