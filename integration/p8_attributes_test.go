package integration

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/s3mount/s3mount/integration/harness"
)

// TestP8Attributes checks that mode, owner, times and special files are stored on the
// object and survive a remount, and that the formats of other tools are read.
func TestP8Attributes(t *testing.T) {
	t.Parallel()
	t.Run("kept", func(t *testing.T) { harness.Run(t, harness.Config{NeedRoot: true}, testAttributesKept) })
	run(t, "ride on the PUT", func(t *testing.T, w *harness.World) {
		m, bucket, proxy := mountOf(t, w)
		// The first exclusive create makes the mount detect the features of the server.
		warm, err := os.OpenFile(m.Path("warm"), os.O_WRONLY|os.O_CREATE, 0o600)
		must(t, err)
		must(t, warm.Close())
		proxy.Reset()
		f, err := os.OpenFile(m.Path("f"), os.O_WRONLY|os.O_CREATE, 0o600)
		must(t, err)
		_, err = f.WriteString("x")
		must(t, err)
		must(t, f.Chmod(0o640))
		must(t, os.Chtimes(m.Path("f"), fixtureTime, fixtureTime))
		must(t, f.Close())
		if c := proxy.Counts(); c[harness.Put] != 1 || c[harness.Copy] != 0 {
			t.Errorf("a new file with mode and time cost %v, want one PUT and no COPY", c)
		}
		head, err := bucket.Head(w.Context(t), "f")
		must(t, err)
		if mode, _ := strconv.ParseUint(head.Metadata["mode"], 10, 32); mode&0o7777 != 0o640 {
			t.Errorf("the object's metadata are %v, want mode 0640 in decimal", head.Metadata)
		}
	})
	run(t, "dialects", func(t *testing.T, w *harness.World) {
		for key, meta := range map[string]map[string]string{
			"s3fs":   {"mode": "33188", "uid": "7", "gid": "8", "mtime": "1500000000"},
			"rclone": {"mode": "100644", "uid": "7", "gid": "8", "mtime": "1500000000.5"},
			"aws":    {"file-permissions": "0100644", "file-owner": "7", "file-group": "8", "file-mtime": "1500000000000000000ns"},
		} {
			// A bucket each: by name, not from a listing, where foreign objects have the default attributes.
			bucket := w.Bucket(t)
			must(t, bucket.Put(w.Context(t), key, []byte("x"), meta))
			m := w.Mount(t, harness.MountOptions{Endpoint: w.Endpoint, Source: bucket.Bucket})
			var st unix.Stat_t
			must(t, unix.Stat(m.Path(key), &st))
			if st.Mode != unix.S_IFREG|0o644 || st.Uid != 7 || st.Gid != 8 || st.Mtim.Sec != 1500000000 {
				t.Errorf("%s: mode %o, owner %d:%d, mtime %d", key, st.Mode, st.Uid, st.Gid, st.Mtim.Sec)
			}
		}
	})
}

func testAttributesKept(t *testing.T, w *harness.World) {
	m, _, _ := mountOf(t, w)
	must(t, os.WriteFile(m.Path("file"), []byte("x"), 0o644))
	must(t, os.Mkdir(m.Path("dir"), 0o755))
	must(t, os.Symlink("some/where else", m.Path("link")))
	must(t, syscall.Mkfifo(m.Path("fifo"), 0o600))
	must(t, syscall.Mknod(m.Path("socket"), syscall.S_IFSOCK|0o660, 0))
	for name, mode := range map[string]uint32{"file": 0o4751, "dir": 0o3770, "fifo": 0o640, "socket": 0o600} {
		must(t, syscall.Chown(m.Path(name), 1234, 5678))
		must(t, syscall.Chmod(m.Path(name), mode))
		must(t, os.Chtimes(m.Path(name), fixtureTime.Add(time.Second), fixtureTime))
	}
	look := func() string {
		var b bytes.Buffer
		for _, name := range []string{"file", "dir", "fifo", "socket", "link"} {
			var st unix.Stat_t
			must(t, unix.Lstat(m.Path(name), &st))
			fmt.Fprintf(&b, "%s %o %d:%d", name, st.Mode, st.Uid, st.Gid)
			if name != "link" {
				fmt.Fprintf(&b, " %d.%09d", st.Mtim.Sec, st.Mtim.Nsec)
			}
			b.WriteByte('\n')
		}
		return b.String()
	}
	want := `file 104751 1234:5678 1582979696.123456789
dir 43770 1234:5678 1582979696.123456789
fifo 10640 1234:5678 1582979696.123456789
socket 140600 1234:5678 1582979696.123456789
link 120777 0:0
`
	if got := look(); got != want {
		t.Errorf("before remount:\n%swant:\n%s", got, want)
	}
	m = m.Remount(t)
	if got := look(); got != want {
		t.Errorf("after remount, by name:\n%swant:\n%s", got, want)
	}
	m = m.Remount(t)
	if _, err := os.ReadDir(m.Dir); err != nil {
		t.Fatal(err)
	}
	if got := look(); got != want {
		t.Errorf("after remount, from a listing:\n%swant:\n%s", got, want)
	}
	if target, err := os.Readlink(m.Path("link")); target != "some/where else" {
		t.Errorf("link to %q (%v)", target, err)
	}
}
