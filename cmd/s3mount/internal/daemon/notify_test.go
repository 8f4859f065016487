package daemon

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/exit"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/exit/exittest"
)

// TestNotifySocket checks what reaches a service manager's socket.
func TestNotifySocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	t.Setenv("NOTIFY_SOCKET", path)
	t.Setenv("WATCHDOG_USEC", "30000000")
	n, err := NewNotifier(nil, slog.New(slog.DiscardHandler))
	if err != nil || n.watchdog != 30*time.Second {
		t.Fatalf("%+v, error %v", n, err)
	}
	n.Ready("b is mounted on /mnt")
	n.stopping("writing to S3: 1.0 MiB left")
	for _, want := range []string{"READY=1\nSTATUS=b is mounted on /mnt", "STOPPING=1\nSTATUS=writing to S3: 1.0 MiB left\nEXTEND_TIMEOUT_USEC=120000000"} {
		buf := make([]byte, 1<<10)
		k, err := manager.Read(buf)
		if got := string(buf[:k]); err != nil || got != want {
			t.Errorf("got %q (%v), want %q", got, err, want)
		}
	}
}

func TestNotifyWithoutManager(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	t.Setenv("WATCHDOG_USEC", "")
	n, err := NewNotifier(nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	n.Ready("")
	n.watch(t.Context()) // returns
	t.Setenv("WATCHDOG_USEC", "soon")
	if _, err := NewNotifier(nil, nil); err == nil || !strings.Contains(err.Error(), "WATCHDOG_USEC") {
		t.Errorf("error %v", err)
	}
	(*notifier)(nil).Ready("")
}

// TestWatchdog checks that the watchdog is fed twice in each interval while the mount
// answers.
func TestWatchdog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var fed atomic.Int32
		var dead atomic.Bool
		n := &notifier{
			watchdog: 20 * time.Second, log: slog.New(slog.DiscardHandler),
			send: func(state string) error {
				if state != "WATCHDOG=1" {
					t.Errorf("sent %q", state)
				}
				fed.Add(1)
				return errors.New("no listener") // must not stop the watchdog
			},
			ping: func(context.Context) error {
				if dead.Load() {
					return unix.ENOTCONN
				}
				return nil
			},
		}
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		go n.watch(ctx)
		time.Sleep(time.Minute - time.Nanosecond)
		synctest.Wait()
		if n := fed.Load(); n != 6 {
			t.Errorf("fed %d times in a minute, want 6", n)
		}
		dead.Store(true)
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := fed.Load(); n != 6 {
			t.Errorf("a mount that does not answer was reported as well %d times", n-6)
		}
	})
}

// TestServeDeadline checks the end of a mount whose time to write is over.
func TestServeDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		signals := make(chan os.Signal, 1)
		m := &fakeMount{left: someLeft(), drain: time.Hour, gone: make(chan struct{})}
		v, _ := serverOf(m, signals, nil)
		v.DrainTimeout = 3 * time.Minute
		var told []string
		v.Manager = &notifier{send: func(state string) error { told = append(told, state); return nil }, log: v.Log}
		signals <- unix.SIGTERM
		start := time.Now()
		exittest.Want(t, v.Serve(), exit.Unwritten, "after 3m of --drain-timeout; not in S3: 3.0 MiB")
		if took := time.Since(start); took != v.DrainTimeout {
			t.Errorf("ended after %v", took)
		}
		if i := slices.IndexFunc(told, func(s string) bool { return !strings.Contains(s, "STATUS=writing to S3: 3.0 MiB") }); len(told) < 3 || i >= 0 {
			t.Errorf("told the manager %q", told)
		}
		close(m.gone)
	})
}
