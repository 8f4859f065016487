package integration

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/s3mount/s3mount/integration/harness"
)

// TestP12CleanEnd checks that every kind of shutdown flushes first, that a new mount
// heals a dead one, and that no process hangs forever if a server does not answer.
func TestP12CleanEnd(t *testing.T) {
	t.Parallel()
	ends := map[string]func(t *testing.T, m *harness.Mount){
		"umount":  func(t *testing.T, m *harness.Mount) { m.Unmount(t) },
		"SIGTERM": func(t *testing.T, m *harness.Mount) { m.Terminate(t) },
		"SIGINT":  func(t *testing.T, m *harness.Mount) { m.Signal(syscall.SIGINT); m.WaitEnd(t) },
	}
	for name, end := range ends {
		run(t, name, func(t *testing.T, w *harness.World) {
			m, bucket, _ := mountOf(t, w)
			w.Sh(t, m.Dir, `for i in $(seq 30); do echo $i > f$i; done; mkdir d; mv f1 d; rm f2 f3`)
			end(t, m)
			keys, err := bucket.Keys(w.Context(t), "f")
			if err != nil || len(keys) != 27 {
				t.Errorf("%d files in the bucket (%v), want 27", len(keys), err)
			}
			wantObject(t, w, bucket, "d/f1", []byte("1\n"))
		})
	}
	run(t, "open files", testEndWithOpenFiles)
	run(t, "files stay open", testEndUnderOpenFiles)
	run(t, "during an upload", testEndDuringUpload)
	run(t, "dead mount", testDeadMount)
	run(t, "silent server", testSilentServer)
}

// testEndWithOpenFiles: at a signal everything that was written goes to S3
// although nobody closed it. The mount serves the open files for a while, until they are
// closed, or until a second signal.
func testEndWithOpenFiles(t *testing.T, w *harness.World) {
	for _, sig := range []os.Signal{syscall.SIGTERM, syscall.SIGINT} {
		m, bucket, _ := mountOf(t, w)
		sizes := map[string]int{"small": 1000, "large": 20 << 20}
		var open []*os.File
		for name, n := range sizes {
			f, err := os.Create(m.Path(name))
			must(t, err)
			open = append(open, f)
			_, err = f.Write(payload(n, n))
			must(t, err)
		}
		m.Signal(sig)
		for name, n := range sizes {
			awaitObject(t, w, bucket, name)
			wantObject(t, w, bucket, name, payload(n, n))
		}
		if sig == syscall.SIGINT {
			awaitWritten(t, w, m) // S3 may have data whose upload the mount still counts as pending
			m.Signal(sig)
			m.WaitEnd(t)
		}
		for _, f := range open {
			if err := f.Close(); err != nil && sig == syscall.SIGTERM {
				t.Errorf("close after the end began: %v", err)
			}
		}
		if sig == syscall.SIGTERM {
			m.WaitEnd(t)
		}
	}
}

// testEndUnderOpenFiles ends mounts under a program that does not close its files: by
// SIGTERM alone, and by SIGTERM after a lazy unmount. They must end by themselves, and S3
// must hold what was written.
func testEndUnderOpenFiles(t *testing.T, w *harness.World) {
	var mounts []*harness.Mount
	for _, lazy := range []bool{false, true} {
		m, bucket, _ := mountOf(t, w)
		f, err := os.Create(m.Path("f"))
		must(t, err)
		defer f.Close()
		_, err = f.Write(payload(1, 1000))
		must(t, err)
		if lazy {
			m.Detach(t)
		}
		m.Signal(syscall.SIGTERM)
		awaitObject(t, w, bucket, "f")
		wantObject(t, w, bucket, "f", payload(1, 1000))
		mounts = append(mounts, m)
	}
	for _, m := range mounts {
		m.WaitEnd(t)
	}
}

// awaitWritten waits until the mount knows that S3 has everything.
func awaitWritten(t *testing.T, w *harness.World, m *harness.Mount) {
	t.Helper()
	for {
		r := m.Command(t, "status", "--json", m.Dir)
		var s struct {
			Writes struct{ Dirty, Uploads *int64 }
		}
		if err := json.Unmarshal([]byte(r.Out), &s); err != nil || s.Writes.Dirty == nil || s.Writes.Uploads == nil {
			t.Fatalf("status ended with %d: %s", r.Code, r.Out)
		}
		if *s.Writes.Dirty == 0 && *s.Writes.Uploads == 0 {
			return
		}
		tick(t, w, "not everything is in S3")
	}
}

// awaitObject waits until there is such an object.
func awaitObject(t testing.TB, w *harness.World, r *harness.Referee, key string) {
	t.Helper()
	for {
		if ok, err := r.Exists(w.Context(t), key); ok || err != nil {
			must(t, err)
			return
		}
		time.Sleep(5 * time.Millisecond) // there is no event to wait for: the bucket is another process
	}
}

