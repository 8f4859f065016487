package integration

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/s3mount/s3mount/integration/harness"
)

// TestService runs s3mount as a service manager does, with a mount that a
// configuration file describes by a name.
func TestService(t *testing.T) {
	t.Parallel()
	run(t, "notify", testService)
}

func testService(t *testing.T, w *harness.World) {
	messages := make(chan string, 1000)
	await := func(state string) string {
		t.Helper()
		for {
			select {
			case text := <-messages:
				if strings.Contains(text, state) {
					return text
				}
			case <-w.Context(t).Done():
				t.Fatalf("the manager was never told %s", state)
			}
		}
	}
	bucket, log, config := w.Bucket(t), filepath.Join(w.Work, "service.log"), filepath.Join(w.Work, "s3mount.toml")
	must(t, os.WriteFile(config, []byte("endpoint = '"+w.Endpoint+"'\nlog-file = '"+log+"'\n[mounts.photos]\nbucket = '"+bucket.Bucket+":2026'\nmountpoint = '/nowhere'\n"), 0o600))
	m := w.Mount(t, harness.MountOptions{
		Source: "photos", Args: []string{"--config", config},
		Env: []string{"WATCHDOG_USEC=1000000"}, Heard: func(message string) { messages <- message },
	})
	if text := await("READY=1"); !strings.Contains(text, "STATUS=photos is mounted on "+m.Dir) {
		t.Errorf("told the manager %q", text)
	}
	await("WATCHDOG=1")
	await("WATCHDOG=1")
	must(t, os.Rename(log, log+".1"))
	m.Signal(syscall.SIGHUP)
	for {
		if _, err := os.Stat(log); err == nil {
			break
		}
		select {
		case <-w.Context(t).Done():
			t.Fatal("SIGHUP does not open the log anew")
		case <-time.After(10 * time.Millisecond):
		}
	}
	must(t, os.WriteFile(m.Path("f"), []byte("x"), 0o644))
	m.Terminate(t)
	if text := await("STOPPING=1"); !strings.Contains(text, "STATUS=") || !strings.Contains(text, "EXTEND_TIMEOUT_USEC=") {
		t.Errorf("told the manager %q", text)
	}
	wantObject(t, w, bucket, "2026/f", []byte("x"))
}
