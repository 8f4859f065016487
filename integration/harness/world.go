package harness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/s3mount/s3mount/integration/servers"
)

// World is what a test on a mount has at hand. It exists in the child only.
type World struct {
	Work     string // the work dir
	Server   string // name of the shared server in package servers
	Endpoint string // of the shared server
	Binary   string // s3mount
	Self     string // the test binary
	gateway  string // versitygw

	deadline time.Time
	seq      atomic.Int64
}

func newWorld(t *testing.T, sh shared, c child, cfg Config) *World {
	timeout := cfg.timeout()
	return &World{
		Work: c.Work, Server: sh.Server, Endpoint: sh.Endpoint, Binary: sh.Binary, Self: sh.Self, gateway: sh.Gateway,
		// Five seconds before the supervisor, so that the test itself can say what hung.
		deadline: time.Now().Add(timeout - min(5*time.Second, timeout/4)),
	}
}

// Context ends shortly before the supervisor loses patience.
func (w *World) Context(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithDeadline(t.Context(), w.deadline)
	t.Cleanup(cancel)
	return ctx
}

// Name gives a name that is new in this world.
func (w *World) Name(prefix string) string {
	return fmt.Sprintf("%s%d", prefix, w.seq.Add(1))
}

// Dir makes a new local directory.
func (w *World) Dir(t testing.TB, prefix string) string {
	t.Helper()
	d := filepath.Join(w.Work, w.Name(prefix))
	if err := os.Mkdir(d, 0o755); err != nil {
		t.Fatal(err)
	}
	return d
}

// Bucket makes a new bucket on the shared server.
func (w *World) Bucket(t testing.TB) *Referee {
	t.Helper()
	return w.BucketOn(t, w.Endpoint)
}

// BucketOn makes a new bucket on another server.
func (w *World) BucketOn(t testing.TB, endpoint string) *Referee {
	t.Helper()
	// Bucket names are global on the shared server: the work dir makes them differ.
	r := NewReferee(endpoint, w.Name(filepath.Base(w.Work)+"-b"))
	if err := r.CreateBucket(w.Context(t)); err != nil {
		t.Fatal(err)
	}
	if w.Server == servers.Ceph && endpoint == w.Endpoint {
		t.Cleanup(func() { // its objects are in memory
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			if err := r.Empty(ctx); err != nil {
				t.Logf("the objects of the test stay: %v", err)
			}
		})
	}
	return r
}

// Memory starts an in-process gofakes3.
func (w *World) Memory(t testing.TB) (endpoint string) {
	t.Helper()
	endpoint, stop, err := StartMemory()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return endpoint
}

// OwnServer starts a server of the test's own, of the same kind as the shared one.
func (w *World) OwnServer(t testing.TB) *Server {
	t.Helper()
	s, err := startNamed(w.Context(t), w.Server, w.Dir(t, "server"), ServerOptions{Binary: w.gateway})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s
}

// Gateway starts a versitygw of the test's own, whatever the shared server is.
func (w *World) Gateway(t testing.TB, o ServerOptions) *Server {
	t.Helper()
	o.Binary = w.gateway
	s, err := StartServer(w.Context(t), w.Dir(t, "server"), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s
}

// Proxy puts a proxy in front of the shared server.
func (w *World) Proxy(t testing.TB, shape Shape) *Proxy {
	t.Helper()
	return w.ProxyOn(t, w.Endpoint, shape)
}

// ProxyOn puts a proxy in front of another server.
func (w *World) ProxyOn(t testing.TB, endpoint string, shape Shape) *Proxy {
	t.Helper()
	p, err := StartProxy(endpoint, shape)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// Result is how a program ended.
type Result struct {
	Out  string // standard output and standard error
	Code int    // exit status, -1 if it was killed
}

// Exec runs a program until the test's deadline. It starts in the work dir:
// a child that changes into a mount before it is a program of its own would
// stop this whole process while the mount waits for an answer from it.
func (w *World) Exec(t testing.TB, env []string, name string, args ...string) Result {
	t.Helper()
	return w.run(t, exec.CommandContext(w.Context(t), name, args...), env)
}

// run runs a command of this world until the test's deadline, which its context has.
func (w *World) run(t testing.TB, cmd *exec.Cmd, env []string) Result {
	t.Helper()
	cmd.Dir = w.Work
	cmd.Env = append(os.Environ(), env...)
	cmd.WaitDelay = 5 * time.Second // a grandchild that keeps the pipe open does not hold us up
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case w.Context(t).Err() != nil:
		t.Fatalf("%q: killed at the deadline\n%s", cmd.Args, out.String())
	case err != nil && !errors.As(err, &exit) && !errors.Is(err, exec.ErrWaitDelay):
		t.Fatalf("%q: %v", cmd.Args, err)
	}
	return Result{Out: out.String(), Code: cmd.ProcessState.ExitCode()}
}

// TrySh runs a bash script in dir ($1 and on are args).
func (w *World) TrySh(t testing.TB, dir, script string, args ...string) Result {
	t.Helper()
	// The script's own name is the same everywhere, so that messages of the shell can be compared.
	argv := append([]string{"-euo", "pipefail", "-c", "cd -- \"$DIR\"\n" + script, "script"}, args...)
	return w.Exec(t, []string{"LC_ALL=C", "TZ=UTC", "DIR=" + dir}, "bash", argv...)
}

// Sh runs a bash script in dir, which must succeed, and gives its output.
func (w *World) Sh(t testing.TB, dir, script string, args ...string) string {
	t.Helper()
	r := w.TrySh(t, dir, script, args...)
	if r.Code != 0 {
		t.Fatalf("script ended with %d\n%s\n--- output\n%s", r.Code, script, r.Out)
	}
	return r.Out
}

// Op runs one of the ops that TestMain gave to Main in a process of its own.
func (w *World) Op(t testing.TB, name string, args ...string) Result {
	t.Helper()
	return w.Exec(t, []string{envOp + "=" + name}, w.Self, args...)
}

// OpCommand is Op as a command to be started.
func (w *World) OpCommand(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(w.Self, args...)
	cmd.Dir = w.Work
	cmd.Env = append(os.Environ(), envOp+"="+name)
	return cmd
}

// Need skips the test when a program of the machine is missing.
func Need(t testing.TB, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			t.Skipf("%s is not installed", p)
		}
	}
}
