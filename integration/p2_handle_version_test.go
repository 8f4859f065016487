package integration

import (
	"bytes"
	"errors"
	"os"
	"runtime/debug"
	"syscall"
	"testing"

	"github.com/s3mount/s3mount/integration/harness"
)

// TestP2HandleVersion replaces a file elsewhere while a handle has it open, and lets the
// kernel hear of the new size by stat(2) or by a listing. The handle, a mapping of it and
// fstat(2) must show the old version; stat(2) by name and a new open show the new one.
func TestP2HandleVersion(t *testing.T) {
	t.Parallel()
	for name, size := range map[string]int{"longer": 9000, "shorter": 1000} {
		for _, learn := range []string{"stat", "ls -l"} {
			run(t, name+", "+learn, func(t *testing.T, w *harness.World) { testHandleVersion(t, w, size, learn) })
		}
	}
	run(t, "tail", testTail)
}

func testHandleVersion(t *testing.T, w *harness.World, size int, learn string) {
	bucket := w.Bucket(t)
	o := harness.MountOptions{Endpoint: w.Endpoint, Source: bucket.Bucket, Args: []string{"--metadata-ttl", "0s"}}
	a, b := w.Mount(t, o), w.Mount(t, o)
	old, changed := bytes.Repeat([]byte("o"), 3000), bytes.Repeat([]byte("n"), size)
	must(t, os.WriteFile(a.Path("f"), old, 0o644))
	f, err := os.Open(b.Path("f"))
	must(t, err)
	defer f.Close()
	wantVersion(t, f, old)
	mapped, err := syscall.Mmap(int(f.Fd()), 0, 3*os.Getpagesize(), syscall.PROT_READ, syscall.MAP_SHARED)
	must(t, err)
	defer func() { must(t, syscall.Munmap(mapped)) }()
	if !bytes.Equal(mapped[:len(old)], old) {
		t.Error("the mapping does not show the file")
	}

	must(t, os.WriteFile(a.Path("f.new"), changed, 0o644))
	must(t, os.Rename(a.Path("f.new"), a.Path("f")))
	w.Sh(t, b.Dir, learn+" f")

	wantVersion(t, f, old)
	if !bytes.Equal(mapped[:len(old)], old) {
		t.Error("the mapping shows other bytes after the change")
	}
	if faults, value := readsByte(mapped, os.Getpagesize()); !faults {
		t.Errorf("the mapping shows the byte %d behind the end of the version, want SIGBUS", value)
	}
	if info, err := os.Stat(b.Path("f")); err != nil || info.Size() != int64(size) {
		t.Errorf("stat shows %v (%v), want the size %d", info, err, size)
	}
	got, err := readOpen(b.Path("f"))
	if err != nil || !bytes.Equal(got, changed) {
		t.Errorf("a new open reads %d bytes (%v), want %d", len(got), err, size)
	}
}

// wantVersion reads all of f at once, and beyond its end: the result must be the bytes of
// its version, or ESTALE.
func wantVersion(t *testing.T, f *os.File, want []byte) {
	t.Helper()
	buf := make([]byte, 20000)
	n, err := syscall.Pread(int(f.Fd()), buf, 0)
	if errors.Is(err, syscall.ESTALE) {
		return
	}
	if err != nil || !bytes.Equal(buf[:n], want) {
		t.Errorf("pread returns %d bytes (%v), first difference at %d, want %d bytes", n, err, firstDiff(want, buf[:max(n, 0)]), len(want))
	}
	if info, err := f.Stat(); err != nil || info.Size() != int64(len(want)) {
		t.Errorf("fstat shows %v (%v), want the size %d", info, err, len(want))
	}
}

// readsByte reads one byte of a mapping and reports whether that raises SIGBUS.
func readsByte(mapped []byte, at int) (faults bool, value byte) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() { faults = recover() != nil }()
	return false, mapped[at]
}

// testTail follows a log that another mount writes. `tail -F` follows the name and
// prints each line. `tail -f` follows the handle, which shows only the first version.
func testTail(t *testing.T, w *harness.World) {
	bucket := w.Bucket(t)
	o := harness.MountOptions{Endpoint: w.Endpoint, Source: bucket.Bucket, Args: []string{"--metadata-ttl", "0s"}}
	a, b := w.Mount(t, o), w.Mount(t, o)
	must(t, appendLine(a.Path("log"), "first"))
	got := w.Sh(t, b.Dir, `
		tail -n +1 -s 0.1 -F log >$1/name 2>/dev/null & name=$!
		tail -n +1 -s 0.1 -f log >$1/handle 2>/dev/null & handle=$!
		until grep -q first $1/name && grep -q first $1/handle; do sleep 0.1; done
		echo second >>$2/log
		until grep -q second $1/name; do sleep 0.1; done
		kill $name $handle
		tr -d '[:print:]\n' <$1/name | wc -c
		cat $1/handle`, w.Dir(t, "tails"), a.Dir)
	if got != "0\nfirst" && got != "0\nfirst\n" {
		t.Errorf("tail printed %q, want no NUL bytes by name, and the first line by handle", got)
	}
}
