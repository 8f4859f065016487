package control

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/s3mount/s3mount/fs"
	"github.com/s3mount/s3mount/fs/metering"
	"github.com/s3mount/s3mount/s3"
)

// testDir is a runtime directory of a test, short enough for a socket's path.
func testDir(t *testing.T) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "run")
}

// testTarget is a mount of this user.
func testTarget() Target { return Target{Major: 0, Minor: 77, UID: os.Geteuid()} }

// listen starts a server in dir; drain is its Drain.
func listen(t *testing.T, dir string, drain func(context.Context) error) *Server {
	t.Helper()
	stats := func() fs.Stats {
		return fs.Stats{Writes: fs.WriteStats{Dirty: 5}, Journal: fs.JournalStats{Count: 2, Bytes: 7},
			Uploads: []fs.Upload{{Key: "k", Size: 10, Sent: 4}}}
	}
	s, err := Listen(Options{
		Dir: dir, Name: SocketName(0, 77), Stats: stats, Drain: drain, Log: slog.New(slog.DiscardHandler),
		Status: func() Status {
			return Status{API: Version, Source: "bucket", Stats: stats(), S3: map[string]Calls{"GetObject": {Retries: 3}}}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.End(nil) })
	return s
}

// environment gives dir as the runtime directory.
func environment(dir string) func(string) string {
	return func(name string) string {
		if name == DirVariable {
			return dir
		}
		return ""
	}
}

func connect(t *testing.T, dir string) *Client {
	t.Helper()
	c, err := Dial(testTarget(), environment(dir))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestStatus(t *testing.T) {
	dir := testDir(t)
	listen(t, dir, nil)
	s, err := connect(t, dir).Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if s.API != Version || s.Source != "bucket" || s.Writes.Dirty != 5 || s.S3["GetObject"].Retries != 3 || len(s.Uploads) != 1 {
		t.Errorf("status %+v", s)
	}
}

// TestStatusForm checks that the fields of a status keep their names.
func TestStatusForm(t *testing.T) {
	var meter metering.Meter
	meter.Observe(time.Millisecond, true)
	text, err := json.Marshal(Status{API: Version, S3: map[string]Calls{"PutObject": {Latency: meter.Latency(), Sent: 9}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"api":1,"version":"","pid":0,"source":"","mountpoint":"","durability":"","read_only":false,"started":`,
		`"fuse":{`, `"cache":{`, `"memory":{`, `"writes":{`, `"journal":{`, `"uploads":`,
		`"s3":{"PutObject":{"count":1,"errors":1,"seconds":0.001,"p50_seconds":`, `"bytes_sent":9,"bytes_received":0}`} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the status lacks %s:\n%s", want, text)
		}
	}
}

// TestSync checks that a client receives the progress and the result.
func TestSync(t *testing.T) {
	for _, lost := range []error{nil, errors.New("no space left")} {
		dir := testDir(t)
		release := make(chan struct{})
		listen(t, dir, func(context.Context) error { <-release; return lost })
		var heard []Progress
		err := connect(t, dir).Sync(t.Context(), func(p Progress) {
			if heard = append(heard, p); len(heard) == 1 {
				close(release)
			}
		})
		if (err == nil) != (lost == nil) || lost != nil && err.Error() != lost.Error() {
			t.Errorf("sync: %v, want %v", err, lost)
		}
		var said *MountError
		if lost != nil && !errors.As(err, &said) {
			t.Errorf("%v does not come from the mount", err)
		}
		if p := heard[0]; p.Bytes != 12 || p.Queued != 2 || len(p.Uploads) != 1 || p.Done {
			t.Errorf("progress %+v", p)
		}
	}
}

// TestSyncGivenUp checks that a sync ends in the mount when its client disconnects.
func TestSyncGivenUp(t *testing.T) {
	dir := testDir(t)
	ended := make(chan struct{})
	listen(t, dir, func(ctx context.Context) error { <-ctx.Done(); close(ended); return ctx.Err() })
	ctx, stop := context.WithCancel(t.Context())
	if err := connect(t, dir).Sync(ctx, func(Progress) { stop() }); err == nil {
		t.Error("a sync that was given up has no error")
	}
	<-ended
}

// TestEnding checks that clients that wait for the end get its result, and that the
// socket is gone.
func TestEnding(t *testing.T) {
	for _, lost := range []error{nil, errors.New("not written: k")} {
		dir := testDir(t)
		s := listen(t, dir, nil)
		c := connect(t, dir)
		f, err := c.Ending(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		s.End(lost)
		err = f.Wait(func(Progress) {})
		if lost == nil && err != nil || lost != nil && (err == nil || err.Error() != lost.Error()) {
			t.Errorf("the end: %v, want %v", err, lost)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("left in the runtime directory: %v, %v", left, err)
		}
		if _, err := Dial(testTarget(), environment(dir)); !errors.Is(err, ErrNoSocket) {
			t.Errorf("dial after the end: %v", err)
		}
	}
}

// TestDeadSocket checks that the socket of a killed process is recognised and replaced.
func TestDeadSocket(t *testing.T) {
	dir := testDir(t)
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, SocketName(0, 77)), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	if _, err := Dial(testTarget(), environment(dir)); !errors.Is(err, ErrNoSocket) {
		t.Errorf("dial to a dead socket: %v", err)
	}
	listen(t, dir, nil)
	if _, err := connect(t, dir).Status(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestPermissions(t *testing.T) {
	dir := testDir(t)
	if err := os.Mkdir(dir, 0o755); err != nil { // as systemd makes it
		t.Fatal(err)
	}
	listen(t, dir, nil)
	for path, want := range map[string]os.FileMode{dir: 0o700, filepath.Join(dir, SocketName(0, 77)): 0o600} {
		if st, err := os.Lstat(path); err != nil || st.Mode().Perm() != want {
			t.Errorf("%s: %v, %v; want %v", path, st.Mode(), err, want)
		}
	}
}

// TestRefusedDirectories checks that both sides refuse directories that another user could
// have created.
func TestRefusedDirectories(t *testing.T) {
	for _, tc := range []struct {
		name, says string
		make       func(t *testing.T, dir string)
	}{
		{"symbolic link", "symbolic link", func(t *testing.T, dir string) {
			if err := os.Symlink(t.TempDir(), dir); err != nil {
				t.Fatal(err)
			}
		}},
		{"file", "not a directory", func(t *testing.T, dir string) {
			if err := os.WriteFile(dir, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}},
		{"writable by others", "others can write", func(t *testing.T, dir string) {
			if err := errors.Join(os.Mkdir(dir, 0o700), os.Chmod(dir, 0o777)); err != nil {
				t.Fatal(err)
			}
		}},
		{"foreign", "belongs to user 4321", func(t *testing.T, dir string) {
			if os.Geteuid() != 0 {
				t.Skip("only root can give a directory away")
			}
			if err := errors.Join(os.Mkdir(dir, 0o700), os.Chown(dir, 4321, 4321)); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := testDir(t)
			tc.make(t, dir)
			_, err := Listen(Options{Dir: dir, Name: "x.sock", Log: slog.New(slog.DiscardHandler)})
			if err == nil || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("listen: %v, want an error that says %q", err, tc.says)
			}
			_, err = Dial(testTarget(), environment(dir))
			if err == nil || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("dial: %v, want an error that says %q", err, tc.says)
			}
		})
	}
}

// TestForeignSocket checks that a client refuses a socket of another user.
func TestForeignSocket(t *testing.T) {
	dir := testDir(t)
	listen(t, dir, nil)
	if os.Geteuid() != 0 {
		t.Skip("only root can give a socket away")
	}
	if err := os.Lchown(filepath.Join(dir, SocketName(0, 77)), 4321, 4321); err != nil {
		t.Fatal(err)
	}
	if _, err := Dial(testTarget(), environment(dir)); err == nil || !strings.Contains(err.Error(), "belongs to user 4321") {
		t.Errorf("dial: %v", err)
	}
}

func TestUnknownRequest(t *testing.T) {
	dir := testDir(t)
	listen(t, dir, nil)
	if _, err := connect(t, dir).ask(t.Context(), http.MethodGet, "/v9/status"); err == nil || !strings.Contains(err.Error(), "another version") {
		t.Errorf("an unknown request: %v", err)
	}
}

func TestRuntimeDir(t *testing.T) {
	for _, tc := range []struct {
		euid               int
		name, xdg, service string
		want               string
	}{
		{0, "", "/run/user/0", "", "/run/s3mount"},
		{0, "/x/y", "", "", "/x/y"},
		{4321, "", "/run/user/4321", "", "/run/user/4321/s3mount"},
		{4321, "", "/run/user/4321", "/run/s3mount.photos", "/run/s3mount.photos"},
		{4321, "", "", "/run/other", "/tmp/s3mount-4321"},
		{4321, "relative", "relative", "", "/tmp/s3mount-4321"},
	} {
		got := RuntimeDir(tc.euid, func(name string) string {
			return map[string]string{DirVariable: tc.name, "XDG_RUNTIME_DIR": tc.xdg, "RUNTIME_DIRECTORY": tc.service}[name]
		})
		if got != tc.want {
			t.Errorf("RuntimeDir(%d) with %q and %q is %s, want %s", tc.euid, tc.name, tc.xdg, got, tc.want)
		}
	}
}

func TestCalls(t *testing.T) {
	var r Requests
	r.Observe(s3.Attempt{Op: "GetObject", Status: 200, BytesReceived: 10, Duration: time.Millisecond})
	r.Observe(s3.Attempt{Op: "GetObject", Status: 404, Err: s3.ErrNotFound})
	r.Observe(s3.Attempt{Op: "GetObject", Status: 503, Err: s3.ErrThrottled})
	r.Observe(s3.Attempt{Op: "GetObject", Retry: 1, Err: s3.ErrTransient})
	r.Observe(s3.Attempt{Op: "PutObject", Status: 200, BytesSent: 7})
	got := r.Stats()
	if g := got["GetObject"]; g.Count != 4 || g.Errors != 2 || g.Retries != 1 || g.Received != 10 {
		t.Errorf("GetObject %+v", g)
	}
	if p := got["PutObject"]; p.Count != 1 || p.Errors != 0 || p.Sent != 7 || len(got) != 2 {
		t.Errorf("PutObject %+v of %d kinds", p, len(got))
	}
}

// TestDeviceNumberUsedAgain checks that the end of a mount keeps the socket of a later mount
// to which the kernel gave the same device number.
func TestDeviceNumberUsedAgain(t *testing.T) {
	dir := testDir(t)
	first := listen(t, dir, nil)
	second := listen(t, dir, nil)
	first.End(nil)
	if _, err := connect(t, dir).Status(t.Context()); err != nil {
		t.Fatal(err)
	}
	second.End(nil)
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("%v is left (%v)", left, err)
	}
}
