package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/s3mount/s3mount/integration/harness"
)

// workPatience bounds the work of a row and the wait until S3 has all data. The slowest
// successful peer needed 33 s, for find at 20 ms.
const workPatience = 45 * time.Second

// rest is the pause before large work. A host that limits the average CPU use of a
// virtual machine takes back processors after heavy use. Without a pause, steal time in
// /proc/stat was up to a third of the processors for 0.4 s of a read of 1.3 s. With a
// pause of 3 s it was 0.
const rest = 4 * time.Second

// linkRate is the rate of one connection over a link above 0 ms, in bytes per second.
const linkRate = 90_000_000

type bench struct {
	o        options
	root     string // directory of all files
	self     string
	fixture  string
	server   *harness.Server
	log      *accessLog
	proxy    *harness.Proxy
	tools    []tool
	binaries map[string]string
	missing  map[string]error
	shared   map[filled]*bucket // buckets of rows that change nothing
	seq      int
	over     time.Time // end of the time for the whole run
	ballast  ballast
}

func newBench(ctx context.Context, o options) (*bench, error) {
	root, err := workRoot()
	if err != nil {
		return nil, fmt.Errorf("make the work root: %w", err)
	}
	b := &bench{o: o, root: root, tools: tools(), binaries: map[string]string{}, missing: map[string]error{}, shared: map[filled]*bucket{}}
	if err := b.start(ctx); err != nil {
		b.close()
		return nil, err
	}
	b.over = time.Now().Add(o.budget)
	return b, nil
}

func (b *bench) start(ctx context.Context) error {
	var err error
	if b.self, err = os.Executable(); err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	for _, t := range b.tools {
		if slices.Contains(b.o.tools, t.name) || t.name == toolOwn { // s3mount also fills buckets
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

// filled identifies the content of a bucket.
type filled struct {
	data   string
	origin origin
}

// bucketFor returns the bucket of a row with the files of its seed.
func (b *bench) bucketFor(ctx context.Context, row row) (*bucket, error) {
	content := filled{row.data, row.origin}
	if have := b.shared[content]; have != nil && row.held == nil {
		return have, nil
	}
	b.seq++
	bk := &bucket{Referee: harness.NewReferee(b.server.Endpoint, fmt.Sprintf("bench%d", b.seq)), params: b.o.params, bench: b, origin: row.origin}
	if err := bk.CreateBucket(ctx); err != nil {
		return nil, err
	}
	if row.data != "" {
		if err := bk.fill(ctx, row.data); err != nil {
			return nil, fmt.Errorf("fill the bucket: %w", err)
		}
	}
	if head, err := bk.Head(ctx, "big0"); err == nil {
		bk.etag = aws.ToString(head.ETag)
	}
	if row.held == nil {
		b.shared[content] = bk
	}
	return bk, nil
}

// patience returns the time limit of the next row: workPatience, or the rest of the
// time for the run.
func (b *bench) patience() time.Duration { return min(workPatience, time.Until(b.over)) }

// measure runs one row with one tool over one link.

// measure runs one row with one tool over one link.
func (b *bench) measure(ctx context.Context, ms int, row row, name string) result {
	r := result{ms: ms, row: row.name, tool: name}
	if row.bytes != nil {
		r.bytes = row.bytes(b.o.params)
	}
	fail := func(err error) result {
		r.err, r.late = firstLine(err), errors.Is(err, errTimeout)
		return r
	}
	if b.patience() <= 0 {
		r.skipped = true
		return fail(errBudget)
	}
	bk, err := b.bucketFor(ctx, row)
	if err != nil {
		return fail(err)
	}
	defer func() {
		if row.held != nil { // frees memory
			_ = os.RemoveAll(filepath.Join(b.server.Data, bk.Bucket))
		}
	}()
	if row.large(b.o.params) {
		if err := b.ballast.take(); err != nil {
			return fail(err)
		}
		select {
		case <-time.After(rest):
		case <-ctx.Done():
		}
	}
	endpoint := b.server.Endpoint
	if ms > 0 {
		b.proxy.SetShape(harness.Shape{Latency: time.Duration(ms) * time.Millisecond, Rate: linkRate})
		endpoint = b.proxy.URL
	}
	ctx, cancel := context.WithTimeoutCause(ctx, b.patience(), errTimeout)
	defer cancel()
	if name == toolRaw {
		err = b.measureRaw(ctx, endpoint, row, bk, &r)
	} else {
		err = b.measureMount(ctx, endpoint, row, bk, &r)
	}
	if err != nil {
		return fail(err)
	}
	return r
}

var errBudget = errors.New("the time for the run was used up (-budget)")

// begin releases the ballast and resets the counters of requests.
func (b *bench) begin() error {
	b.proxy.Reset()
	_, err := b.log.counts()
	return errors.Join(err, b.ballast.drop())
}

// count stores the requests and bytes since begin in r.
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
	if err := b.begin(); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, b.self, "-work", "raw", row.name, endpoint, bk.Bucket, fmt.Sprint(b.o.scale))
	cmd.Env = harness.Environment()
	out, err := cmd.Output()
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return fmt.Errorf("raw: %w", err)
	}
	if _, err := fmt.Sscan(string(out), &r.seconds, &r.rss); err != nil {
		return fmt.Errorf("raw: %w", err)
	}
	r.cpu = (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()
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
	at := mountpoint{binary: binary, endpoint: endpoint, bucket: bk.Bucket, cached: row.again, options: row.options}
	if row.again {
		if err := b.mountFor(ctx, t, at, work, func(m *mounted) error { return b.script(ctx, m.dir, row.warm, nil) }); err != nil {
			return err
		}
	}
	return b.mountFor(ctx, t, at, work, func(m *mounted) error {
		if row.warm != "" && !row.again {
			if err := b.script(ctx, m.dir, row.warm, nil); err != nil {
				return err
			}
		}
		return b.measureWork(ctx, m, row, bk, r)
	})
}

// mountFor mounts, calls do and unmounts. After an error it aborts the mount instead.
func (b *bench) mountFor(ctx context.Context, t tool, at mountpoint, work string, do func(*mounted) error) error {
	m, err := t.mount(at, work)
	if err != nil {
		return err
	}
	if err := do(m); err != nil {
		return errors.Join(err, m.kill())
	}
	if ctx.Err() != nil {
		return errors.Join(context.Cause(ctx), m.kill())
	}
	return m.end()
}

// measureWork runs the script of a row in a mount and measures it.
func (b *bench) measureWork(ctx context.Context, m *mounted, row row, bk *bucket, r *result) error {
	if err := b.begin(); err != nil {
		return err
	}
	pid := m.proc.Process.Pid
	resetPeak(pid)
	cpu, err := cpuSeconds(pid)
	if err != nil {
		return err
	}
	start := time.Now()
	if err := b.script(ctx, m.dir, row.script, &r.note); err != nil {
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

func firstLine(err error) string {
	s, _, _ := strings.Cut(err.Error(), "\n")
	return s
}
