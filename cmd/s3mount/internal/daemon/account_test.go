package daemon

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/settings"
)

// becomeVariable makes TestBecomeChild run.
const becomeVariable = "S3MOUNT_TEST_BECOME"

// TestBecome starts a process with groups of root, which then becomes nobody. No
// thread of it may keep a group, and neither may a program that it starts.
func TestBecome(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can become another user")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.Command(self, "-test.run=^TestBecomeChild$", "-test.v")
	child.Env = append(os.Environ(), becomeVariable+"=1")
	child.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Groups: []uint32{0, 6, 42}}}
	if out, err := child.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestBecomeChild is the process that TestBecome starts.
func TestBecomeChild(t *testing.T) {
	if os.Getenv(becomeVariable) == "" {
		t.Skip("TestBecome starts it in a process of its own")
	}
	const threads = 20
	var ready, done sync.WaitGroup
	release := make(chan struct{})
	outputs := make([]string, threads)
	for i := range threads {
		ready.Add(1)
		done.Go(func() {
			runtime.LockOSThread() // each of them is a thread
			ready.Done()
			<-release
			out, err := exec.Command("id", "-G").CombinedOutput()
			if err != nil {
				t.Errorf("id: %v", err)
			}
			outputs[i] = strings.TrimSpace(string(out))
		})
	}
	ready.Wait()
	const nobody = 65534
	a := &settings.Account{Name: "nobody", UID: nobody, GID: nobody, Groups: []int{nobody}, Home: "/nonexistent"}
	if err := Become(a); err != nil {
		t.Fatal(err)
	}
	tasks, err := filepath.Glob("/proc/self/task/*/status")
	if err != nil || len(tasks) < threads {
		t.Fatalf("%d threads, error %v", len(tasks), err)
	}
	for _, task := range tasks {
		status, err := os.ReadFile(task)
		if err != nil {
			continue // the thread has ended
		}
		for _, want := range []string{"Uid:\t65534\t65534\t65534\t65534\n", "Gid:\t65534\t65534\t65534\t65534\n", "Groups:\t65534 \n"} {
			if !strings.Contains(string(status), want) {
				t.Errorf("%s lacks %q:\n%s", task, want, status)
			}
		}
	}
	close(release)
	done.Wait()
	for _, groups := range outputs {
		if groups != "65534" {
			t.Errorf("a program has the groups %q", groups)
		}
	}
	if home, err := os.UserHomeDir(); err != nil || home != a.Home {
		t.Errorf("the home is %q, error %v", home, err)
	}
}
