package fs

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/s3mount/s3mount/fs/entry"
	"github.com/s3mount/s3mount/s3/s3test"
)

func TestTelling(t *testing.T) {
	defaults, exact := permissions{0o644, 0, 0}, permissions{0o600, 1002, 1002}
	var told telling
	told.note(defaults, 1)
	told.note(defaults, 2)
	for thread := range uint32(4) {
		if !told.decidedBy(defaults, thread) || told.decidedBy(exact, thread) {
			t.Errorf("the kernel was told the defaults only, and thread %d counts as decided by others", thread)
		}
	}
	told.note(exact, 2)
	for thread, want := range map[uint32]bool{1: false, 2: true, 3: false} {
		if got := told.decidedBy(exact, thread); got != want {
			t.Errorf("right after thread 2 heard of a change, thread %d counts as decided by it: %v", thread, got)
		}
	}
	told.note(exact, 3)
	if !told.decidedBy(exact, 3) || told.decidedBy(defaults, 1) {
		t.Error("a thread that heard of the change does not count")
	}
	told.change.when = time.Now().Add(-2 * straggle)
	if !told.decidedBy(exact, 1) {
		t.Error("long after the change, a thread that did not hear of it is not let in")
	}
}

func TestMaySearch(t *testing.T) {
	for _, tc := range []struct {
		perm     uint32
		uid, gid uint32 // of the caller
		want     bool
	}{
		{0o700, 1, 1, true}, {0o700, 2, 1, false}, {0o700, 0, 0, true},
		{0o077, 1, 1, false}, {0o711, 2, 2, true}, {0o711, 2, 1, true},
		{0o710, 2, 1, true}, {0o701, 2, 1, false},
		{0o710, 2, 2, false}, {0o701, 2, 2, false}, // the groups of thread 0 are unknown
	} {
		caller := fuse.Caller{Owner: fuse.Owner{Uid: tc.uid, Gid: tc.gid}}
		if got := (permissions{tc.perm, 1, 1}).maySearch(caller); got != tc.want {
			t.Errorf("user %d:%d may search a directory 1:1 %o: %v", tc.uid, tc.gid, tc.perm, got)
		}
	}
}

// threadOf is the header of a request of a thread of a user.
func threadOf(node uint64, uid, thread uint32) fuse.InHeader {
	h := header(node)
	h.Caller = fuse.Caller{Owner: fuse.Owner{Uid: uid, Gid: uid}, Pid: thread}
	return h
}

// TestAccessOfTwoThreads checks that a thread that the kernel let through by default
// attributes gets no access when another thread has been told the exact attributes in
// the meantime.
func TestAccessOfTwoThreads(t *testing.T) {
	srv := s3test.NewServer(t, s3test.Options{})
	srv.CreateBucket(testBucket)
	srv.PutObject(testBucket, "f", []byte("secret"), map[string]string{"mode": "33152", "uid": "1002", "gid": "1002"})
	k := remount(t, srv, func(o *Options) { o.AllowOther = true })
	var root fuse.AttrOut
	k.must(k.f.GetAttr(nil, &fuse.GetAttrIn{InHeader: threadOf(rootID, 0, 0)}, &root), "getattr", "/")
	k.ls("/") // the listing tells nothing of the mode
	look := func(thread uint32) uint64 {
		h := threadOf(rootID, 1003, thread)
		var out fuse.EntryOut
		k.must(k.f.Lookup(nil, &h, "f", &out), "lookup", "f")
		k.refs[out.NodeId]++
		return out.NodeId
	}
	id := look(1)
	try := func(thread uint32, flags uint32, want fuse.Status) {
		t.Helper()
		var out fuse.OpenOut
		st := k.f.Open(nil, &fuse.OpenIn{InHeader: threadOf(id, 1003, thread), Flags: flags}, &out)
		errnoIs(t, st, syscall.Errno(want), fmt.Sprintf("open by thread %d with flags %#x", thread, flags))
		if st == fuse.OK {
			k.open[out.Fh] = id
		}
	}
	stale := fuse.Status(syscall.ESTALE)
	for _, flags := range []uint32{syscall.O_RDONLY, syscall.O_WRONLY, syscall.O_WRONLY | syscall.O_TRUNC, syscall.O_TRUNC} {
		try(1, flags, stale)
	}
	look(1)
	try(2, syscall.O_RDONLY, stale)
	try(2, syscall.O_WRONLY|syscall.O_TRUNC, stale)
	try(1, syscall.O_RDONLY, fuse.OK) // by its own decision, which the kernel would make in another way
	k.wantObject("f", "secret")
}

// TestListingDoesNotLoosenADirectory checks that a listing of the parent, which does
// not contain the mode of a directory, does not replace the mode that the kernel knows.
func TestListingDoesNotLoosenADirectory(t *testing.T) {
	n := &inode{kind: entry.Directory}
	n.lookUp(entry.Entry{Key: "d/", ETag: "m", Kind: entry.Directory, Exact: true, Attr: entry.Attr{Perm: 0o700, UID: 1002, GID: 1002}}, nil)
	n.lock()
	n.told = &telling{}
	n.told.note(permissionsOf(n.Entry()), 1)
	n.unlock()
	(&finder{}).learn(n, entry.Entry{Key: "d/", Kind: entry.Directory, Implicit: true, Attr: entry.Attr{Perm: 0o755}}, 0)
	n.lock()
	defer n.unlock()
	if got := permissionsOf(n.Entry()); got != (permissions{0o700, 1002, 1002}) || n.Entry().Exact {
		t.Errorf("after the listing the directory has %+v, exact %v", got, n.Entry().Exact)
	}
}
