package fs

import (
	"context"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/s3mount/s3mount/s3/s3test"
)

// lingering mounts with a journal whose files stay there until somebody waits.
func lingering(o *Options) {
	journaled("")(o)
	o.Linger = time.Hour
}

// sent lists the requests since the first n, but for hints, as "kind key".
func (k *kernel) sent(n int) []string {
	var all []string
	for _, r := range k.srv.Log()[n:] {
		all = append(all, r.Kind+" "+r.Key)
	}
	return all
}

func (k *kernel) drain() {
	k.t.Helper()
	if err := k.f.drain(context.Background()); err != nil {
		k.t.Fatal(err)
	}
}

func wantSent(t *testing.T, got []string, want ...string) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("requests %q, want %q", got, want)
	}
	for i := range got {
		if got[i] != want[i] {
			t.Errorf("request %d is %q, want %q", i, got[i], want[i])
		}
	}
}

// TestLingerLockFile checks that a file that is created beside another and renamed over
// it, as editors and git do, costs one PUT, even if this is repeated.
func TestLingerLockFile(t *testing.T) {
	k := newKernel(t, lingering)
	k.ls("") // the names are known
	start := len(k.srv.Log())
	for _, text := range []string{"one", "two", "three"} {
		k.put("x.lock", text)
		k.must(k.rename("x.lock", "x", 0), "rename", "x.lock")
		if got := k.cat("x"); got != text {
			t.Fatalf("read %q after the rename, want %q", got, text)
		}
	}
	wantSent(t, k.sent(start))
	k.drain()
	wantSent(t, k.sent(start), "PutObject x")
	k.wantObject("x", "three")
	if q := (&Mount{f: k.f}).Queue(); q != (Queue{}) {
		t.Errorf("queue after the drain: %+v", q)
	}
}

// TestLingerRemoved checks that a file that is created and removed costs no request.
func TestLingerRemoved(t *testing.T) {
	k := newKernel(t, lingering)
	k.ls("")
	start := len(k.srv.Log())
	k.put("x.lock", "text")
	k.must(k.unlink("x.lock"), "unlink", "x.lock")
	k.drain()
	wantSent(t, k.sent(start))
}

// TestLingerOverSaved checks that a lingering file that is renamed over a saved one and
// then removed costs only the DELETE.
func TestLingerOverSaved(t *testing.T) {
	k := newKernel(t, lingering)
	k.put("x", "old")
	k.drain()
	start := len(k.srv.Log())
	k.put("x.lock", "new")
	k.must(k.rename("x.lock", "x", 0), "rename", "x.lock")
	k.must(k.unlink("x"), "unlink", "x")
	k.drain()
	wantSent(t, k.sent(start), "DeleteObject x")
	k.wantNoObject("x")
}

// TestLingerReader checks that the release of a reader neither uploads a lingering file
// nor loses its size.
func TestLingerReader(t *testing.T) {
	k := newKernel(t, lingering)
	k.put("x", "text")
	start := len(k.srv.Log())
	fh := k.openFile("x", syscall.O_RDONLY)
	if got := k.cat("x"); got != "text" {
		t.Errorf("read %q", got)
	}
	if a, st := k.stat("x"); st != fuse.OK || a.Size != 4 {
		t.Errorf("size %d, %v", a.Size, st)
	}
	wantSent(t, k.sent(start))
	k.drain()
	if a, st := k.stat("x"); st != fuse.OK || a.Size != 4 {
		t.Errorf("size %d after the drain, %v", a.Size, st)
	}
	k.release(fh)
}

// TestLingerEnds checks that lingering files are uploaded after the time limit.
func TestLingerEnds(t *testing.T) {
	g := newGate("PutObject", "x")
	srv := s3test.NewServer(t, s3test.Options{Deny: g.deny, Buckets: []string{testBucket}})
	k := remount(t, srv, journaled(""), func(o *Options) { o.Linger = time.Millisecond })
	k.put("x", "text")
	<-g.arrived
	close(g.open)
	k.drain()
	k.wantObject("x", "text")
}

// TestLingerFsync checks that fsync(2) does not linger.
func TestLingerFsync(t *testing.T) {
	k := newKernel(t, lingering)
	fh := k.create("x", syscall.O_WRONLY)
	k.write(fh, 0, "text")
	k.must(k.flush(fh), "close", "x")
	k.wantNoObject("x")
	k.must(k.f.Fsync(nil, &fuse.FsyncIn{InHeader: header(k.open[fh]), Fh: fh}), "fsync", "x")
	k.wantObject("x", "text")
	k.release(fh)
}

// TestLingerCrash checks that a mount that dies while files linger leaves each of them
// in its last state: created, renamed over another lingering file, or removed.
func TestLingerCrash(t *testing.T) {
	srv := s3test.NewServer(t, s3test.Options{Buckets: []string{testBucket}})
	state := t.TempDir()
	k := remount(t, srv, lingering, func(o *Options) { o.StateDir = state })
	k.put("saved", "old")
	k.drain()
	k.put("made", "made")
	for _, name := range []string{"x", "saved"} {
		for _, text := range []string{"one", "two"} {
			k.put("lock", name+text)
			k.must(k.rename("lock", name, 0), "rename", "lock")
		}
	}
	k.put("gone", "gone")
	k.must(k.unlink("gone"), "unlink", "gone")
	after := remount(t, srv, lingering, func(o *Options) { o.StateDir = copyState(t, state) })
	after.recover()
	want := tree{"made": "made", "x": "xtwo", "saved": "savedtwo"}
	if got := after.tree(""); !oneOf(got, []tree{want}) {
		t.Errorf("the next mount shows %s, want %s", got, want)
	}
}

// copyState returns what a mount that starts after a kill -9 would find: a copy
// of the journals, which nobody has locked.
func copyState(t *testing.T, state string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(state)); err != nil {
		t.Fatal(err)
	}
	return dir
}
