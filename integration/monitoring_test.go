package integration

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/s3mount/s3mount/integration/harness"
)

// seen is a mount whose control socket is in a directory of the test.
type seen struct {
	*harness.Mount
	w      *harness.World
	bucket *harness.Referee
	proxy  *harness.Proxy
	env    []string
}

func seenMount(t *testing.T, w *harness.World, args ...string) *seen {
	t.Helper()
	s := &seen{w: w, bucket: w.Bucket(t), proxy: w.Proxy(t, harness.Shape{})}
	s.Mount = w.Mount(t, harness.MountOptions{Endpoint: s.proxy.URL, Source: s.bucket.Bucket, Args: args})
	s.env = append(slices.Concat(harness.Environment(), harness.Credentials()), "S3MOUNT_RUNTIME_DIR="+s.Run)
	s.until(t, func() bool { return s.exec(t, "status", s.Dir).Code == 0 })
	return s
}

// until waits for something that the mount does right after it has answered.
func (s *seen) until(t *testing.T, done func() bool) {
	t.Helper()
	for !done() {
		select {
		case <-s.w.Context(t).Done():
			t.Fatalf("it never came:\n%s", harness.Tail(s.Log, 20))
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// exec runs a command of s3mount.
func (s *seen) exec(t *testing.T, args ...string) harness.Result {
	t.Helper()
	return s.w.Exec(t, s.env, s.w.Binary, args...)
}

// status is s3mount status --json.
func (s *seen) status(t *testing.T) (all map[string]any) {
	t.Helper()
	r := s.exec(t, "status", s.Dir, "--json")
	if r.Code != 0 {
		t.Fatalf("status ended with %d: %s", r.Code, r.Out)
	}
	must(t, json.Unmarshal([]byte(r.Out), &all))
	return all
}

// at follows names into JSON.
func at(v any, names ...string) any {
	for _, n := range names {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[n]
	}
	return v
}

// TestStatus checks that s3mount status shows the work of a mount, and that the related
// commands work.
func TestStatus(t *testing.T) {
	t.Parallel()
	run(t, "status", func(t *testing.T, w *harness.World) {
		m := seenMount(t, w)
		must(t, os.WriteFile(m.Path("f"), payload(1, 100_000), 0o644))
		_, err := os.ReadFile(m.Path("f"))
		must(t, err)
		s := m.status(t)
		for want, got := range map[string]any{
			"api 1":                     at(s, "api"),
			"source " + m.bucket.Bucket: at(s, "source"),
			"mountpoint " + m.Dir:       at(s, "mountpoint"),
			fmt.Sprint("pid ", m.PID()): at(s, "pid"),
			"written 100000":            at(s, "fuse", "bytes_written"),
			"writes 1":                  at(s, "fuse", "operations", "create", "count"),
			"put 1":                     at(s, "s3", "PutObject", "count"),
			"sent 100000":               at(s, "s3", "PutObject", "bytes_sent"),
			"commits 1":                 at(s, "writes", "commits"),
			"dirty 0":                   at(s, "writes", "dirty"),
			"journal 0":                 at(s, "journal", "count"),
			"limit 268435456":           at(s, "memory", "limit"),
		} {
			if f, ok := got.(float64); ok {
				got = int64(f)
			}
			if _, value, _ := strings.Cut(want, " "); value != fmt.Sprint(got) {
				t.Errorf("status: %v, want %s", got, want)
			}
		}
		if p99, ok := at(s, "fuse", "operations", "flush", "p99_seconds").(float64); !ok || p99 <= 0 {
			t.Errorf("flush has no p99: %v", at(s, "fuse", "operations", "flush"))
		}
		for _, args := range [][]string{{"status"}, {"status", m.Path("f")}, {"top", m.Dir, "--count", "2", "--interval", "100ms"}} {
			if r := m.exec(t, args...); r.Code != 0 && args[0] == "top" || !strings.Contains(strings.Join(strings.Fields(r.Out), " "), m.Dir+": "+m.bucket.Bucket) {
				t.Errorf("%q ended with %d:\n%s", args, r.Code, r.Out)
			}
		}
		if r := m.exec(t, "status", w.Work); r.Code != 3 || !strings.Contains(r.Out, "not in a mount of s3mount") {
			t.Errorf("status of no mount: %d, %s", r.Code, r.Out)
		}
	})
	run(t, "files", func(t *testing.T, w *harness.World) {
		m := seenMount(t, w)
		names, err := os.ReadDir(m.Run)
		must(t, err)
		if len(names) != 1 {
			t.Fatalf("the runtime directory holds %v", names)
		}
		for path, want := range map[string]os.FileMode{m.Run: 0o700, filepath.Join(m.Run, names[0].Name()): 0o600} {
			if st, err := os.Lstat(path); err != nil || st.Mode().Perm() != want {
				t.Errorf("%s: %v (%v), want %v", path, st.Mode(), err, want)
			}
		}
		m.Unmount(t)
		if names, err := os.ReadDir(m.Run); err != nil || len(names) > 0 {
			t.Errorf("left behind: %v (%v)", names, err)
		}
	})
	run(t, "link", func(t *testing.T, w *harness.World) {
		bucket, link := w.Bucket(t), filepath.Join(w.Work, "link")
		must(t, os.Symlink(w.Dir(t, "run"), link))
		m := w.Mount(t, harness.MountOptions{Endpoint: w.Endpoint, Source: bucket.Bucket, Run: link})
		must(t, os.WriteFile(m.Path("f"), []byte("x"), 0o644))
		m.Unmount(t)
		if log := harness.Tail(m.Log, 500); !strings.Contains(log, "is a symbolic link") {
			t.Errorf("the log does not say why there is no socket:\n%s", log)
		}
	})
}

// TestSyncCommand checks that s3mount sync returns when S3 has all data of the journal,
// and not earlier.
func TestSyncCommand(t *testing.T) {
	t.Parallel()
	run(t, "journal", func(t *testing.T, w *harness.World) {
		m := seenMount(t, w, "--durability", "journal")
		m.proxy.Inject(harness.Fault{Match: writes, Status: 503, Code: "SlowDown"})
		for i := range 10 {
			must(t, os.WriteFile(m.Path(fmt.Sprint("f", i)), payload(i, 1000*i), 0o644))
		}
		if n, ok := at(m.status(t), "journal", "count").(float64); !ok || n < 1 {
			t.Errorf("the journal's queue is not seen: %v", n)
		}
		cmd := exec.Command(w.Binary, "sync", m.Dir)
		cmd.Env = m.env
		p, err := harness.Start(cmd)
		must(t, err)
		m.until(t, func() bool { return at(m.status(t), "s3", "PutObject", "count") != nil })
		select {
		case <-p.Done():
			t.Errorf("sync ended while S3 refused everything: %v", p.Err())
		default:
		}
		m.proxy.Heal()
		<-p.Done()
		must(t, p.Err())
		for i := range 10 {
			wantObject(t, w, m.bucket, fmt.Sprint("f", i), payload(i, 1000*i))
		}
		if n := at(m.status(t), "journal", "count"); n != 0.0 {
			t.Errorf("%v things are in the journal after sync", n)
		}
	})
}

// TestUmountCommand checks that s3mount umount ends an unused mount after everything is
// in S3, and refuses to end one in use.
func TestUmountCommand(t *testing.T) {
	t.Parallel()
	run(t, "umount", func(t *testing.T, w *harness.World) {
		m := seenMount(t, w)
		f, err := os.Create(m.Path("f"))
		must(t, err)
		_, err = f.Write(payload(1, 1000))
		must(t, err)
		r := m.exec(t, "umount", m.Dir)
		if r.Code != 3 || !strings.Contains(r.Out, "is busy, used by ") {
			t.Errorf("of a busy mount: %d, %s", r.Code, r.Out)
		}
		wantObject(t, w, m.bucket, "f", payload(1, 1000))
		must(t, f.Close())
		if r := m.exec(t, "umount", m.Dir); r.Code != 0 {
			t.Errorf("umount ended with %d: %s", r.Code, r.Out)
		}
		if ended, err := m.Ended(); err != nil || !ended {
			m.until(t, func() bool { ended, err = m.Ended(); return ended })
			must(t, err)
		}
		m.WaitEnd(t)
	})
}

// TestWarmCommand checks that reads and lookups after s3mount warm request no data from
// S3.
func TestWarmCommand(t *testing.T) {
	t.Parallel()
	run(t, "warm", func(t *testing.T, w *harness.World) {
		m := seenMount(t, w, "--metadata-ttl", "1h")
		for i := range 30 {
			must(t, m.bucket.Put(w.Context(t), fmt.Sprintf("d%d/f%d", i%3, i), payload(i, 50_000), nil))
		}
		if r := m.exec(t, "warm", m.Dir); r.Code != 0 || !strings.Contains(r.Out, "read 30 files, 1.4 MiB") {
			t.Fatalf("warm ended with %d: %s", r.Code, r.Out)
		}
		m.proxy.Reset()
		for i := range 30 {
			got, err := os.ReadFile(m.Path(fmt.Sprintf("d%d/f%d", i%3, i)))
			must(t, err)
			if string(got) != string(payload(i, 50_000)) {
				t.Errorf("file %d has other bytes", i)
			}
		}
		if _, received := m.proxy.Bytes(); received > 50_000 {
			t.Errorf("the files were fetched again: %d bytes", received)
		}
		if r := m.exec(t, "warm", m.Path("absent")); r.Code != 1 || !strings.Contains(r.Out, "absent") {
			t.Errorf("warm of nothing: %d, %s", r.Code, r.Out)
		}
	})
}

// TestDoctorCommand checks s3mount doctor with a good server and with several faults.
func TestDoctorCommand(t *testing.T) {
	t.Parallel()
	run(t, "doctor", func(t *testing.T, w *harness.World) {
		bucket, state := w.Bucket(t), w.Dir(t, "state")
		for _, tc := range []struct {
			args []string
			env  []string
			code int
			says string
		}{
			{[]string{"--endpoint", w.Endpoint, bucket.Bucket, w.Dir(t, "mnt")}, nil, 0, "a mount should work"},
			{[]string{"--endpoint", w.Endpoint, "absent-" + bucket.Bucket}, nil, 6, "does not exist"},
			{[]string{"--endpoint", "http://127.0.0.1:1", bucket.Bucket}, nil, 7, "connection refused"},
			{[]string{"--endpoint", w.Endpoint, bucket.Bucket}, []string{"AWS_SECRET_ACCESS_KEY=wrong-secret"}, 5, "secret key"},
		} {
			env := slices.Concat(harness.Environment(), harness.Credentials(), tc.env)
			r := w.Exec(t, env, w.Binary, append([]string{"doctor", "--state-dir", state}, tc.args...)...)
			if r.Code != tc.code || !strings.Contains(r.Out, tc.says) {
				t.Errorf("doctor %q ended with %d, want %d and %q:\n%s", tc.args, r.Code, tc.code, tc.says, r.Out)
			}
			if strings.Contains(r.Out, harness.SecretKey) || strings.Contains(r.Out, "wrong-secret") {
				t.Errorf("the secret is shown:\n%s", r.Out)
			}
		}
		if keys, err := bucket.Keys(w.Context(t), ""); err != nil || len(keys) > 0 {
			t.Errorf("the doctor left objects behind: %v (%v)", keys, err)
		}
	})
}

// TestMetrics checks that the metrics for Prometheus are served and contain no secrets.
func TestMetrics(t *testing.T) {
	t.Parallel()
	run(t, "metrics", func(t *testing.T, w *harness.World) {
		m := seenMount(t, w, "--metrics", "0", "--debug")
		must(t, os.WriteFile(m.Path("f"), payload(1, 1000), 0o644))
		var url []string
		m.until(t, func() bool {
			url = regexp.MustCompile(`url=(http://127\.0\.0\.1:\d+/metrics)`).FindStringSubmatch(harness.Tail(m.Log, 1000))
			return url != nil
		})
		resp, err := http.Get(url[1])
		must(t, err)
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		must(t, err)
		for _, want := range []string{"s3mount_fuse_written_bytes_total 1000\n", `s3mount_s3_sent_bytes_total{kind="PutObject"} 1000`,
			"s3mount_memory_limit_bytes 2.68435456e+08", "go_goroutines "} {
			if !strings.Contains(string(text), want) {
				t.Errorf("the metrics lack %q", want)
			}
		}
		if strings.Contains(string(text), harness.SecretKey) || strings.Contains(string(text), harness.AccessKey) {
			t.Error("the metrics hold credentials")
		}
	})
}

// TestWatchdog checks that a request that hangs is logged, and so is its end. The
// copy of the file may take 15 s, which is more than the 6 s of the watchdog.
func TestWatchdog(t *testing.T) {
	t.Parallel()
	run(t, "hangs", func(t *testing.T, w *harness.World) {
		m := seenMount(t, w, "--deadline", "1s")
		must(t, os.WriteFile(m.Path("f"), payload(1, 100<<20), 0o644))
		m.proxy.Inject(harness.Fault{Match: kind(harness.Copy), Delay: time.Hour})
		done := make(chan error, 1)
		go func() { done <- os.Rename(m.Path("f"), m.Path("g")) }()
		m.until(t, func() bool {
			return strings.Contains(harness.Tail(m.Log, 2000), `msg="a request is slow" op=rename path=/ `)
		})
		if n := at(m.status(t), "fuse", "slow"); n != 1.0 {
			t.Errorf("%v slow requests are counted, want 1", n)
		}
		m.proxy.Heal()
		m.proxy.CloseConnections()
		<-done // the deadline for another attempt has passed
		m.until(t, func() bool {
			return strings.Contains(harness.Tail(m.Log, 2000), `msg="a slow request was answered" op=rename`)
		})
	})
}
