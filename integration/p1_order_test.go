package integration

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/s3mount/s3mount/integration/harness"
)

// TestP1Removals shows that S3 has executed a single unlink, a rename and an rmdir
// when they return, that rm -r shares requests, and that nothing acknowledged comes
// back after kill -9.
func TestP1Removals(t *testing.T) {
	t.Parallel()
	run(t, "single", func(t *testing.T, w *harness.World) {
		m, bucket, _ := mountOf(t, w)
		for i := range 10 {
			lock := fmt.Sprintf("lock%d", i)
			must(t, os.WriteFile(m.Path(lock), []byte("x"), 0o644))
			must(t, os.Remove(m.Path(lock)))
			wantNoObject(t, w, bucket, lock)
			must(t, os.WriteFile(m.Path("old"), []byte("x"), 0o644))
			must(t, os.Rename(m.Path("old"), m.Path("new")))
			wantNoObject(t, w, bucket, "old")
		}
		must(t, os.Mkdir(m.Path("d"), 0o755))
		for i := range 5 {
			must(t, os.WriteFile(m.Path("d", fmt.Sprint(i)), []byte("x"), 0o644))
		}
		must(t, os.RemoveAll(m.Path("d")))
		wantNoObject(t, w, bucket, "d/")
		wantNoObject(t, w, bucket, "d/4")
	})
	run(t, "tree", func(t *testing.T, w *harness.World) {
		m, bucket, proxy := mountOf(t, w)
		r := w.Exec(t, nil, "sh", "-ec", "cd "+m.Dir+`; mkdir t; for d in 0 1 2 3 4 5 6 7 8; do mkdir t/$d; for i in $(seq 100); do : >t/$d/$i; done; done`)
		if r.Code != 0 {
			t.Fatal(r.Out)
		}
		before := len(proxy.Requests())
		if r := w.Exec(t, nil, "rm", "-r", m.Path("t")); r.Code != 0 {
			t.Fatal(r.Out)
		}
		wantNoObject(t, w, bucket, "t/")
		wantNoObject(t, w, bucket, "t/8/100")
		// A server that ignores the ETags in DeleteObjects gets one conditional DELETE
		// for each of the 910 objects. Other servers get a thousand keys in a request.
		deletes, others := 0, 0
		for _, r := range proxy.Requests()[before:] {
			if r.Kind == harness.Delete {
				deletes++
			} else {
				others++
			}
		}
		if deletes > 910+10 || others > 30 {
			t.Errorf("rm -r of 900 files took %d single deletes and %d other requests", deletes, others)
		}
	})
	run(t, "killed", func(t *testing.T, w *harness.World) {
		m, bucket, proxy := mountOf(t, w)
		for i := range 40 {
			must(t, os.WriteFile(m.Path(fmt.Sprint(i)), []byte("x"), 0o644))
		}
		must(t, os.Remove(m.Path("0")))
		proxy.Inject(harness.Fault{Match: writes, Drop: true})
		done := make(chan int, 1)
		go func() {
			runtime.LockOSThread() // a run belongs to a thread
			n := 1
			for n < 40 && os.Remove(m.Path(fmt.Sprint(n))) == nil {
				n++
			}
			done <- n
		}()
		var removed int
		select {
		case removed = <-done:
			m.Kill(t)
		case <-time.After(3 * time.Second): // a removal waits for S3, which does not answer
			m.Kill(t)
			removed = <-done
		}
		proxy.Heal()
		m = m.Again(t)
		for i := range removed {
			if _, err := os.Stat(m.Path(fmt.Sprint(i))); !os.IsNotExist(err) {
				t.Errorf("%d was removed, and is back: %v", i, err)
			}
			wantNoObject(t, w, bucket, fmt.Sprint(i))
		}
		t.Logf("%d removals were acknowledged", removed)
	})
}

// TestP1Handover passes an SQLite database from one mount to another after every
// commit. The unlink of SQLite's journal is the commit.
func TestP1Handover(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("sqlite3"); err != nil {
		t.Skip("sqlite3 is not installed")
	}
	run(t, "sqlite", func(t *testing.T, w *harness.World) {
		a, bucket, proxy := mountOf(t, w, "--metadata-ttl", "0")
		b := w.Mount(t, harness.MountOptions{Endpoint: proxy.URL, Source: bucket.Bucket, Args: []string{"--metadata-ttl", "0"}})
		sql := func(m *harness.Mount, statement string) string {
			t.Helper()
			r := w.Exec(t, nil, "sqlite3", m.Path("db"), statement)
			if r.Code != 0 {
				t.Fatalf("%s: %s", statement, r.Out)
			}
			return strings.TrimSpace(r.Out)
		}
		sql(a, "create table t(id integer primary key)")
		for i := range 8 {
			m := []*harness.Mount{a, b}[i%2]
			sql(m, fmt.Sprintf("insert into t values (%d)", i))
			other := []*harness.Mount{b, a}[i%2]
			if got := sql(other, "select count(*) from t"); got != fmt.Sprint(i+1) {
				t.Errorf("after commit %d the other mount sees %s rows", i, got)
			}
		}
	})
}
