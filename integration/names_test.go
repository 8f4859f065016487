package integration

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/s3mount/s3mount/integration/harness"
	"github.com/s3mount/s3mount/s3/s3test"
)

// TestLocks checks that flock(2) and fcntl(2) locks of one process block another
// process on the same mount until they are released.
func TestLocks(t *testing.T) {
	t.Parallel()
	for name, lock := range locks {
		run(t, name, func(t *testing.T, w *harness.World) {
			m, _, _ := mountOf(t, w)
			must(t, os.WriteFile(m.Path("f"), []byte("x"), 0o644))
			f, err := os.OpenFile(m.Path("f"), os.O_RDWR, 0)
			must(t, err)
			defer f.Close()
			must(t, lock(f, unix.F_WRLCK))
			if r := w.Op(t, "lock", name, m.Path("f")); r.Code == 0 || !strings.Contains(r.Out, "temporarily unavailable") {
				t.Errorf("another process took the lock, too: %d %s", r.Code, r.Out)
			}
			must(t, lock(f, unix.F_UNLCK))
			if r := w.Op(t, "lock", name, m.Path("f")); r.Code != 0 {
				t.Errorf("the lock was given back: %s", r.Out)
			}
			// The lock of a process that has ended is free.
			must(t, lock(f, unix.F_WRLCK))
		})
	}
}

// locks take or give back a lock of a whole file, without waiting.
var locks = map[string]func(f *os.File, kind int16) error{
	"flock": func(f *os.File, kind int16) error {
		how := unix.LOCK_EX | unix.LOCK_NB
		if kind == unix.F_UNLCK {
			how = unix.LOCK_UN
		}
		return unix.Flock(int(f.Fd()), how)
	},
	"fcntl": func(f *os.File, kind int16) error {
		return unix.FcntlFlock(f.Fd(), unix.F_SETLK, &unix.Flock_t{Type: kind})
	},
}

