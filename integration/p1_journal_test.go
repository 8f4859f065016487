package integration

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/s3mount/s3mount/integration/harness"
)

// TestP1Journal checks --durability=journal: close returns while S3 is unreachable, the
// mount shows the data, and after kill -9 the next mount uploads them. fsync still
// waits for S3.
func TestP1Journal(t *testing.T) {
	t.Parallel()
	journal := append([]string{"--durability", "journal"}, impatient...)
	run(t, "killed", func(t *testing.T, w *harness.World) {
		m, bucket, proxy := mountOf(t, w, journal...)
		old, err := os.Create(m.Path("old"))
		must(t, err)
		_, err = old.Write(payload(0, 1000))
		must(t, err)
		must(t, old.Sync())
		must(t, old.Close())
		proxy.Inject(harness.Fault{Match: writes, Drop: true})
		files := map[string][]byte{}
		for i := range 20 {
			name := fmt.Sprintf("f%d", i)
			files[name] = payload(i, 1+i*10_000)
			must(t, os.WriteFile(m.Path(name), files[name], 0o644))
		}
		files["old"] = payload(99, 2000)
		must(t, os.WriteFile(m.Path("old"), files["old"], 0o644))
		for name, body := range files {
			got, err := os.ReadFile(m.Path(name))
			must(t, err)
			if !bytes.Equal(got, body) {
				t.Errorf("%s: the mount shows %d bytes, want %d", name, len(got), len(body))
			}
		}
		wantNoObject(t, w, bucket, "f3")
		wantObject(t, w, bucket, "old", payload(0, 1000))
		m.Kill(t)
		proxy.Heal()
		m = m.Again(t)
		for name, body := range files {
			wantObject(t, w, bucket, name, body)
			got, err := os.ReadFile(m.Path(name))
			must(t, err)
			if !bytes.Equal(got, body) {
				t.Errorf("%s: the next mount shows %d bytes, want %d", name, len(got), len(body))
			}
		}
	})
	run(t, "fsync", func(t *testing.T, w *harness.World) {
		m, bucket, proxy := mountOf(t, w, journal...)
		f, err := os.Create(m.Path("f"))
		must(t, err)
		_, err = f.Write([]byte("x"))
		must(t, err)
		proxy.Inject(harness.Fault{Match: writes, Status: 403, Code: "AccessDenied"})
		wantErrno(t, "fsync", f.Sync(), syscall.EACCES)
		proxy.Heal()
		must(t, f.Sync())
		wantObject(t, w, bucket, "f", []byte("x"))
		must(t, f.Close())
	})
	run(t, "unmount", func(t *testing.T, w *harness.World) {
		m, bucket, _ := mountOf(t, w, journal...)
		for i := range 10 {
			must(t, os.WriteFile(m.Path(fmt.Sprint(i)), payload(i, 5000), 0o644))
		}
		m.Unmount(t)
		for i := range 10 {
			wantObject(t, w, bucket, fmt.Sprint(i), payload(i, 5000))
		}
	})
}

// TestP1JournalReplay shows what happens to a journal after kill -9: the next
// mount without the option replays it before it answers, a mount that cannot
// replay reports it and ends with exit code 8, and content that S3 refuses for good
// ends up in the recovery directory.
func TestP1JournalReplay(t *testing.T) {
	t.Parallel()
	journal := append([]string{"--durability", "journal"}, impatient...)
	// killedWith returns a mount that was killed with three files in its journal.
	killedWith := func(t *testing.T, w *harness.World) (*harness.Mount, *harness.Referee) {
		m, bucket, proxy := mountOf(t, w, journal...)
		proxy.Inject(harness.Fault{Match: writes, Drop: true})
		for i := range 3 {
			must(t, os.WriteFile(m.Path(fmt.Sprintf("f%d", i)), payload(i, 5000), 0o644))
		}
		m.Kill(t)
		proxy.Heal()
		return m, bucket
	}
	run(t, "without the option", func(t *testing.T, w *harness.World) {
		m, bucket := killedWith(t, w)
		m = m.With(t, "--durability", "s3")
		for i := range 3 {
			name := fmt.Sprintf("f%d", i)
			got, err := os.ReadFile(m.Path(name))
			must(t, err)
			if !bytes.Equal(got, payload(i, 5000)) {
				t.Errorf("%s: the next mount shows %d other bytes", name, len(got))
			}
			wantObject(t, w, bucket, name, payload(i, 5000))
		}
		m.Unmount(t)
	})
	run(t, "read-only", func(t *testing.T, w *harness.World) {
		m, bucket := killedWith(t, w)
		m = m.With(t, "--read-only")
		if r := m.Command(t, "status", m.Dir); !strings.Contains(r.Out, "3 changes") {
			t.Errorf("status does not show what waits:\n%s", r.Out)
		}
		wantNoObject(t, w, bucket, "f1")
		if r := m.Command(t, "umount", m.Dir); r.Code != 8 {
			t.Errorf("umount ended with %d: %s", r.Code, r.Out)
		}
		m.WaitCode(t, 8)
		m = m.With(t)
		wantObject(t, w, bucket, "f1", payload(1, 5000))
		m.Unmount(t)
	})
	run(t, "refused", func(t *testing.T, w *harness.World) {
		m, _, proxy := mountOf(t, w, journal...)
		proxy.Inject(harness.Fault{Match: writes, Status: 412, Code: "PreconditionFailed"})
		must(t, os.WriteFile(m.Path("f"), []byte("text"), 0o644))
		if r := m.Command(t, "sync", m.Dir); r.Code != 8 || !strings.Contains(r.Out, m.State) {
			t.Errorf("sync ended with %d: %s", r.Code, r.Out)
		}
		if r := m.Command(t, "umount", m.Dir); r.Code != 8 || !strings.Contains(r.Out, m.State) {
			t.Errorf("umount ended with %d: %s", r.Code, r.Out)
		}
		m.WaitCode(t, 8)
		proxy.Heal()
		m = m.With(t)
		if r := m.Command(t, "status", m.Dir); !strings.Contains(strings.Join(strings.Fields(r.Out), " "), "1 file, 4 B, in "+m.State) {
			t.Errorf("the next status does not show what is kept:\n%s", r.Out)
		}
		m.Unmount(t)
	})
}

// TestP7ReplacedWhileOpened opens and reads a file again and again while it is
// replaced by rename. Each read must see one whole version, also where the OPEN is on
// its way while the rename is executed, and while the journal alone has the content.
func TestP7ReplacedWhileOpened(t *testing.T) {
	t.Parallel()
	for _, durability := range []string{"s3", "journal"} {
		run(t, durability, func(t *testing.T, w *harness.World) {
			m, _, _ := mountOf(t, w, "--durability", durability)
			const size, replacements = 4000, 150
			replace := func(i int) {
				must(t, os.WriteFile(m.Path("t"), fmt.Appendf(nil, "%*d", size, i), 0o644))
				must(t, os.Rename(m.Path("t"), m.Path("c")))
			}
			replace(0)
			done := make(chan struct{})
			var readers sync.WaitGroup
			for range 2 {
				readers.Go(func() {
					for reads := 0; ; reads++ {
						select {
						case <-done:
							t.Logf("%d reads", reads)
							return
						default:
						}
						got, err := os.ReadFile(m.Path("c"))
						if err != nil || len(got) != size {
							t.Errorf("read %d: %d bytes, %v; want %d bytes", reads, len(got), err, size)
						}
					}
				})
			}
			for i := range replacements {
				replace(i + 1)
			}
			close(done)
			readers.Wait()
			m.Unmount(t)
		})
	}
}
