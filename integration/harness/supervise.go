package harness

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// nobody is the user and group of AsNobody, with the ids of Debian.
const nobody = 65534

// Config configures a test. The zero value is the usual configuration.
type Config struct {
	Timeout  time.Duration // 0 means the usual timeout
	AsNobody bool          // run the child and its programs without privileges; needs root
	NeedRoot bool          // skip the test if this process is not root
	Alone    bool          // do not run in parallel with other tests
	Limit    string        // reason why the test must fail; if it is empty, the table of servers applies
}

// Run runs body in a child process with a deadline. In the supervisor it returns when
// the child has ended, and in the child when body has returned.
func Run(t *testing.T, cfg Config, body func(t *testing.T, w *World)) {
	t.Helper()
	sh, ok := fromEnv[shared](envShared)
	if !ok {
		t.Fatal("TestMain does not call harness.Main")
	}
	if c, ok := fromEnv[child](envChild); ok {
		if c.Test == t.Name() {
			body(t, newWorld(t, sh, c, cfg))
		}
		return
	}
	limit := limitOf(sh.Server, t.Name(), cfg)
	if limit.NotRun {
		t.Skipf("not run on %s: %s", sh.Server, limit.Reason)
	}
	if (cfg.AsNobody || cfg.NeedRoot) && os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	if !cfg.Alone {
		t.Parallel()
	}
	s := &supervisor{t: t, cfg: cfg, shared: sh, limit: limit.Reason}
	s.run()
}

// usual is the timeout of a test. It is more than ten times the time of most tests on a
// busy machine. Only a test that hangs reaches it.
const usual = 3 * time.Minute

// timeout returns the timeout of the test.
func (cfg Config) timeout() time.Duration {
	if cfg.Timeout == 0 {
		return usual
	}
	return cfg.Timeout
}

type supervisor struct {
	t      *testing.T
	cfg    Config
	shared shared
	work   string
	limit  string // reason why the test must fail; empty if it must pass
}

func (s *supervisor) run() {
	t := s.t
	var err error
	if s.work, err = os.MkdirTemp(s.shared.Root, "w"); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(s.work, 0o755); err != nil {
		t.Fatal(err)
	}
	if s.cfg.AsNobody {
		if err := os.Chown(s.work, nobody, nobody); err != nil {
			t.Fatal(err)
		}
	}
	p, out, err := s.start()
	if err != nil {
		t.Fatal(err)
	}
	defer RemoveUnmounted(s.work) // also when the test is skipped, which ends run
	report := ""
	select {
	case <-p.Done():
		s.waitForExits(p)
	case <-time.After(s.cfg.timeout()):
		report = fmt.Sprintf("not done after %v\n", s.cfg.timeout()) + s.dump(p)
	}
	report += s.sweep(p)
	report += leaks(s.work)
	text := readAll(out)
	failed := report != "" || p.Err() != nil
	switch {
	case failed && s.limit != "":
		t.Skipf("it fails as the table of servers says: %s", s.limit)
	case failed:
		t.Errorf("%s%s\n%s", report, childError(p), text)
	case strings.Contains(text, "--- SKIP: "+t.Name()+" "):
		t.Skip(text)
	case s.limit != "":
		t.Errorf("the test passes on %s; the table of servers has a limit that is no longer true: %s", s.shared.Server, s.limit)
	case testing.Verbose():
		t.Log(text)
	}
}

