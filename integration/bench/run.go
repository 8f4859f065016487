package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/s3mount/s3mount/integration/harness"
)

// workPatience bounds the work of a row and, once more, the wait until S3
// holds its bytes: twice what the slowest peer needed where it did its job.
const workPatience = 60 * time.Second

// linkRate is the rate of one connection of a link that is not 0 ms.
const linkRate = 90_000_000

type bench struct {
	o        options
	root     string // of all files
	self     string
	fixture  string
	server   *harness.Server
	log      *accessLog
	proxy    *harness.Proxy
	tools    []tool
	binaries map[string]string
	missing  map[string]error
	shared   map[string]*bucket // by seed, for rows that change nothing
	seq      int
}

func newBench(ctx context.Context, o options) (*bench, error) {
	root, err := workRoot()
	if err != nil {
		return nil, fmt.Errorf("make the work root: %w", err)
	}
	b := &bench{o: o, root: root, tools: tools(), binaries: map[string]string{}, missing: map[string]error{}, shared: map[string]*bucket{}}
	if err := b.start(ctx); err != nil {
		b.close()
		return nil, err
	}
	return b, nil
}

func (b *bench) start(ctx context.Context) error {
	var err error
	if b.self, err = os.Executable(); err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	for _, t := range b.tools {
		if slices.Contains(b.o.tools, t.name) {
			b.binaries[t.name], b.missing[t.name] = t.prepare(b.root)
		}
	}
	if b.server, err = harness.StartServer(ctx, b.root, harness.ServerOptions{AccessLog: true}); err != nil {
		return err
	}
	if b.log, err = openAccessLog(b.server.Access); err != nil {
		return err
	}
	if b.proxy, err = harness.StartProxy(b.server.Endpoint, harness.Shape{}); err != nil {
		return err
	}
	b.fixture = filepath.Join(b.root, "fixture")
	return makeFixture(ctx, b.fixture, b.o.params)
}

func (b *bench) close() {
	if b.proxy != nil {
		b.proxy.Close()
	}
	if b.server != nil {
		b.server.Stop()
	}
	harness.RemoveUnmounted(b.root)
}

// bucketFor gives the bucket of a row, filled.
func (b *bench) bucketFor(ctx context.Context, row row) (*bucket, error) {
	if have := b.shared[row.data]; have != nil && row.held == nil {
		return have, nil
	}
	b.seq++
	bk := &bucket{Referee: harness.NewReferee(b.server.Endpoint, fmt.Sprintf("bench%d", b.seq)), params: b.o.params}
	if err := bk.CreateBucket(ctx); err != nil {
		return nil, err
	}
	if seed := seeds[row.data]; seed != nil {
		if err := seed(ctx, bk); err != nil {
			return nil, err
		}
	}
	if row.held == nil {
		b.shared[row.data] = bk
	}
	return bk, nil
}

// measure runs one row with one tool over one link.
func (b *bench) measure(ctx context.Context, ms int, row row, name string) result {
	r := result{ms: ms, row: row.name, tool: name}
	fail := func(err error) result { r.err = firstLine(err); return r }
	bk, err := b.bucketFor(ctx, row)
	if err != nil {
		return fail(err)
	}
	defer func() {
		if row.held != nil { // gigabytes in memory, maybe
			_ = os.RemoveAll(filepath.Join(b.server.Data, bk.Bucket))
		}
	}()
	endpoint := b.server.Endpoint
	if ms > 0 {
		b.proxy.SetShape(harness.Shape{Latency: time.Duration(ms) * time.Millisecond, Rate: linkRate})
		endpoint = b.proxy.URL
	}
	if name == "raw" {
		err = b.measureRaw(ctx, endpoint, row, bk, &r)
	} else {
		err = b.measureMount(ctx, endpoint, row, bk, &r)
	}
	if err != nil {
		return fail(err)
	}
	return r
}

// reset forgets the requests so far; count puts those since then into r.
func (b *bench) reset() error {
	b.proxy.Reset()
	_, err := b.log.counts()
	return err
}

