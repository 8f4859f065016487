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
	"time"
)

// patience is how long a mount may take to come up, or to end when nothing hinders
// it: some hundred times what it takes, for a machine that is busy with others.
const patience = time.Minute

// MountOptions describe one run of s3mount.
type MountOptions struct {
	Endpoint string   // of the server or a proxy
	Source   string   // bucket[:prefix]
	Dir      string   // mountpoint; "" is a new directory
	Args     []string // more options
	Env      []string // more environment
	State    string   // state directory; "" is a new one
	Run      string   // runtime directory; "" is a new one

	Heard func(message string) // what it tells its service manager; nil: nobody listens
}

// Mount is a running s3mount in the foreground.
type Mount struct {
	Dir   string
	Log   string // file with what it printed
	State string // its state directory
	Run   string // its runtime directory
	o     MountOptions
	w     *World
	proc  *Process
	ready <-chan struct{} // closed when it has said that it serves
	over  bool            // its end was seen and judged
}

// Environment is this process's environment without anything of the account of
// who runs the tests.
func Environment() []string {
	return append(slices.DeleteFunc(os.Environ(), func(e string) bool {
		e = strings.ToUpper(e)
		name, _, _ := strings.Cut(e, "=")
		return strings.HasPrefix(e, "AWS_") || strings.HasPrefix(e, "S3MOUNT_") || strings.HasSuffix(name, "_PROXY")
	}), "AWS_EC2_METADATA_DISABLED=true", "AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null")
}

// Credentials is the tests' account as environment variables.
func Credentials() []string {
	return []string{"AWS_ACCESS_KEY_ID=" + AccessKey, "AWS_SECRET_ACCESS_KEY=" + SecretKey}
}

// Mount mounts and returns when the mount serves. It is unmounted at the
// test's end at the latest; that it ends well is checked then.
func (w *World) Mount(t testing.TB, o MountOptions) *Mount {
	t.Helper()
	m, err := w.start(t, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.finish(t) })
	select {
	case <-m.ready:
		return m
	case <-m.proc.Done():
		m.over = true
		t.Fatalf("s3mount ended before it had mounted: %v\n%s", m.proc.Err(), Tail(m.Log, 50))
	case <-time.After(patience):
		t.Fatalf("no mount after %v\n%s", patience, Tail(m.Log, 50))
	}
	return nil
}

func (w *World) start(t testing.TB, o MountOptions) (*Mount, error) {
	t.Helper()
	if o.Dir == "" {
		o.Dir = w.Dir(t, "mnt")
	}
	if o.State == "" {
		o.State = w.Dir(t, "state")
	}
	if o.Run == "" {
		o.Run = w.Dir(t, "run")
	}
	m := &Mount{Dir: o.Dir, State: o.State, Run: o.Run, Log: filepath.Join(w.Work, w.Name("s3mount-")+".log"), o: o, w: w}
	log, err := os.Create(m.Log)
	if err != nil {
		return nil, fmt.Errorf("make the mount's log: %w", err)
	}
	defer log.Close()
	args := []string{"--foreground", "--log-level", "debug", "--state-dir", o.State}
	if o.Endpoint != "" {
		args = append(args, "--endpoint", o.Endpoint)
	}
	args = append(append(args, o.Args...), o.Source, o.Dir)
	cmd := exec.Command(w.Binary, args...)
	cmd.Dir = w.Work
	notify, ready, err := notifySocket(t, o.Heard)
	if err != nil {
		return nil, err
	}
	m.ready = ready
	cmd.Env = slices.Concat(Environment(), Credentials(), []string{"GOTRACEBACK=all", "NOTIFY_SOCKET=" + notify, "S3MOUNT_RUNTIME_DIR=" + o.Run}, o.Env)
	cmd.Stdout, cmd.Stderr = log, log
	m.proc, err = Start(cmd)
	return m, err
}

// PID is the process id of s3mount.
func (m *Mount) PID() int { return m.proc.Process.Pid }

// Path joins names to the mountpoint.
func (m *Mount) Path(names ...string) string {
	return filepath.Join(append([]string{m.Dir}, names...)...)
}

// Command runs a command of s3mount that asks the mount.
func (m *Mount) Command(t testing.TB, args ...string) Result {
	t.Helper()
	return m.w.Exec(t, []string{"S3MOUNT_RUNTIME_DIR=" + m.Run}, m.w.Binary, args...)
}

// Unmount unmounts with the system's own command, and s3mount must end well.
func (m *Mount) Unmount(t testing.TB) {
	t.Helper()
	if r := m.TryUnmount(t); r.Code != 0 {
		t.Fatalf("umount ended with %d: %s", r.Code, r.Out)
	}
	m.WaitEnd(t)
}

// TryUnmount runs the unmount command and does not wait for s3mount.
func (m *Mount) TryUnmount(t testing.TB) Result {
	t.Helper()
	if os.Geteuid() == 0 {
		return m.w.Exec(t, nil, "umount", m.Dir)
	}
	return m.w.Exec(t, nil, "fusermount3", "-u", m.Dir)
}

// Detach unmounts lazily: the name is gone at once, open files stay.
func (m *Mount) Detach(t testing.TB) {
	t.Helper()
	argv := []string{"fusermount3", "-u", "-z", m.Dir}
	if os.Geteuid() == 0 {
		argv = []string{"umount", "--lazy", m.Dir}
	}
	if r := m.w.Exec(t, nil, argv[0], argv[1:]...); r.Code != 0 {
		t.Fatalf("%q ended with %d: %s", argv, r.Code, r.Out)
	}
}

