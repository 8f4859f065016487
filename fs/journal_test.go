package fs

import (
	"context"
	"sync"
	"syscall"
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"

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

// TestJournalKeepsOrder: a file that is made under a name whose delete is on
// its way comes to S3 after it.
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

// TestJournalUnlinkDuringCommit: what a commit in the background makes of a
// file that is removed meanwhile is removed, too.
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
