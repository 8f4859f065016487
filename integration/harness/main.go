package harness

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"testing"
)

// These environment variables select the role of a process of the tests.
const (
	envNamespace = "S3MOUNT_TEST_NAMESPACE" // in the private mount namespace
	envShared    = "S3MOUNT_TEST_SHARED"    // shared, as JSON
	envChild     = "S3MOUNT_TEST_CHILD"     // child, as JSON
	envOp        = "S3MOUNT_TEST_OP"        // name of an Op
)

// EnvHome is the variable with the home directory of the user who runs the tests. The
// home directory of a child is its work dir.
const EnvHome = "S3MOUNT_TEST_HOME"

// shared contains the resources that Main prepares for all tests.
type shared struct {
	Root     string // contains the work dirs
	Binary   string // s3mount
	Self     string // a copy of the test binary that every user may execute
	Gateway  string // versitygw
	Server   string // name of the server of the tests
	Endpoint string // URL of the server
}

// child contains the arguments that a supervisor passes to its child.
type child struct {
	Test string // full name of the test
	Work string // work dir of the test
}

// Op is a program in the test binary. World.Op runs it as a separate process.
type Op func(args []string) error

// Main is the body of TestMain.
func Main(m *testing.M, ops map[string]Op) int {
	if name := os.Getenv(envOp); name != "" {
		return runOp(ops, name, os.Args[1:])
	}
	flag.Parse()
	if os.Getenv(envChild) != "" || flag.Lookup("test.list").Value.String() != "" {
		return m.Run()
	}
	if os.Geteuid() == 0 && !InNamespace() {
		return Namespace()
	}
	if !isSet("test.parallel") {
		// Tests mostly wait, so that more of them than processors can run.
		_ = flag.Set("test.parallel", strconv.Itoa(2*runtime.GOMAXPROCS(0)))
	}
	cleanup, err := prepare()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer cleanup()
	return m.Run()
}

func isSet(name string) (set bool) {
	flag.Visit(func(f *flag.Flag) { set = set || f.Name == name })
	return set
}

func runOp(ops map[string]Op, name string, args []string) int {
	op, ok := ops[name]
	if name == opApart {
		op, ok = apart, true
	}
	if !ok {
		fmt.Fprintf(os.Stderr, "no op %q\n", name)
		return 2
	}
	if err := op(args); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// InNamespace reports whether Namespace started this process.
func InNamespace() bool { return os.Getenv(envNamespace) != "" }

// Namespace runs this program again in a new mount namespace and returns its exit
// status. The mounts of the namespace end with its last process, however it ends.
func Namespace() int {
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), envNamespace+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	p, err := Start(cmd)
	if err != nil {
		fmt.Fprintln(os.Stderr, "enter a private mount namespace:", err)
		return 1
	}
	sig := make(chan os.Signal, 1)
	signal.Notify(sig, syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT)
	for {
		select {
		case s := <-sig:
			p.Signal(s)
		case <-p.Done():
			return p.ProcessState.ExitCode()
		}
	}
}

func prepare() (cleanup func(), err error) {
	if _, err := os.Stat("/dev/fuse"); err != nil {
		return nil, fmt.Errorf("these tests mount: %w", err)
	}
	root, err := os.MkdirTemp("", "s3mount-test-")
	if err != nil {
		return nil, fmt.Errorf("make the work root: %w", err)
	}
	if root, err = filepath.EvalSymlinks(root); err != nil { // the mount table contains real paths
		return nil, fmt.Errorf("resolve the work root: %w", err)
	}
	if cleanup, err = prepareIn(root); err != nil {
		RemoveUnmounted(root)
	}
	return cleanup, err
}

func prepareIn(root string) (cleanup func(), err error) {
	if err := os.Chmod(root, 0o755); err != nil { // other users mount here as well
		return nil, fmt.Errorf("open the work root: %w", err)
	}
	if InNamespace() {
		if err := openDevice(root); err != nil {
			return nil, err
		}
	}
	sh := shared{Root: root, Self: filepath.Join(root, "testbinary"), Server: chosenServer()}
	if sh.Binary, err = BuildS3mount(root); err != nil {
		return nil, err
	}
	if err := copyFile("/proc/self/exe", sh.Self, 0o755); err != nil {
		return nil, err
	}
	server := filepath.Join(root, "server")
	if err := os.Mkdir(server, 0o755); err != nil {
		return nil, fmt.Errorf("make the server's directory: %w", err)
	}
	if sh.Gateway, err = Tool(".", "versitygw"); err != nil {
		return nil, err
	}
	if minio, err := minioBinary(); err == nil { // without a cache directory there is no MinIO
		_ = os.Setenv(EnvMinIO, minio) // fails only for invalid names
	}
	s, err := startNamed(context.Background(), sh.Server, server, ServerOptions{Binary: sh.Gateway})
	if err != nil {
		return nil, err
	}
	sh.Endpoint = s.Endpoint
	b, err := json.Marshal(sh)
	if err != nil {
		return nil, fmt.Errorf("write down the shared parts: %w", err)
	}
	if err := os.Setenv(envShared, string(b)); err != nil {
		return nil, fmt.Errorf("pass on the shared parts: %w", err)
	}
	return func() {
		s.Stop()
		RemoveUnmounted(root)
	}, nil
}

// openDevice makes /dev/fuse accessible to every user in this mount namespace. udev
// does this by default, but many containers do not.
func openDevice(root string) error {
	const device = "/dev/fuse"
	var st syscall.Stat_t
	if err := syscall.Stat(device, &st); err != nil {
		return fmt.Errorf("look at %s: %w", device, err)
	}
	if st.Mode&0o006 == 0o006 {
		return nil
	}
	own := filepath.Join(root, "fuse")
	if err := syscall.Mknod(own, syscall.S_IFCHR, int(st.Rdev)); err != nil {
		return fmt.Errorf("make a device like %s: %w", device, err)
	}
	if err := os.Chmod(own, 0o666); err != nil {
		return fmt.Errorf("open the device to all: %w", err)
	}
	if err := syscall.Mount(own, device, "", syscall.MS_BIND, ""); err != nil {
		return fmt.Errorf("put the device in the place of %s: %w", device, err)
	}
	return nil
}

// RemoveUnmounted deletes a work dir, unless something is mounted below it.
func RemoveUnmounted(dir string) {
	mounts, err := mountsUnder(dir)
	if err != nil || len(mounts) > 0 {
		fmt.Fprintf(os.Stderr, "left %s alone: %v (%v) is mounted there\n", dir, mounts, err)
		return
	}
	_ = os.RemoveAll(dir) // a leftover temporary directory does no harm
}

func copyFile(from, to string, mode os.FileMode) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return fmt.Errorf("read %s: %w", from, err)
	}
	if err := os.WriteFile(to, b, mode); err != nil {
		return fmt.Errorf("write %s: %w", to, err)
	}
	return os.Chmod(to, mode) // overrides the umask
}

func fromEnv[T any](name string) (v T, ok bool) {
	s := os.Getenv(name)
	return v, s != "" && json.Unmarshal([]byte(s), &v) == nil
}
