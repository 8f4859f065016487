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

// patience is the longest time for a mount to start, or to end if nothing delays it. It
// is about a hundred times the usual time, for busy machines.
const patience = time.Minute

// MountOptions configure one run of s3mount.
type MountOptions struct {
	Endpoint string   // URL of the server or of a proxy
	Source   string   // bucket[:prefix]
	Dir      string   // mountpoint; a new directory if it is ""
	Args     []string // additional options
	Env      []string // additional environment variables
	State    string   // state directory; a new one if it is ""
	Run      string   // runtime directory; a new one if it is ""

	Heard func(message string) // receives the messages to the service manager; may be nil
}

// Mount is an s3mount in the foreground.
type Mount struct {
	Dir   string
	Log   string // file with its output
	State string // its state directory
	Run   string // its runtime directory
	o     MountOptions
	w     *World
	proc  *Process
	ready <-chan struct{} // closed when it has reported that it serves
	over  bool            // its end was observed and checked
}

// Environment returns the environment of this process without the variables of the
// user's accounts.
func Environment() []string {
	return append(slices.DeleteFunc(os.Environ(), func(e string) bool {
		e = strings.ToUpper(e)
		name, _, _ := strings.Cut(e, "=")
		return strings.HasPrefix(e, "AWS_") || strings.HasPrefix(e, "S3MOUNT_") || strings.HasSuffix(name, "_PROXY")
	}), "AWS_EC2_METADATA_DISABLED=true", "AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null")
}

// Credentials returns the account of the tests as environment variables.
func Credentials() []string {
	return []string{"AWS_ACCESS_KEY_ID=" + AccessKey, "AWS_SECRET_ACCESS_KEY=" + SecretKey}
}

// Mount mounts and returns when the mount serves. If the mount still exists at the end
// of the test, it is unmounted, and s3mount must exit with status 0.
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

// PID returns the process id of s3mount.
func (m *Mount) PID() int { return m.proc.Process.Pid }

// Path returns a path below the mountpoint.
func (m *Mount) Path(names ...string) string {
	return filepath.Join(append([]string{m.Dir}, names...)...)
}

// Command runs a command of s3mount that connects to the mount.
func (m *Mount) Command(t testing.TB, args ...string) Result {
	t.Helper()
	return m.w.Exec(t, []string{"S3MOUNT_RUNTIME_DIR=" + m.Run}, m.w.Binary, args...)
}

// Unmount unmounts with umount or fusermount3. s3mount must exit with status 0.
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

// Detach unmounts lazily: the mountpoint is free at once, and files stay open.
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

// Terminate sends SIGTERM. s3mount must flush, unmount and exit with status 0.
func (m *Mount) Terminate(t testing.TB) {
	t.Helper()
	m.proc.Signal(syscall.SIGTERM)
	m.WaitEnd(t)
}

// Signal sends a signal to s3mount.
func (m *Mount) Signal(s os.Signal) { m.proc.Signal(s) }

// Kill kills s3mount and leaves the dead mount in place.
func (m *Mount) Kill(t testing.TB) {
	t.Helper()
	m.proc.Signal(syscall.SIGKILL)
	<-m.proc.Done()
	m.over = true
}

// WaitEnd waits until s3mount has exited. It must have unmounted and exit with status
// 0.
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

// Ended reports whether s3mount has ended, and returns its error.
func (m *Mount) Ended() (bool, error) {
	select {
	case <-m.proc.Done():
		return true, m.proc.Err()
	default:
		return false, nil
	}
}

// Remount unmounts and mounts again with the same options, so that all data comes from
// S3.
func (m *Mount) Remount(t testing.TB) *Mount {
	t.Helper()
	m.Unmount(t)
	return m.Again(t)
}

// Again mounts again at the same place with the same options.
func (m *Mount) Again(t testing.TB) *Mount {
	t.Helper()
	return m.w.Mount(t, m.o)
}

// KilledAgain mounts again with the same options. It kills s3mount when the channel is
// closed, or when the mount serves if that is earlier.
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

// With mounts again at the same place and with the same state directory, but with other
// options.
func (m *Mount) With(t testing.TB, args ...string) *Mount {
	t.Helper()
	o := m.o
	o.State, o.Args = m.State, args
	return m.w.Mount(t, o)
}

// WaitCode waits until s3mount has exited with this status.
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

// MemoryPeak returns the largest resident set of a process so far, in bytes (VmHWM in
// proc(5)).
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

// Logs returns the paths of the logs of all mounts of this world.
func (w *World) Logs() []string {
	logs, _ := filepath.Glob(filepath.Join(w.Work, "s3mount-*.log")) // the pattern is valid
	return logs
}