// testEndDuringUpload ends the mount while a close waits for a slow upload. The writer
// is a separate process, because programs that this process starts would inherit the
// open file, and their exec(2) would close and upload it.
func testEndDuringUpload(t *testing.T, w *harness.World) {
	body := payload(1, 40<<20)
	local := filepath.Join(w.Dir(t, "local"), "f")
	must(t, os.WriteFile(local, body, 0o644))
	for name, end := range map[string]func(m *harness.Mount){
		"SIGTERM":   func(m *harness.Mount) { m.Signal(syscall.SIGTERM) },
		"umount -l": func(m *harness.Mount) { m.Detach(t) },
	} {
		m, bucket, proxy := mountOf(t, w)
		proxy.SetShape(harness.Shape{Latency: 20 * time.Millisecond, Rate: 1 << 20})
		writer, err := harness.Start(exec.Command("cp", local, m.Path("f")))
		must(t, err)
		for proxy.Counts()[harness.Part] < 2 {
			select {
			case <-writer.Done():
				t.Fatalf("%s: written before a second part was sent (%v)", name, writer.Err())
			case <-time.After(time.Millisecond):
			}
		}
		if r := m.TryUnmount(t); r.Code == 0 {
			<-writer.Done()
			t.Fatalf("%s: a plain umount under an open file succeeded; the writer: %v", name, writer.Err())
		}
		end(m)
		<-writer.Done()
		m.WaitEnd(t)
		if err := writer.Err(); err == nil {
			wantObject(t, w, bucket, "f", body)
		} else {
			t.Logf("%s: the writer got %v", name, err)
		}
		if up, err := bucket.Uploads(w.Context(t)); err != nil || len(up) > 0 {
			t.Errorf("%s: uploads left behind: %q (%v)", name, up, err)
		}
	}
}

// testDeadMount mounts over a mount whose process was killed.
func testDeadMount(t *testing.T, w *harness.World) {
	m, bucket, _ := mountOf(t, w)
	must(t, os.WriteFile(m.Path("f"), []byte("x"), 0o644))
	for range 2 {
		m.Kill(t)
		if _, err := os.ReadDir(m.Dir); !errors.Is(err, syscall.ENOTCONN) {
			t.Fatalf("readdir of a dead mount: %v", err)
		}
		m = m.Again(t)
		if b, err := os.ReadFile(m.Path("f")); string(b) != "x" {
			t.Errorf("after mounting again: %q, %v", b, err)
		}
	}
	m.Unmount(t) // and checks that nothing is mounted below it
	wantObject(t, w, bucket, "f", []byte("x"))
}

// testSilentServer stops the server from answering at all.
func testSilentServer(t *testing.T, w *harness.World) {
	srv := w.OwnServer(t)
	bucket := w.BucketOn(t, srv.Endpoint)
	must(t, bucket.Put(w.Context(t), "f", payload(1, 1<<20), nil))
	o := harness.MountOptions{Endpoint: srv.Endpoint, Source: bucket.Bucket, Args: []string{"--metadata-ttl", "0s"}}
	m := w.Mount(t, o)
	o.Args = append(o.Args, impatient...)
	hasty := w.Mount(t, o)
	must(t, os.WriteFile(m.Path("g"), nil, 0o644))
	srv.Pause()
	for _, argv := range [][]string{{"cat", m.Path("f")}, {"stat", m.Path("nothing")}, {"ls", m.Dir}, {"touch", m.Path("new")}} {
		p, err := harness.Start(exec.Command(argv[0], argv[1:]...))
		must(t, err)
		select {
		case <-p.Done():
			t.Errorf("%q ended although nothing was answered: %v", argv, p.Err())
		case <-time.After(300 * time.Millisecond): // long enough to have asked
		}
		p.Signal(syscall.SIGINT)
		select {
		case <-p.Done():
		case <-time.After(20 * time.Second): // nothing else ends it within a minute
			t.Errorf("%q cannot be interrupted", argv)
		}
	}
	start := time.Now()
	if _, err := os.Stat(hasty.Path("nothing else")); errors.Is(err, syscall.ENOENT) || err == nil {
		t.Errorf("stat with no answer from S3: %v", err)
	}
	if d := time.Since(start); d > 100*time.Second {
		t.Errorf("stat took %v to give up", d)
	}
	srv.Resume()
	for _, m := range []*harness.Mount{m, hasty} {
		got, err := readOpen(m.Path("f"))
		if err != nil || firstDiff(got, payload(1, 1<<20)) != 1<<20 {
			t.Errorf("after the server came back: %d bytes, %v", len(got), err)
		}
	}
}
