package harness

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// VirtualDomain is the base domain under which versitygw serves buckets as
// host names; *.localhost resolves to the loopback interface (RFC 6761).
const VirtualDomain = "s3.localhost"

// Server is a running versitygw.
type Server struct {
	Endpoint string // URL
	Data     string // its buckets are directories in here
	Log      string // what it printed
	Access   string // one line per request
	proc     *Process
}

// ServerOptions are what a test may want different; the zero value is usual.
type ServerOptions struct {
	Binary    string // versitygw, if it is built already
	Addr      string // listen here and not on a free port
	Data      string // use this data directory and not a new one
	AccessLog bool   // write Server.Access
	IAM       string // directory with more accounts, which may change at any time
}

// StartServer starts versitygw with its data under dir, which must be on a
// filesystem with user xattrs, and returns when it answers.
func StartServer(ctx context.Context, dir string, o ServerOptions) (*Server, error) {
	var err error
	if o.Binary == "" {
		if o.Binary, err = Tool(".", "versitygw"); err != nil {
			return nil, err
		}
	}
	if o.Addr == "" {
		if o.Addr, err = FreePort(); err != nil {
			return nil, err
		}
	}
	s := &Server{
		Endpoint: "http://" + o.Addr, Data: o.Data,
		Log: filepath.Join(dir, "versitygw.log"), Access: filepath.Join(dir, "access.log"),
	}
	if s.Data == "" {
		s.Data = filepath.Join(dir, "data")
	}
	versions := filepath.Join(dir, "versions")
	for _, d := range []string{s.Data, versions} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return nil, fmt.Errorf("make the server's directory: %w", err)
		}
	}
	args := []string{
		"--port", o.Addr, "--region", Region, "--keep-alive", "--quiet",
		"--virtual-domain", VirtualDomain, "--health", "/health",
	}
	if o.AccessLog {
		args = append(args, "--access-log", s.Access)
	}
	if o.IAM != "" {
		args = append(args, "--iam-dir", o.IAM, "--iam-cache-disable")
	}
	args = append(args, "posix", "--versioning-dir", versions, s.Data)
	if err := s.start(o.Binary, args); err != nil {
		return nil, err
	}
	if err := s.waitReady(ctx); err != nil {
		s.Stop()
		return nil, err
	}
	return s, nil
}

func (s *Server) start(bin string, args []string) error {
	log, err := os.OpenFile(s.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("open the server's log: %w", err)
	}
	defer log.Close()
	cmd := exec.Command(bin, args...)
	cmd.Env = append(os.Environ(), "ROOT_ACCESS_KEY="+AccessKey, "ROOT_SECRET_KEY="+SecretKey)
	cmd.Stdout, cmd.Stderr = log, log
	s.proc, err = Start(cmd)
	return err
}

func (s *Server) waitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second) // a loaded machine needs a second
	defer cancel()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.Endpoint+"/health", nil)
		if err != nil {
			return fmt.Errorf("make the health request: %w", err)
		}
		res, err := http.DefaultClient.Do(req)
		if err == nil {
			_ = res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-s.proc.Done():
			return fmt.Errorf("versitygw ended at once: %w\n%s", s.proc.Err(), Tail(s.Log, 20))
		case <-ctx.Done():
			return fmt.Errorf("versitygw is not ready: %w\n%s", context.Cause(ctx), Tail(s.Log, 20))
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// PID is the server's process id.
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

// Stop kills the server.
func (s *Server) Stop() {
	s.proc.Signal(syscall.SIGKILL)
	<-s.proc.Done()
}
