package integration

import (
	"bufio"
	"crypto/md5"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/s3mount/s3mount/integration/harness"
)

// TestInterruptedRead checks that Ctrl-C ends a program that waits for S3 at once. The
// fetch continues, and another reader of the same bytes needs no second GET.
func TestInterruptedRead(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"read", "direct read", "open"} {
		run(t, how, func(t *testing.T, w *harness.World) { testInterruptedRead(t, w, how) })
	}
}

func testInterruptedRead(t *testing.T, w *harness.World, how string) {
	harness.Need(t, "python3")
	const size, offset, piece = 64 << 20, 40 << 20, 4096
	srv := w.OwnServer(t)
	bucket, proxy := w.BucketOn(t, srv.Endpoint), w.ProxyOn(t, srv.Endpoint, harness.Shape{})
	body := payload(1, size)
	must(t, bucket.Put(w.Context(t), "f", body, nil))
	m := w.Mount(t, harness.MountOptions{Endpoint: proxy.URL, Source: bucket.Bucket, Args: []string{"--metadata-ttl", "1h"}})
	if _, err := os.Stat(m.Path("f")); err != nil { // its name is known then
		t.Fatal(err)
	}
	at := offset
	if how == "open" {
		at = 0 // the open has already requested it
	}
	one, other := startReader(t, w, m.Path("f"), how, at), startReader(t, w, m.Path("f"), how, at)
	if how != "open" {
		one.goOn(t, "opened")
		other.goOn(t, "opened")
	}
	srv.Pause()
	proxy.Reset()
	one.goOn(t, "goes in")
	for proxy.Counts().Total() == 0 {
		tick(t, w, "the reader asks S3 for nothing")
	}
	other.goOn(t, "goes in")
	other.waits(t, w)
	one.waits(t, w)
	start := time.Now()
	one.p.Signal(syscall.SIGINT)
	<-one.p.Done() // or this test is not done in time: nothing else ends it
	// Everything else here takes longer: the next longest is 20 s.
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("the interrupted reader ended after %v", d)
	}
	if ws, ok := one.p.ProcessState.Sys().(syscall.WaitStatus); !ok || ws.Signal() != syscall.SIGINT {
		t.Errorf("the interrupted reader ended with %v", one.p.ProcessState)
	}
	srv.Resume()
	got := other.line(t)
	<-other.p.Done()
	if want := fmt.Sprintf("%x", md5.Sum(body[at:at+piece])); got != want || other.p.Err() != nil {
		t.Errorf("the other reader has %q (%v), want %s", got, other.p.Err(), want)
	}
	// An open sends its own request to revalidate the version. At that time, the GET of
	// the interrupted open may have no caller.
	if n := fetches(t, proxy, at); n != 1 && how != "open" || n > 2 {
		t.Errorf("the bytes were asked for %d times", n)
	}
}

// fetches counts the GETs that bring the byte at offset. One with If-None-Match
// brings none: it is how the second open makes sure that it is not stale.
func fetches(t *testing.T, proxy *harness.Proxy, offset int) (n int) {
	t.Helper()
	for _, r := range proxy.Requests() {
		var first, last int
		if r.Kind != harness.Get || r.Header.Get("If-None-Match") != "" {
			continue
		}
		if _, err := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-%d", &first, &last); err != nil {
			t.Fatalf("a GET with the range %q", r.Header.Get("Range"))
		}
		if first <= offset && offset <= last {
			n++
		}
	}
	return n
}

// reader is a program that reads a piece of a file and says how far it is. The
// signal ends it as it ends cat.
type reader struct {
	p   *harness.Process
	in  io.Writer
	out *bufio.Reader
}

const readerScript = `
import hashlib, mmap, os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
path, how, offset = sys.argv[1], sys.argv[2], int(sys.argv[3])
def step(what):
    sys.stdin.readline()
    print(what, flush=True)
flags = os.O_RDONLY | (os.O_DIRECT if how == "direct read" else 0)
if how != "open":
    fd = os.open(path, flags)
    step("opened")
page = mmap.mmap(-1, 4096)
step("goes in")
if how == "open":
    fd = os.open(path, flags)
n = os.preadv(fd, [page], offset)
print(hashlib.md5(page[:n]).hexdigest(), flush=True)
`

func startReader(t *testing.T, w *harness.World, path, how string, offset int) *reader {
	t.Helper()
	cmd := exec.Command("python3", "-c", readerScript, path, how, fmt.Sprint(offset))
	cmd.Dir, cmd.Stderr = w.Work, os.Stderr
	in, err := cmd.StdinPipe()
	must(t, err)
	out, said, err := os.Pipe() // the pipe of StdoutPipe would be closed when the program ends
	must(t, err)
	t.Cleanup(func() { _ = out.Close() })
	cmd.Stdout = said
	p, err := harness.Start(cmd)
	must(t, err)
	must(t, said.Close())
	return &reader{p: p, in: in, out: bufio.NewReader(out)}
}

// goOn lets the reader take the next step, which it says that it does.
func (r *reader) goOn(t *testing.T, want string) {
	t.Helper()
	_, err := io.WriteString(r.in, "\n")
	must(t, err)
	if got := r.line(t); got != want {
		t.Fatalf("the reader says %q, not %q", got, want)
	}
}

func (r *reader) line(t *testing.T) string {
	t.Helper()
	s, err := r.out.ReadString('\n')
	if err != nil {
		t.Fatalf("the reader says nothing: %v", err)
	}
	return strings.TrimSpace(s)
}

// waits returns when the reader sleeps in the kernel (proc_pid_stat(5)).
func (r *reader) waits(t *testing.T, w *harness.World) {
	t.Helper()
	for {
		b, err := os.ReadFile(filepath.Join("/proc", fmt.Sprint(r.p.Process.Pid), "stat"))
		must(t, err)
		_, rest, _ := strings.Cut(string(b), ") ")
		if strings.HasPrefix(rest, "S") || strings.HasPrefix(rest, "D") {
			return
		}
		tick(t, w, "the reader does not wait")
	}
}

// tick waits a moment for another process, until the test's deadline.
func tick(t *testing.T, w *harness.World, otherwise string) {
	t.Helper()
	select {
	case <-w.Context(t).Done():
		t.Fatal(otherwise)
	case <-time.After(10 * time.Millisecond):
	}
}
