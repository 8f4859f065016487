package integration

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/s3mount/s3mount/integration/harness"
)

// TestFeel checks properties of local disks that programs rely on and that TestAnswers
// does not cover.
func TestFeel(t *testing.T) {
	t.Parallel()
	run(t, "programs on the mount run", testExec)
	run(t, "O_DIRECT", testDirect)
	run(t, "inotify", testInotify)
	run(t, "a file without a name", testNameless)
	run(t, "long keys", testLongKeys)
}

// testExec runs a program from the mount: the kernel maps its pages.
func testExec(t *testing.T, w *harness.World) {
	m, _, _ := mountOf(t, w)
	for range 2 {
		w.Sh(t, m.Dir, `
			cp /bin/true /bin/ls . || true; ./true; ./ls -d . ./ls
			printf '#!/bin/sh\nexit 3\n' > script; chmod 755 script; ./script && exit 1 || test $? = 3
			chmod 644 script; ./script 2>/dev/null && exit 1 || test $? = 126`)
		m = m.Remount(t)
		w.Sh(t, m.Dir, "./true; ./ls -d .")
	}
	// A program that runs cannot be written to.
	out := w.TrySh(t, m.Dir, "cp /bin/sleep s; ./s 10 & p=$!; for i in $(seq 100); do (echo x >> s) 2>/dev/null || break; done; (echo x >> s) 2>&1; kill $p")
	if !strings.Contains(out.Out, "Text file busy") {
		t.Errorf("writing to a program that runs: %q", out.Out)
	}
}

// testDirect reads and writes past the page cache, with buffers as O_DIRECT wants them.
func testDirect(t *testing.T, w *harness.World) {
	m, bucket, _ := mountOf(t, w)
	const block = 4096
	raw := make([]byte, 65*block)
	buf := raw[block-int(uintptr(unsafe.Pointer(&raw[0]))%block):][:64*block]
	copy(buf, payload(1, len(buf)))
	fd, err := unix.Open(m.Path("f"), unix.O_RDWR|unix.O_CREAT|unix.O_DIRECT, 0o644)
	must(t, err)
	for off := 0; off < len(buf); off += 16 * block {
		n, err := unix.Pwrite(fd, buf[off:off+16*block], int64(off))
		if err != nil || n != 16*block {
			t.Fatalf("wrote %d (%v)", n, err)
		}
	}
	must(t, unix.Close(fd))
	want := bytes.Clone(buf)
	wantObject(t, w, bucket, "f", want)
	fd, err = unix.Open(m.Path("f"), unix.O_RDONLY|unix.O_DIRECT, 0)
	must(t, err)
	clear(buf)
	n, err := unix.Pread(fd, buf, 0)
	must(t, err)
	must(t, unix.Close(fd))
	if !bytes.Equal(buf[:n], want[:n]) || n == 0 {
		t.Errorf("read %d bytes that are not those written", n)
	}
}

// testInotify: what happens through the mount is told.
func testInotify(t *testing.T, w *harness.World) {
	m, _, _ := mountOf(t, w)
	must(t, os.Mkdir(m.Path("d"), 0o755))
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	must(t, err)
	defer unix.Close(fd)
	_, err = unix.InotifyAddWatch(fd, m.Path("d"), unix.IN_ALL_EVENTS)
	must(t, err)
	must(t, os.WriteFile(m.Path("d/f"), []byte("x"), 0o644))
	must(t, os.Chmod(m.Path("d/f"), 0o600))
	must(t, os.Rename(m.Path("d/f"), m.Path("d/g")))
	must(t, os.Remove(m.Path("d/g")))
	var seen uint32
	buf := make([]byte, 64<<10)
	for {
		n, err := unix.Read(fd, buf)
		if errors.Is(err, unix.EAGAIN) {
			break // events are queued by the calls themselves
		}
		must(t, err)
		for at := 0; at < n; {
			e := (*unix.InotifyEvent)(unsafe.Pointer(&buf[at]))
			seen |= e.Mask
			at += unix.SizeofInotifyEvent + int(e.Len)
		}
	}
	const want = unix.IN_CREATE | unix.IN_MODIFY | unix.IN_CLOSE_WRITE | unix.IN_ATTRIB | unix.IN_MOVED_FROM | unix.IN_MOVED_TO | unix.IN_DELETE
	if seen&want != want {
		t.Errorf("events %#x, want %#x", seen, want)
	}
}

// testNameless: O_TMPFILE is refused in a way that programs go on from.
func testNameless(t *testing.T, w *harness.World) {
	m, _, _ := mountOf(t, w)
	for _, flags := range []int{unix.O_RDWR, unix.O_WRONLY, unix.O_RDWR | unix.O_EXCL} {
		_, err := unix.Open(m.Dir, unix.O_TMPFILE|flags, 0o600)
		wantErrno(t, "O_TMPFILE", err, unix.EOPNOTSUPP)
	}
	harness.Need(t, "python3")
	out := w.Sh(t, m.Dir, `python3 - <<-'EOT'
		import tempfile
		for make in tempfile.TemporaryFile, tempfile.NamedTemporaryFile, tempfile.SpooledTemporaryFile:
		    with make(dir=".") as f:
		        f.write(b"x" * 100000); f.seek(99999); assert f.read() == b"x"
		with tempfile.TemporaryDirectory(dir=".") as d:
		    open(d + "/f", "w").close()
	EOT
	ls -A`)
	if out != "" {
		t.Errorf("left behind or said: %q", out)
	}
}

// testLongKeys checks keys of 1024 bytes, which is the limit. Longer paths are refused
// with ENAMETOOLONG.
func testLongKeys(t *testing.T, w *harness.World) {
	m, _, _ := mountOf(t, w)
	// 4 × (249 + 1) + 23 = 1023: one byte is left. The server of this test has
	// no place for names of 255 bytes.
	dir := strings.TrimSuffix(strings.Repeat(strings.Repeat("d", 249)+"/", 4), "/")
	must(t, os.MkdirAll(m.Path(dir), 0o755))
	name := func(n int) string { return m.Path(dir, strings.Repeat("f", n)) }
	must(t, os.WriteFile(name(23), []byte("x"), 0o644)) // 1023
	must(t, os.WriteFile(name(24), []byte("x"), 0o644)) // 1024
	wantErrno(t, "a file of 1025", os.WriteFile(name(25), nil, 0o644), unix.ENAMETOOLONG)
	must(t, os.Mkdir(name(22), 0o755)) // 1023 with its slash
	wantErrno(t, "a directory of 1025", os.Mkdir(name(24)+"x", 0o755), unix.ENAMETOOLONG)
	wantErrno(t, "a symlink of 1025", os.Symlink("x", name(25)), unix.ENAMETOOLONG)
	wantErrno(t, "a rename to 1025", os.Rename(name(23), name(25)), unix.ENAMETOOLONG)
	wantErrno(t, "a look for 1025", unix.Access(name(25), unix.F_OK), unix.ENOENT, unix.ENAMETOOLONG)
	must(t, os.Rename(name(24), m.Path("short")))
}