// lockOp takes a lock and ends.
func lockOp(args []string) error {
	f, err := os.OpenFile(args[1], os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return locks[args[0]](f, unix.F_WRLCK)
}

// TestDropCached checks that the mount forgets cached names when the control attribute
// is set, and after SIGHUP.
func TestDropCached(t *testing.T) {
	t.Parallel()
	for name, drop := range map[string]func(t *testing.T, m *harness.Mount){
		"setfattr": func(t *testing.T, m *harness.Mount) {
			must(t, unix.Setxattr(m.Path("d"), "user.s3mount.invalidate", []byte("1"), 0))
		},
		"SIGHUP": func(_ *testing.T, m *harness.Mount) { m.Signal(syscall.SIGHUP) },
	} {
		run(t, name, func(t *testing.T, w *harness.World) {
			m, bucket, proxy := mountOf(t, w, "--metadata-ttl", "1h")
			must(t, os.Mkdir(m.Path("d"), 0o755)) // made here: believed the longest
			must(t, os.WriteFile(m.Path("d/f"), []byte("x"), 0o644))
			seen := func() string {
				var out []string
				names, err := os.ReadDir(m.Path("d"))
				must(t, err)
				for _, d := range names {
					st, err := os.Stat(m.Path("d", d.Name()))
					must(t, err)
					out = append(out, fmt.Sprint(d.Name(), st.Size()))
				}
				return strings.Join(out, " ")
			}
			before := seen()
			must(t, bucket.Put(w.Context(t), "d/f", []byte("longer"), nil))
			must(t, bucket.Put(w.Context(t), "d/g", []byte("new"), nil))
			proxy.Reset()
			if got := seen(); got != before || proxy.Counts().Total() > 0 {
				t.Errorf("within the hour: %q after %v", got, proxy.Counts())
			}
			drop(t, m)
			for got := seen(); got != "f6 g3"; got = seen() {
				tick(t, w, "the mount shows "+got) // a signal is taken at some time
			}
		})
	}
}

// TestInodeNumbers checks that the inode number of a file does not change when all
// caches are dropped, and on the next mount.
func TestInodeNumbers(t *testing.T) {
	t.Parallel()
	run(t, "all", func(t *testing.T, w *harness.World) {
		m, bucket, _ := mountOf(t, w)
		must(t, bucket.PutMany(w.Context(t), []string{"a", "d/b", "d/e/c"}, func(k string) []byte { return []byte(k) }))
		numbers := func() string {
			return w.Sh(t, m.Dir, "stat -c '%n %i' a d d/b d/e d/e/c; ls -i d; find . -printf '%P %i\n' | sort")
		}
		first := numbers()
		must(t, unix.Setxattr(m.Dir, "user.s3mount.invalidate", []byte("1"), 0))
		if got := numbers(); got != first {
			t.Errorf("after all was dropped:\n%s\nbefore:\n%s", got, first)
		}
		m = m.Remount(t)
		if got := numbers(); got != first {
			t.Errorf("on the next mount:\n%s\nbefore:\n%s", got, first)
		}
	})
}

// TestDF checks that the sizes in df are large enough for installers and desktops, and
// do not overflow their integers.
func TestDF(t *testing.T) {
	t.Parallel()
	run(t, "all", func(t *testing.T, w *harness.World) {
		m, _, _ := mountOf(t, w)
		for _, what := range []string{"size", "avail", "itotal", "iavail"} {
			out := w.Sh(t, "/", "df --output="+what+" \"$1\" | tail -n 1", m.Dir)
			n, err := strconv.ParseInt(strings.TrimSpace(out), 10, 64)
			must(t, err)
			if n < 1<<30 || n > 1<<53 {
				t.Errorf("df shows %s %d", what, n)
			}
		}
		var st unix.Statfs_t
		must(t, unix.Statfs(m.Dir, &st))
		if st.Namelen != 255 || st.Bavail > st.Blocks || st.Frsize != 4096 {
			t.Errorf("statfs: %+v", st)
		}
	})
}

// TestCopyInS3 checks that cp within a mount moves no data through this machine.
func TestCopyInS3(t *testing.T) {
	t.Parallel()
	for _, script := range []string{"cp big copy", "cp --reflink=auto big copy", "cp --sparse=never big copy"} {
		run(t, strings.ReplaceAll(script, " ", "_"), func(t *testing.T, w *harness.World) {
			m, bucket, proxy := mountOf(t, w)
			body := payload(1, 40<<20+12345)
			must(t, bucket.Put(w.Context(t), "big", body, nil))
			w.Sh(t, m.Dir, "stat big > /dev/null")
			proxy.Reset()
			w.Sh(t, m.Dir, script)
			// The open reads the first blocks ahead. It sends nothing.
			if sent, received := proxy.Bytes(); sent > 1<<20 || received > 9<<20 {
				t.Errorf("%q sent %d and received %d bytes: %v", script, sent, received, proxy.Counts())
			}
			wantObject(t, w, bucket, "copy", body)
		})
	}
}

// TestSparse checks fallocate(2) and the holes of lseek(2).
func TestSparse(t *testing.T) {
	t.Parallel()
	run(t, "all", func(t *testing.T, w *harness.World) {
		m, bucket, _ := mountOf(t, w)
		f, err := os.Create(m.Path("f"))
		must(t, err)
		_, err = f.WriteAt([]byte("data"), 4<<20)
		must(t, err)
		seek := func(off int64, whence int) int64 {
			got, err := unix.Seek(int(f.Fd()), off, whence)
			if errors.Is(err, syscall.ENXIO) {
				return -1
			}
			must(t, err)
			return got
		}
		for _, tc := range []struct {
			what      string
			off, want int64
			whence    int
		}{
			{"data after the hole", 0, 4 << 20, unix.SEEK_DATA},
			{"data", 4<<20 + 1, 4<<20 + 1, unix.SEEK_DATA},
			{"hole at the beginning", 0, 0, unix.SEEK_HOLE},
			{"hole at the end", 4 << 20, 4<<20 + 4, unix.SEEK_HOLE},
			{"data after the end", 5 << 20, -1, unix.SEEK_DATA},
		} {
			if got := seek(tc.off, tc.whence); got != tc.want {
				t.Errorf("%s: %d, want %d", tc.what, got, tc.want)
			}
		}
		must(t, unix.Fallocate(int(f.Fd()), 0, 0, 6<<20))
		if st, err := f.Stat(); err != nil || st.Size() != 6<<20 {
			t.Errorf("after fallocate: %v, %v", st.Size(), err)
		}
		must(t, unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_KEEP_SIZE, 0, 9<<20))
		must(t, unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, 4<<20+1, 2))
		must(t, f.Close())
		want := make([]byte, 6<<20)
		copy(want[4<<20:], "d\x00\x00a")
		wantObject(t, w, bucket, "f", want)
	})
}

// TestMillion checks that the first names of a directory of a million appear at once
// and in bounded memory.
func TestMillion(t *testing.T) {
	t.Parallel()
	t.Run("all", func(t *testing.T) {
		harness.Run(t, harness.Config{}, func(t *testing.T, w *harness.World) {
			srv := s3test.NewServer(t, s3test.Options{Buckets: []string{"b"}})
			srv.SeedN("b", "d/%07d", 1_000_000, []byte("x"))
			proxy := w.ProxyOn(t, srv.URL(), harness.Shape{})
			m := w.Mount(t, harness.MountOptions{Endpoint: proxy.URL, Source: "b", Args: []string{"--memory-limit", "64MiB"}})
			proxy.Reset()
			proxy.Inject(harness.Fault{Delay: time.Hour, Match: func(r *harness.Request) bool {
				return r.Kind == harness.List && (r.Query.Get("continuation-token") != "" || r.Query.Get("start-after") > "d/0000999")
			}})
			if out := firstNames(t, w, m, 3); !strings.HasSuffix(out, "\n0000000\n") {
				t.Errorf("ls -f gave %q before the second page", out)
			}
			proxy.Heal()
			proxy.CloseConnections()
			proxy.Reset()
			out := w.Sh(t, m.Dir, "set +o pipefail; ls -f d | head -n 20000 | tail -n 1")
			// A reader that goes on is read ahead for, by 400 pages at most; ls
			// hears that head has left only when it writes again.
			if c := proxy.Counts(); out != "0019997\n" || c.Total() > 600 {
				t.Errorf("20,000 names of a million, the last %q, cost %v", out, c)
			}
			wantMemory(t, m, 64<<20+overhead)
		})
	})
}
