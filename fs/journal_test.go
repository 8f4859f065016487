package fs

import (
	"context"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/s3mount/s3mount/s3"
	"github.com/s3mount/s3mount/s3/s3test"
)

// journaled mounts with a journal in dir.
func journaled(dir string) func(*Options) {
	return func(o *Options) {
		o.Durability, o.Posix = durabilityJournal, "off"
		if dir != "" {
			o.StateDir = dir
		}
	}
}

// gate holds requests of one kind for one key back until it is opened.
type gate struct {
	kind, key string
	arrived   chan struct{} // closed by the first that came
	open      chan struct{}
	once      sync.Once
}

func newGate(kind, key string) *gate {
	return &gate{kind: kind, key: key, arrived: make(chan struct{}), open: make(chan struct{})}
}

// deny is for s3test.Options.Deny; it denies nothing.
func (g *gate) deny(kind, _, key string) bool {
	if kind == g.kind && key == g.key {
		g.once.Do(func() { close(g.arrived) })
		<-g.open
	}
	return false
}

// newGatedKernel mounts a bucket on a server with a gate.
func newGatedKernel(t *testing.T, g *gate, change ...func(*Options)) *kernel {
	t.Helper()
	srv := s3test.NewServer(t, s3test.Options{Deny: g.deny, Buckets: []string{testBucket}})
	return remount(t, srv, change...)
}

// TestJournalKeepsOrder checks that a file under a name with a pending delete reaches
// S3 after the delete.
func TestJournalKeepsOrder(t *testing.T) {
	g := newGate("DeleteObject", "k")
	k := newGatedKernel(t, g, journaled(""))
	k.put("first", "x")
	k.put("k", "old")
	if err := k.f.drain(context.Background()); err != nil {
		t.Fatal(err)
	}
	k.must(k.unlink("first"), "unlink", "first")
	k.must(k.unlink("k"), "unlink", "k")
	fh := k.create("k", syscall.O_WRONLY)
	k.write(fh, 0, "new")
	k.must(k.flush(fh), "close", "k") // does not wait for S3
	<-g.arrived
	close(g.open)
	k.release(fh)
	if err := k.f.drain(context.Background()); err != nil {
		t.Fatal(err)
	}
	k.wantObject("k", "new")
}

// TestJournalUnlinkDuringCommit checks that an unlink during a commit in the background
// also removes the object of the commit.
func TestJournalUnlinkDuringCommit(t *testing.T) {
	g := newGate("PutObject", "k")
	k := newGatedKernel(t, g, journaled(""))
	fh := k.create("k", syscall.O_WRONLY)
	k.write(fh, 0, "text")
	k.must(k.flush(fh), "close", "k")
	<-g.arrived
	done := make(chan fuse.Status, 1)
	go func() { done <- k.unlink("k") }()
	close(g.open)
	k.must(<-done, "unlink", "k")
	k.release(fh)
	if err := k.f.drain(context.Background()); err != nil {
		t.Fatal(err)
	}
	k.wantNoObject("k")
}

// impatient is a client that gives up soon.
func impatient(srv *s3test.Server) *s3.Client {
	return srv.Client(func(o *s3.Options) { o.Deadline = 20 * time.Millisecond })
}

// TestJournalWithoutS3 checks that writes, unlinks, rmdirs and changes of attributes
// succeed while S3 does not answer, that the mount and its queue show them, and that
// the unmount does not wait for long. The next mount uploads them.
func TestJournalWithoutS3(t *testing.T) {
	faults := s3test.NewFaults()
	srv := s3test.NewServer(t, s3test.Options{Faults: faults, Buckets: []string{testBucket}})
	state := t.TempDir()
	attrs := func(o *Options) { o.StateDir, o.Durability = state, durabilityJournal }
	k := mountOn(t, srv, impatient(srv), attrs)
	k.put("gone", "x")
	k.put("changed", "x")
	k.must(k.mkdir("dir"), "mkdir", "dir")
	if err := k.f.drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	faults.Add(s3test.Rule{Times: -1, Fault: s3test.SlowDown(0)})
	k.must(k.unlink("gone"), "unlink", "gone")
	k.must(k.setattr("changed", fuse.SetAttrIn{SetAttrInCommon: fuse.SetAttrInCommon{Valid: fuse.FATTR_MODE, Mode: 0o600}}), "chmod", "changed")
	fh := k.create("new", syscall.O_WRONLY)
	k.write(fh, 0, "text")
	k.must(k.flush(fh), "close", "new")
	if _, st := k.lookup("gone"); st == fuse.OK {
		t.Errorf("lookup of what is removed: %v", st)
	}
	if a, _ := k.stat("changed"); a.Mode&0o777 != 0o600 {
		t.Errorf("mode %o", a.Mode)
	}
	if q := (&Mount{f: k.f}).Queue(); q.Count != 3 || q.Bytes != 4 || q.Oldest.IsZero() {
		t.Errorf("queue: %+v", q)
	}
	k.f.patience = 100 * time.Millisecond
	k.f.end()
	if err := k.f.drainAtEnd(context.Background()); err == nil {
		t.Error("drained without S3")
	}
	if err := k.f.drainAtEnd(context.Background()); err == nil {
		t.Error("the drain after the unmount does not tell of what is left")
	}
	k.abandon(fh)
	faults.Clear()
	k = remount(t, srv, attrs)
	k.recover()
	k.wantObject("new", "text")
	k.wantNoObject("gone")
	if a, st := k.stat("changed"); st != fuse.OK || a.Mode&0o777 != 0o600 {
		t.Errorf("mode %o after the replay, %v", a.Mode, st)
	}
	if q := (&Mount{f: k.f}).Queue(); q != (Queue{}) {
		t.Errorf("queue after the replay: %+v", q)
	}
}

// abandon ends a mount that has given up, with files open.
func (k *kernel) abandon(open ...uint64) {
	k.t.Helper()
	for _, fh := range open {
		k.release(fh)
	}
	if err := k.f.close(); err != nil {
		k.t.Errorf("close: %v", err)
	}
	k.f = nil
}