func (b *bench) count(r *result) (err error) {
	if r.ms > 0 {
		r.requests = b.proxy.Counts()
		sent, received := b.proxy.Bytes()
		r.moved = sent + received
		return nil
	}
	r.requests, err = b.log.counts()
	return err
}

func (b *bench) measureRaw(ctx context.Context, endpoint string, row row, bk *bucket, r *result) error {
	c, err := rawClient(endpoint)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := b.reset(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, workPatience, errTimeout)
	defer cancel()
	cpu, err := cpuSeconds(os.Getpid())
	if err != nil {
		return err
	}
	start := time.Now()
	if err := row.raw(ctx, c, bk); err != nil {
		return err
	}
	r.seconds = time.Since(start).Seconds()
	after, err := cpuSeconds(os.Getpid())
	r.cpu = after - cpu // over a link this holds the proxy's, too
	if err != nil {
		return err
	}
	return b.count(r)
}

func (b *bench) measureMount(ctx context.Context, endpoint string, row row, bk *bucket, r *result) (err error) {
	t, binary, err := b.find(r.tool)
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp(b.root, t.name)
	if err != nil {
		return fmt.Errorf("make a work directory: %w", err)
	}
	defer harness.RemoveUnmounted(work)
	m, err := t.mount(binary, endpoint, bk.Bucket, work)
	if err != nil {
		return err
	}
	defer func() {
		if end := m.end(); err == nil && end != nil {
			err = end
		}
	}()
	if row.warm != "" {
		if err := b.script(ctx, m.dir, row.warm); err != nil {
			return err
		}
	}
	if err := b.reset(); err != nil {
		return err
	}
	pid := m.proc.Process.Pid
	resetPeak(pid)
	cpu, err := cpuSeconds(pid)
	if err != nil {
		return err
	}
	start := time.Now()
	if err := b.script(ctx, m.dir, row.script); err != nil {
		return err
	}
	r.seconds = time.Since(start).Seconds()
	if row.held != nil {
		if err := b.awaitHeld(ctx, row, bk, start, r); err != nil {
			return err
		}
	}
	after, err := cpuSeconds(pid)
	if err != nil {
		return err
	}
	r.cpu = after - cpu
	if r.rss, err = harness.MemoryPeak(pid); err != nil {
		return err
	}
	return b.count(r)
}

// awaitHeld waits until S3 holds what was written. It asks the server itself,
// so that neither the link nor the counts notice.
func (b *bench) awaitHeld(ctx context.Context, row row, bk *bucket, start time.Time, r *result) error {
	for first := true; ; first = false {
		ok, err := row.held(ctx, bk)
		if err != nil {
			return err
		}
		if ok && !first {
			r.held = time.Since(start).Seconds()
		}
		if ok {
			return nil
		}
		if time.Since(start) > 2*workPatience {
			return fmt.Errorf("S3 does not hold it all after %v", 2*workPatience)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// script runs a script in a mount, in a process group of its own that is killed when time is up.
func (b *bench) script(ctx context.Context, dir, script string) error {
	var out bytes.Buffer
	cmd := exec.Command("bash", "-euo", "pipefail", "-c", "cd -- \"$DIR\"\n"+script)
	cmd.Dir = b.root
	cmd.Env = slices.Concat(harness.Environment(), b.o.env(), []string{"DIR=" + dir, "BENCH=" + b.self, "FIXTURE=" + b.fixture, "GIT_CONFIG_GLOBAL=/dev/null", "LC_ALL=C"})
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.WaitDelay = time.Second
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p, err := harness.Start(cmd)
	if err != nil {
		return err
	}
	select {
	case <-p.Done():
		if p.Err() != nil {
			return fmt.Errorf("%w: %s", p.Err(), strings.TrimSpace(harness.Last(out.String(), 1)))
		}
		return nil
	case <-ctx.Done():
		err = context.Cause(ctx)
	case <-time.After(workPatience):
		err = errTimeout
	}
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	return err // whoever still hangs in the mount ends when it is aborted
}

func firstLine(err error) string {
	s, _, _ := strings.Cut(err.Error(), "\n")
	return s
}
