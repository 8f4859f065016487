package soak

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/s3mount/s3mount/integration/harness"
)

func TestMain(m *testing.M) {
	os.Exit(withTable(func() int {
		return harness.Main(m, map[string]harness.Op{"worker": workerOp, "disk": diskOp, "mutator": mutatorOp,
			"client": clientOp, "produce": produceOp, "observe": observeOp})
	}))
}

const (
	// shortTime is how long the storm blows in make test.
	shortTime = 20 * time.Second
	// workersPerSide leave two processors some time for the server.
	workersPerSide = 2
	memoryLimit    = 64 << 20
	// overhead is the memory that the process may need in addition to --memory-limit.
	overhead = 96 << 20
	// idleGoroutines and idleFiles are limits of an idle mount. They allow for go-fuse,
	// the metrics, idle connections, and the two files of each of 128 versions that the
	// disk cache keeps open.
	idleGoroutines = 150
	idleFiles      = 120 + 2*128
)

// TestSoak runs workers on several mounts during faults and checks the result.
func TestSoak(t *testing.T) {
	blow := shortTime
	if full := fullTime(t); full != 0 {
		blow = full
	}
	harness.Run(t, harness.Config{Timeout: blow + 4*time.Minute}, func(t *testing.T, w *harness.World) { soak(t, w, blow) })
}

func soak(t *testing.T, w *harness.World, blow time.Duration) {
	seed := seedOf(t)
	res := newRow(t, "everything at once", seed)
	k := newKeys(t, w)
	srv := w.Gateway(t, harness.ServerOptions{IAM: k.iam})
	s := &storm{t: t, w: w, rand: rand.New(rand.NewPCG(seed, 0)), server: srv, keys: k,
		proxy: w.ProxyOn(t, srv.Endpoint, harness.Shape{Latency: 2 * time.Millisecond}), count: map[string]int{}}
	s.sides = []*side{newSide(t, w, s, "s3", k.byFile()), newSide(t, w, s, "journal", k.byService())}
	others(t, w, s.sides[0].mount, blow/10)
	for i, d := range s.sides {
		d.start(t, w, 10*i)
	}
	s.blow(time.Now().Add(blow))
	s.proxy.Heal()
	t.Logf("storm: %v", s.count)
	res.Rounds, res.Kills = 1, s.count["kill"]
	for _, n := range s.count {
		res.Faults += n
	}
	res.Faults -= res.Kills
	for _, d := range s.sides {
		d.stop(t, s.proxy, res)
		d.judge(t, w)
	}
	if t.Failed() {
		res.Violations++
	}
}

