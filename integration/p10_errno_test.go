package integration

import (
	"errors"
	"net/http"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/s3mount/s3mount/integration/harness"
)

// TestP10Errno checks the errnos of errors of S3, and that transient errors are
// retried. It does not cover a full disk.
func TestP10Errno(t *testing.T) {
	t.Parallel()
	t.Run("table", func(t *testing.T) {
		harness.Run(t, harness.Config{Timeout: 4 * time.Minute}, testErrnoTable) // every operation of every case runs into its deadline
	})
	run(t, "passing faults", testPassingFaults)
	run(t, "never absent", testNeverAbsent)
	run(t, "broken bodies", testBrokenBodies)
}

// faultCase is an answer and the errno that it must become.
type faultCase struct {
	name  string
	fault harness.Fault
	want  syscall.Errno
}

var faultCases = []faultCase{
	{"403", harness.Fault{Status: 403, Code: "AccessDenied"}, syscall.EACCES},
	{"500", harness.Fault{Status: 500, Code: "InternalError"}, syscall.EIO},
	{"503", harness.Fault{Status: 503, Code: "SlowDown"}, syscall.EIO},
	{"429", harness.Fault{Status: 429, Code: "TooManyRequests"}, syscall.EIO},
	{"reset", harness.Fault{Drop: true}, syscall.EIO},
	{"no reply", harness.Fault{DropReply: true}, syscall.EIO},
}

// testErrnoTable lets every request fail and tries every kind of operation.
func testErrnoTable(t *testing.T, w *harness.World) {
	m, bucket, proxy := mountOf(t, w, append(impatient, "--metadata-ttl", "0s")...)
	for _, c := range faultCases {
		t.Run(c.name, func(t *testing.T) {
			for _, k := range []string{"file", "dir/file", "dir/other"} {
				must(t, bucket.Put(w.Context(t), k, payload(1, 1000), nil))
			}
			if _, err := os.Stat(m.Path("file")); err != nil {
				t.Fatal(err)
			}
			ops := map[string]func() error{
				"stat":    func() error { _, err := os.Stat(m.Path("dir/file")); return err },
				"open":    func() error { _, err := readOpen(m.Path("file")); return err },
				"readdir": func() error { _, err := os.ReadDir(m.Path("dir")); return err },
				"create":  func() error { return os.WriteFile(m.Path("created"), []byte("x"), 0o644) },
				"mkdir":   func() error { return os.Mkdir(m.Path("made"), 0o755) },
				"rename":  func() error { return os.Rename(m.Path("file"), m.Path("renamed")) },
				"symlink": func() error { return os.Symlink("x", m.Path("link")) },
			}
			proxy.Inject(c.fault)
			defer proxy.Heal()
			for name, op := range ops {
				err := op()
				if c.fault.DropReply && (name == "mkdir" || name == "symlink" || name == "rename") && errors.Is(err, syscall.EEXIST) {
					continue // it was made, and the answer lost: the truth, too
				}
				wantErrno(t, name, err, c.want)
			}
		})
		w.Sh(t, m.Dir, "sync; rm -rf file dir created made renamed link")
	}
}

// testPassingFaults: each fault strikes every third request, and nobody notices.
func testPassingFaults(t *testing.T, w *harness.World) {
	for _, c := range faultCases[1:5] {
		m, bucket, proxy := mountOf(t, w)
		for i := range 40 {
			f := c.fault
			f.Skip, f.Times = 3*i, 1
			proxy.Inject(f)
		}
		body := payload(1, 20<<20)
		must(t, os.WriteFile(m.Path("big"), body, 0o644))
		must(t, os.MkdirAll(m.Path("d/e"), 0o755))
		must(t, os.WriteFile(m.Path("d/e/f"), []byte("x"), 0o644))
		must(t, os.Rename(m.Path("d"), m.Path("g")))
		got, err := readOpen(m.Path("big"))
		must(t, err)
		if d := firstDiff(got, body); d != len(body) {
			t.Errorf("%s: read other bytes than written, at %d", c.name, d)
		}
		wantObject(t, w, bucket, "big", body)
		must(t, os.RemoveAll(m.Path("g")))
		m.Unmount(t)
		wantNoObject(t, w, bucket, "g/e/f")
		if proxy.Counts().Total() < 10 {
			t.Errorf("%s: only %v", c.name, proxy.Counts())
		}
	}
}

// testNeverAbsent: while S3 cannot be asked, nothing is said to be absent, and
// afterwards everything is there.
func testNeverAbsent(t *testing.T, w *harness.World) {
	m, bucket, proxy := mountOf(t, w, append(impatient, "--metadata-ttl", "0s")...)
	must(t, bucket.Put(w.Context(t), "d/there", []byte("x"), nil))
	for _, f := range []harness.Fault{
		{Status: 503, Code: "SlowDown"}, {Status: 403, Code: "SlowDown"}, {Status: 403, Code: "AccessDenied"},
		{Drop: true}, {Status: 400, Code: "RequestTimeout"}, {Status: http.StatusNotFound, Code: "NoSuchBucket"},
	} {
		proxy.Inject(f)
		for _, name := range []string{"d/there", "d", "nothing"} {
			if _, err := os.Stat(m.Path(name)); f.Code != "NoSuchBucket" && errors.Is(err, syscall.ENOENT) {
				t.Errorf("stat %s while S3 answers %d %s: %v", name, f.Status, f.Code, err)
			}
		}
		proxy.Heal()
		if b, err := readOpen(m.Path("d/there")); string(b) != "x" {
			t.Errorf("after %d %s: %q, %v", f.Status, f.Code, b, err)
		}
	}
}

// testBrokenBodies: answers that end or stop in the middle are resumed.
func testBrokenBodies(t *testing.T, w *harness.World) {
	m, bucket, proxy := mountOf(t, w)
	body := payload(1, 30<<20)
	must(t, bucket.Put(w.Context(t), "f", body, nil))
	for i := range 4 {
		proxy.Inject(harness.Fault{Match: kind(harness.Get), Skip: i, Times: 1, CutBody: int64(100_000*i + 1)})
	}
	proxy.Inject(harness.Fault{Match: kind(harness.List), Times: 1, CutBody: 20})
	got, err := readOpen(m.Path("f"))
	if err != nil || firstDiff(got, body) != len(body) {
		t.Errorf("read %d of %d bytes (%v), first difference at %d", len(got), len(body), err, firstDiff(got, body))
	}
	if names, err := os.ReadDir(m.Dir); err != nil || len(names) != 1 {
		t.Errorf("readdir: %v (%v)", names, err)
	}
}