func (s *supervisor) start() (*Process, string, error) {
	c, err := json.Marshal(child{Test: s.t.Name(), Work: s.work})
	if err != nil {
		return nil, "", fmt.Errorf("write down the child's part: %w", err)
	}
	out := filepath.Join(s.work, "output")
	f, err := os.Create(out) // not a pipe, so that a process that outlives the child does not block the supervisor
	if err != nil {
		return nil, "", fmt.Errorf("make the child's output file: %w", err)
	}
	defer f.Close()
	var parts []string
	for _, p := range strings.Split(s.t.Name(), "/") {
		parts = append(parts, "^"+regexp.QuoteMeta(p)+"$")
	}
	cmd := exec.Command(s.shared.Self, "-test.run="+strings.Join(parts, "/"), "-test.v", "-test.count=1", "-test.timeout=0")
	if testing.Short() {
		cmd.Args = append(cmd.Args, "-test.short")
	}
	tmp := filepath.Join(s.work, "tmp")
	if err := os.Mkdir(tmp, 0o777); err != nil {
		return nil, "", fmt.Errorf("make the child's temporary directory: %w", err)
	}
	cmd.Dir = s.work
	cmd.Env = append(os.Environ(), envChild+"="+string(c), "TMPDIR="+tmp, "HOME="+s.work, EnvHome+"="+os.Getenv("HOME"))
	cmd.Stdout, cmd.Stderr = f, f
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if s.cfg.AsNobody {
		if err := os.Chown(tmp, nobody, nobody); err != nil {
			return nil, "", fmt.Errorf("hand over the temporary directory: %w", err)
		}
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
	}
	p, err := Start(cmd)
	return p, out, err
}

// dump requests the goroutines of all processes of the test, s3mount first, and returns
// them.
func (s *supervisor) dump(p *Process) string {
	var b strings.Builder
	for _, pid := range s.processes(p.Process.Pid) {
		if exe, _ := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid)); exe == s.shared.Binary {
			fmt.Fprintf(&b, "s3mount is process %d\n", pid)
			_ = syscall.Kill(pid, syscall.SIGQUIT) // fails only if the process has ended
		}
	}
	time.Sleep(time.Second) // wait until the dumps are written
	p.Signal(syscall.SIGQUIT)
	select {
	case <-p.Done():
	case <-time.After(2 * time.Second):
	}
	logs, _ := filepath.Glob(filepath.Join(s.work, "s3mount-*.log"))
	for _, l := range logs {
		fmt.Fprintf(&b, "--- %s\n%s\n", filepath.Base(l), Tail(l, 400))
	}
	return b.String()
}

// waitForExits waits for processes that are about to exit, because a test need not wait
// for the programs that it ends.
func (s *supervisor) waitForExits(p *Process) {
	for end := time.Now().Add(10 * time.Second); len(s.processes(p.Process.Pid)) > 0 && time.Now().Before(end); {
		time.Sleep(20 * time.Millisecond) // there is no event to wait for, because they may not be children
	}
}

// sweep removes all mounts and processes of the test and returns a description of them.
func (s *supervisor) sweep(p *Process) string {
	var b strings.Builder
	mounts, err := FuseMounts(s.work)
	if err != nil {
		fmt.Fprintln(&b, err)
	}
	for _, m := range mounts {
		fmt.Fprintf(&b, "still mounted: %s\n", m.Dir)
		if err := m.Abort(); err != nil {
			fmt.Fprintln(&b, err)
		}
	}
	p.Signal(syscall.SIGKILL)
	for _, pid := range s.processes(p.Process.Pid) {
		cmdline, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		fmt.Fprintf(&b, "still running: %d %s\n", pid, strings.ReplaceAll(string(cmdline), "\x00", " "))
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	select {
	case <-p.Done():
	case <-time.After(10 * time.Second):
		fmt.Fprintln(&b, "the child cannot be killed")
	}
	return b.String()
}

// processes returns the processes whose command line contains the work dir or whose
// working directory is below it, except for the child.
func (s *supervisor) processes(childPID int) []int {
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	var pids []int
	for _, d := range dirs {
		pid, err := strconv.Atoi(filepath.Base(d))
		if err != nil || pid == os.Getpid() || pid == childPID {
			continue
		}
		cmdline, _ := os.ReadFile(filepath.Join(d, "cmdline"))
		cwd, _ := os.Readlink(filepath.Join(d, "cwd"))
		if strings.Contains(string(cmdline), s.work) || strings.HasPrefix(cwd, s.work) {
			pids = append(pids, pid)
		}
	}
	return pids
}

func childError(p *Process) string {
	var exit *exec.ExitError
	if err := p.Err(); err != nil && !errors.As(err, &exit) {
		return err.Error()
	} else if exit != nil && exit.ExitCode() != 1 {
		return exit.Error() // 1 is a failed test, whose output is in the log
	}
	return ""
}

func readAll(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return string(b)
}