// newSide mounts.
func newSide(t *testing.T, w *harness.World, s *storm, durability string, env []string) *side {
	d := &side{durability: durability, ctl: w.Dir(t, "ctl"), disk: newDisk(t, w), bucket: w.BucketOn(t, s.server.Endpoint)}
	if err := os.WriteFile(filepath.Join(d.ctl, lockFile), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	metrics, err := harness.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	d.mount = w.Mount(t, harness.MountOptions{Endpoint: s.proxy.URL, Source: d.bucket.Bucket, Env: env, State: d.disk.sub(t, "state"), Args: []string{
		"--cache", d.disk.sub(t, "cache"), "--cache-size", "32M", "--cache-min-free", "1M",
		"--durability", durability, "--deadline", "10s", "--memory-limit", fmt.Sprint(memoryLimit),
		"--spool-dir", smallDisk(t, w.Dir(t, "spool"), "24m"), "--delete", "sync", "--metrics", metrics, "--log-level", "info",
	}})
	d.metrics = "http://" + metrics + "/metrics"
	return d
}

// others runs programs that check themselves, while all is calm.
func others(t *testing.T, w *harness.World, m *harness.Mount, d time.Duration) {
	seconds := fmt.Sprint(max(3, int(d.Seconds())))
	for _, argv := range [][]string{
		{"fio", "--name=soak", "--directory=" + m.Dir, "--rw=randrw", "--bsrange=512-256k", "--size=8m", "--numjobs=2", "--verify=crc32c",
			"--verify_fatal=1", "--end_fsync=1", "--time_based", "--runtime=" + seconds},
		{"stress-ng", "--temp-path", m.Dir, "--hdd", "1", "--hdd-bytes", "8m", "--dentry", "1", "--dentries", "64", "--rename", "1",
			"--verify", "--timeout", seconds + "s"},
	} {
		if _, err := exec.LookPath(argv[0]); err != nil {
			t.Logf("%s is not installed", argv[0])
			continue
		}
		if r := w.Exec(t, nil, argv[0], argv[1:]...); r.Code != 0 {
			t.Errorf("%s ended with %d:\n%s", argv[0], r.Code, r.Out)
		}
	}
}

// start starts the workers.
func (d *side) start(t *testing.T, w *harness.World, firstSeed int) {
	for i := range workersPerSide {
		seed := firstSeed + i
		out, err := os.Create(filepath.Join(d.ctl, fmt.Sprintf("worker-%d", seed)))
		if err != nil {
			t.Fatal(err)
		}
		cmd := w.OpCommand("worker", d.mount.Dir, d.ctl, fmt.Sprint(seed))
		cmd.Stdout, cmd.Stderr = out, out
		p, err := harness.Start(cmd)
		if err != nil {
			t.Fatal(err)
		}
		_ = out.Close() // the worker has its own
		d.workers, d.seeds = append(d.workers, p), append(d.seeds, seed)
	}
}

// stop tells the workers that all faults have ended, and waits for their results.
func (d *side) stop(t *testing.T, proxy *harness.Proxy, res *row) {
	if err := os.WriteFile(filepath.Join(d.ctl, stopFile), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for i, p := range d.workers {
		<-p.Done()
		said, _ := os.ReadFile(filepath.Join(d.ctl, fmt.Sprintf("worker-%d", d.seeds[i])))
		t.Logf("%s: %s", d.durability, bytes.TrimSpace(said))
		count, _ := os.ReadFile(countPath(d.ctl, d.seeds[i])) // A worker that failed leaves none.
		n, _ := strconv.Atoi(string(count))
		res.Operations += n
		if err := p.Err(); err != nil {
			t.Errorf("%s: worker %d: %v", d.durability, d.seeds[i], err)
			name, _, _ := bytes.Cut(said, []byte(" "))
			t.Logf("the requests for %s:\n%s", name, strings.Join(proxy.Past(string(name)), "\n"))
			continue
		}
		res.Histories++
	}
}

// judge checks the mounts and the bucket after all faults have ended.
func (d *side) judge(t *testing.T, w *harness.World) {
	r := d.mount.Command(t, "sync", d.mount.Dir)
	if r.Code != 0 {
		t.Errorf("%s: sync ended with %d: %s", d.durability, r.Code, r.Out)
	}
	d.wantQuiet(t)
	peak, err := harness.MemoryPeak(d.mount.PID())
	if err != nil {
		t.Error(err)
	}
	t.Logf("%s: peak of memory %d MiB", d.durability, peak>>20)
	if peak > memoryLimit+overhead && !harness.Race() {
		t.Errorf("%s: %d MiB of memory, at most %d are allowed", d.durability, peak>>20, (memoryLimit+overhead)>>20)
	}
	d.mount.Unmount(t)
	for _, seed := range d.seeds {
		d.compareBucket(t, w, seed)
	}
	if up, err := d.bucket.Uploads(w.Context(t)); err != nil || len(up) > 0 {
		t.Logf("%s: uploads whose ids the killed mounts had no time to note: %q (%v)", d.durability, up, err)
	}
}

// quiet are the gauges that are 0 when nothing is to be done.
var quiet = []string{"s3mount_unsaved_bytes", "s3mount_unsaved_files", "s3mount_spool_bytes", "s3mount_uploads", "s3mount_journal_entries",
	"s3mount_fuse_requests_in_flight", "s3mount_fuse_slow_requests_total", "s3mount_fetches_running", "s3mount_fetches_queued"}

// wantQuiet waits until the gauges are 0. The kernel sends the last releases after the
// program has continued.
func (d *side) wantQuiet(t *testing.T) {
	deadline := time.Now().Add(30 * time.Second)
	for {
		got, err := scrape(d.metrics)
		if err != nil {
			t.Errorf("%s: %v", d.durability, err)
			return
		}
		var left []string
		for _, name := range quiet {
			if v, ok := got[name]; !ok || v != 0 {
				left = append(left, fmt.Sprintf("%s %v (told: %v)", name, v, ok))
			}
		}
		files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", d.mount.PID()))
		if n := got["go_goroutines"]; n > idleGoroutines || n == 0 {
			left = append(left, fmt.Sprintf("%v goroutines", n))
		}
		if err != nil || len(files) > idleFiles {
			left = append(left, fmt.Sprintf("%d open files (%v)", len(files), err))
		}
		if len(left) == 0 {
			t.Logf("%s: quiet, %v goroutines, %d open files", d.durability, got["go_goroutines"], len(files))
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("%s: when all is quiet there are %s", d.durability, strings.Join(left, ", "))
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// scrape reads the metrics without labels.
func scrape(url string) (map[string]float64, error) {
	res, err := http.Get(url)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	out := map[string]float64{}
	for line := range strings.Lines(string(b)) {
		var name string
		var v float64
		if n, _ := fmt.Sscan(line, &name, &v); n == 2 {
			out[name] = v
		}
	}
	if len(out) == 0 {
		return nil, errors.New("no metrics")
	}
	return out, nil
}

// compareBucket compares the objects in S3 with the files that a worker expects.
func (d *side) compareBucket(t *testing.T, w *harness.World, seed int) {
	b, err := os.ReadFile(manifestPath(d.ctl, seed))
	if err != nil {
		t.Errorf("%s: %v", d.durability, err)
		return
	}
	want := map[string]string{}
	if err := json.Unmarshal(b, &want); err != nil {
		t.Fatal(err)
	}
	for name, sum := range want {
		exists, err := d.bucket.Exists(w.Context(t), name)
		if err != nil || exists != (sum != "") {
			t.Errorf("%s: %s is in the bucket: %v (%v)", d.durability, name, exists, err)
			continue
		}
		if !exists {
			continue
		}
		body, err := d.bucket.Get(w.Context(t), name)
		if err != nil || fmt.Sprintf("%x", sha256.Sum256(body)) != sum {
			t.Errorf("%s: %s has other bytes in the bucket (%v)", d.durability, name, err)
		}
	}
}