// Terminate sends SIGTERM; s3mount must flush, unmount and end well.
func (m *Mount) Terminate(t testing.TB) {
	t.Helper()
	m.proc.Signal(syscall.SIGTERM)
	m.WaitEnd(t)
}

// Signal sends any signal.
func (m *Mount) Signal(s os.Signal) { m.proc.Signal(s) }

// Kill ends s3mount as a crash does and leaves the dead mount in place.
func (m *Mount) Kill(t testing.TB) {
	t.Helper()
	m.proc.Signal(syscall.SIGKILL)
	<-m.proc.Done()
	m.over = true
}

// WaitEnd waits until s3mount has ended, with success and unmounted.
func (m *Mount) WaitEnd(t testing.TB) {
	t.Helper()
	m.over = true
	select {
	case <-m.proc.Done():
	case <-time.After(patience):
		m.proc.Signal(syscall.SIGQUIT)
		<-time.After(time.Second)
		t.Fatalf("s3mount has not ended %v after it was asked to\n%s", patience, Tail(m.Log, 300))
	}
	if err := m.proc.Err(); err != nil {
		t.Fatalf("s3mount ended badly: %v\n%s", err, Tail(m.Log, 100))
	}
	if ms, err := FuseMounts(m.Dir); err != nil || len(ms) > 0 {
		t.Fatalf("s3mount ended and left %v mounted (%v)", ms, err)
	}
}

// Ended tells whether s3mount has ended, and how.
func (m *Mount) Ended() (bool, error) {
	select {
	case <-m.proc.Done():
		return true, m.proc.Err()
	default:
		return false, nil
	}
}

// Remount unmounts and mounts again with the same options: what is seen then
// comes from S3.
func (m *Mount) Remount(t testing.TB) *Mount {
	t.Helper()
	m.Unmount(t)
	return m.Again(t)
}

// Again mounts once more with the same options at the same place.
func (m *Mount) Again(t testing.TB) *Mount {
	t.Helper()
	return m.w.Mount(t, m.o)
}

// KilledAgain mounts once more with the same options and kills the mount when the
// channel is closed, or when the mount serves if that is earlier.
func (m *Mount) KilledAgain(t testing.TB, when <-chan struct{}) *Mount {
	t.Helper()
	again, err := m.w.start(t, m.o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { again.finish(t) })
	select {
	case <-when:
	case <-again.ready:
	case <-again.proc.Done():
		t.Errorf("s3mount ended before it had mounted: %v\n%s", again.proc.Err(), Tail(again.Log, 50))
	case <-time.After(patience):
		t.Errorf("no mount after %v\n%s", patience, Tail(again.Log, 50))
	}
	again.Kill(t)
	return again
}

// With mounts once more at the same place and with the same state directory, with
// other options.
func (m *Mount) With(t testing.TB, args ...string) *Mount {
	t.Helper()
	o := m.o
	o.State, o.Args = m.State, args
	return m.w.Mount(t, o)
}

// WaitCode waits until s3mount has ended with an exit code.
func (m *Mount) WaitCode(t testing.TB, code int) {
	t.Helper()
	m.over = true
	select {
	case <-m.proc.Done():
	case <-time.After(patience):
		t.Fatalf("s3mount has not ended after %v\n%s", patience, Tail(m.Log, 100))
	}
	if got := m.proc.ProcessState.ExitCode(); got != code {
		t.Fatalf("s3mount ended with %d (%v), want %d\n%s", got, m.proc.Err(), code, Tail(m.Log, 100))
	}
}

// finish is the cleanup of Mount.
func (m *Mount) finish(t testing.TB) {
	if !m.over {
		m.proc.Signal(syscall.SIGTERM)
		select {
		case <-m.proc.Done():
			if err := m.proc.Err(); err != nil {
				t.Errorf("s3mount ended badly: %v", err)
			}
		case <-time.After(patience):
			t.Errorf("s3mount has not ended %v after SIGTERM", patience)
			m.proc.Signal(syscall.SIGQUIT)
			<-time.After(time.Second)
		}
	}
	if t.Failed() {
		t.Logf("--- %s\n%s", filepath.Base(m.Log), Tail(m.Log, 80))
	}
	m.proc.Signal(syscall.SIGKILL)
	ms, err := FuseMounts(m.Dir)
	for _, f := range ms {
		err = errors.Join(err, f.Abort())
	}
	if err != nil {
		t.Error(err)
	}
}

// MemoryPeak is the largest resident set of the process so far, in bytes
// (VmHWM of proc(5)).
func MemoryPeak(pid int) (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, fmt.Errorf("read the process status: %w", err)
	}
	for line := range strings.Lines(string(b)) {
		var kib int64
		if n, _ := fmt.Sscanf(line, "VmHWM: %d kB", &kib); n == 1 {
			return kib << 10, nil
		}
	}
	return 0, errors.New("the process has no resident set")
}

// Logs lists the logs of all mounts of this world.
func (w *World) Logs() []string {
	logs, _ := filepath.Glob(filepath.Join(w.Work, "s3mount-*.log")) // the pattern is right
	return logs
}
