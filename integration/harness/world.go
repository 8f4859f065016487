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

// World provides the resources of a test on a mount. It exists only in the child.
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
		// Five seconds before the supervisor, so that the test can report what hangs.
		deadline: time.Now().Add(timeout - min(5*time.Second, timeout/4)),
	}
}

// Context returns a context that ends shortly before the deadline of the supervisor.
func (w *World) Context(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithDeadline(t.Context(), w.deadline)
	t.Cleanup(cancel)
	return ctx
}

// Name returns a name that is new in this world.
func (w *World) Name(prefix string) string {
	return fmt.Sprintf("%s%d", prefix, w.seq.Add(1))
}

// Dir creates a local directory.
func (w *World) Dir(t testing.TB, prefix string) string {
	t.Helper()
	d := filepath.Join(w.Work, w.Name(prefix))
	if err := os.Mkdir(d, 0o755); err != nil {
		t.Fatal(err)
	}
	return d
}

// Bucket creates a bucket on the shared server.
func (w *World) Bucket(t testing.TB) *Referee {
	t.Helper()
	return w.BucketOn(t, w.Endpoint)
}

// BucketOn creates a bucket on another server.
func (w *World) BucketOn(t testing.TB, endpoint string) *Referee {
	t.Helper()
	// Bucket names are global on the shared server. The work dir makes them unique.
	r := NewReferee(endpoint, w.Name(filepath.Base(w.Work)+"-b"))
	if err := r.CreateBucket(w.Context(t)); err != nil {
		t.Fatal(err)
	}
	if w.Server == servers.Ceph && endpoint == w.Endpoint {
		t.Cleanup(func() { // frees the memory of its objects
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

// OwnServer starts another server of the same kind as the shared one.
func (w *World) OwnServer(t testing.TB) *Server {
	t.Helper()
	s, err := startNamed(w.Context(t), w.Server, w.Dir(t, "server"), ServerOptions{Binary: w.gateway})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s
}

// Gateway starts another versitygw, independent of the shared server.
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

// Proxy starts a proxy in front of the shared server.
func (w *World) Proxy(t testing.TB, shape Shape) *Proxy {
	t.Helper()
	return w.ProxyOn(t, w.Endpoint, shape)
}

// ProxyOn starts a proxy in front of another server.
func (w *World) ProxyOn(t testing.TB, endpoint string, shape Shape) *Proxy {
	t.Helper()
	p, err := StartProxy(endpoint, shape)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// Result is the outcome of a program.
type Result struct {
	Out  string // standard output and standard error
	Code int    // exit status, or -1 if it was killed
}

// Exec runs a program until the deadline of the test. It starts in the work dir,
// because the fork of a child that changes into a mount would block this process while
// the mount waits for it.
func (w *World) Exec(t testing.TB, env []string, name string, args ...string) Result {
	t.Helper()
	return w.run(t, exec.CommandContext(w.Context(t), name, args...), env)
}

// run runs a command of this world until the deadline of the test, which its context
// has.
func (w *World) run(t testing.TB, cmd *exec.Cmd, env []string) Result {
	t.Helper()
	cmd.Dir = w.Work
	cmd.Env = append(os.Environ(), env...)
	cmd.WaitDelay = 5 * time.Second // bounds the wait for a grandchild that keeps the pipe open
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

// TrySh runs a bash script in dir. args are $1 and so on.
func (w *World) TrySh(t testing.TB, dir, script string, args ...string) Result {
	t.Helper()
	// The name of the script is constant, so that messages of the shell can be
	// compared.
	argv := append([]string{"-euo", "pipefail", "-c", "cd -- \"$DIR\"\n" + script, "script"}, args...)
	return w.Exec(t, []string{"LC_ALL=C", "TZ=UTC", "DIR=" + dir}, "bash", argv...)
}

// Sh runs a bash script in dir, which must succeed, and returns its output.
func (w *World) Sh(t testing.TB, dir, script string, args ...string) string {
	t.Helper()
	r := w.TrySh(t, dir, script, args...)
	if r.Code != 0 {
		t.Fatalf("script ended with %d\n%s\n--- output\n%s", r.Code, script, r.Out)
	}
	return r.Out
}

// Op runs an op of Main as a separate process.
func (w *World) Op(t testing.TB, name string, args ...string) Result {
	t.Helper()
	return w.Exec(t, []string{envOp + "=" + name}, w.Self, args...)
}

// OpCommand returns the command of Op.
func (w *World) OpCommand(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(w.Self, args...)
	cmd.Dir = w.Work
	cmd.Env = append(os.Environ(), envOp+"="+name)
	return cmd
}

// Need skips the test if a program is missing.
func Need(t testing.TB, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			t.Skipf("%s is not installed", p)
		}
	}
}
