package fs

import (
	"context"
	"errors"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/s3mount/s3mount/s3/s3test"
)

// TestTruncateWhileTheWriterLeaves releases the last writing handle during a
// truncate(2) without a handle. truncate saves its own change, so that it gets the
// error.
func TestTruncateWhileTheWriterLeaves(t *testing.T) {
	for durability, tries := range map[string]int{
		durabilityS3:      2, // that of the release, and that of what follows
		durabilityJournal: 1, // the release leaves it to those who write
	} {
		t.Run(durability, func(t *testing.T) {
			faults := s3test.NewFaults()
			srv := s3test.NewServer(t, s3test.Options{Faults: faults, Buckets: []string{testBucket}})
			k := remount(t, srv, func(o *Options) { o.Durability, o.Posix = durability, "off" })
			fh := k.create("f", syscall.O_WRONLY)
			k.write(fh, 0, "long text")
			k.must(k.flush(fh), "close", "f")
			n := k.f.handles.file(fh).node

			ctx := t.Context()
			if err := k.f.commit(ctx, n); err != nil { // the journal leads on to it
				t.Fatal(err)
			}
			if err := k.f.beginWriting(ctx, n); err != nil {
				t.Fatal(err)
			}
			if err := k.f.truncate(ctx, n, 4); err != nil {
				t.Fatal(err)
			}
			faults.Add(s3test.Rule{Match: s3test.OnKind("PutObject"), Times: tries, Fault: s3test.Answer(403, "AccessDenied")})
			k.release(fh)
			if err := k.f.commit(ctx, n); errnoOf(err) != syscall.EACCES {
				t.Errorf("truncate: %v, want EACCES", err)
			}
			k.f.endWriting(ctx, n)
			if a, st := k.stat("f"); st != 0 || a.Size != 4 {
				t.Errorf("size %d (%v), want 4", a.Size, st)
			}
			k.wantObject("f", "long")
			if n.private() {
				t.Error("the unsaved state was not let go")
			}
		})
	}
}

// TestSavedByTheEnd checks that the inode shows data that letGo saved after close(2)
// and the release failed to.
func TestSavedByTheEnd(t *testing.T) {
	faults := s3test.NewFaults()
	srv := s3test.NewServer(t, s3test.Options{Faults: faults, Buckets: []string{testBucket}})
	k := remount(t, srv)
	k.put("f", "long text")
	fh := k.openFile("f", syscall.O_WRONLY)
	k.write(fh, 0, "longer text")
	faults.Add(s3test.Rule{Match: s3test.OnKind("PutObject"), Times: 2, Fault: s3test.Answer(403, "AccessDenied")})
	errnoIs(t, k.flush(fh), syscall.EACCES, "close")
	n := k.f.handles.file(fh).node
	k.release(fh)
	k.wantObject("f", "longer text")
	if e := n.snapshot(); e.Size != int64(len("longer text")) || e.ETag != k.srv.ETag(testBucket, "f") {
		t.Errorf("the inode shows %d bytes, %s", e.Size, e.ETag)
	}
}

// TestAttributesOntoAnotherVersion checks that pending attributes are set on the
// version that another client has written in the meantime, and that no cached data of
// the previous version are used for it.
func TestAttributesOntoAnotherVersion(t *testing.T) {
	for name, theirs := range map[string]string{"shorter": "short", "same size": "their text", "longer": "a much longer text"} {
		t.Run(name, func(t *testing.T) {
			k := newKernel(t)
			k.srv.PutObject(testBucket, "other", nil, nil) // S3 accepts its chmod, so that the one of f does not wait
			k.must(k.setattr("other", chmodTo(0o600)), "chmod", "other")
			k.srv.PutObject(testBucket, "f", []byte("first text"), nil)
			if got := k.cat("f"); got != "first text" {
				t.Fatalf("%q", got)
			}
			k.must(k.setattr("f", fuse.SetAttrIn{SetAttrInCommon: fuse.SetAttrInCommon{Valid: fuse.FATTR_MODE, Mode: 0o600}}), "chmod", "f")
			k.srv.PutObject(testBucket, "f", []byte(theirs), nil)
			id, st := k.lookup("f")
			k.must(st, "lookup", "f")
			n := k.f.inodes.get(id)
			pages := n.Pages()
			if err := k.f.flushAttrs(t.Context(), n); err != nil {
				t.Fatal(err)
			}
			k.wantObject("f", theirs)
			if n.Pages() != pages || n.Pages() == k.srv.ETag(testBucket, "f") {
				t.Errorf("pages of %s are taken for those of %s", pages, n.Pages())
			}
			open := func() (uint64, fuse.Status) {
				var out fuse.OpenOut
				st := k.f.Open(nil, &fuse.OpenIn{InHeader: header(id), Flags: syscall.O_RDONLY}, &out)
				if st == fuse.OK {
					k.open[out.Fh] = id
				}
				return out.Fh, st
			}
			fh, st := open()
			if shrunk := len(theirs) < len("first text"); shrunk != (st == fuse.Status(syscall.ESTALE)) {
				t.Errorf("open: %v; the kernel was told a larger size: %v", st, shrunk)
			}
			if st != fuse.OK {
				if a, st := k.stat("f"); st != fuse.OK || a.Size != uint64(len(theirs)) {
					t.Errorf("size %d, %v", a.Size, st)
				}
				fh, st = open()
				k.must(st, "open", "f")
			}
			if got := k.read(fh, 0, 100); got != theirs {
				t.Errorf("read %q, want %q", got, theirs)
			}
			k.close(fh)
			if a, st := k.stat("f"); st != fuse.OK || a.Mode&0o777 != 0o600 || a.Size != uint64(len(theirs)) {
				t.Errorf("mode %o, size %d, %v", a.Mode, a.Size, st)
			}
		})
	}
}

// TestPersistWaitsForACopy checks that the upload after a close with a journal and a
// copy with other attributes do not overtake each other. The copy would restore the old
// data.
func TestPersistWaitsForACopy(t *testing.T) {
	g := newGate("CopyObject", "f")
	k := newGatedKernel(t, g, func(o *Options) { o.Durability = durabilityJournal })
	k.put("f", "old")
	if err := k.f.drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	k.must(k.setattr("f", fuse.SetAttrIn{SetAttrInCommon: fuse.SetAttrInCommon{Valid: fuse.FATTR_MODE, Mode: 0o600}}), "chmod", "f")
	id, st := k.lookup("f")
	k.must(st, "lookup", "f")
	n := k.f.inodes.get(id)
	copied := make(chan error, 1)
	go func() { copied <- k.f.flushAttrs(t.Context(), n) }()
	<-g.arrived

	fh := k.openFile("f", syscall.O_WRONLY|syscall.O_TRUNC)
	k.write(fh, 0, "new")
	ctx, stop := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer stop()
	if err := k.f.persistInTurn(ctx, n); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("persist beside a copy: %v, want that it waits", err)
	}
	close(g.open)
	k.close(fh)
	if err := <-copied; err != nil {
		t.Error(err)
	}
	if err := k.f.drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	k.wantObject("f", "new")
	if a, st := k.stat("f"); st != fuse.OK || a.Mode&0o777 != 0o600 {
		t.Errorf("mode %o, %v", a.Mode, st)
	}
}

// TestReaderLeavesWhatIsUnsaved checks that the release of a reader does not drop the
// unsaved state of a writer. The inode would show the object in S3.
func TestReaderLeavesWhatIsUnsaved(t *testing.T) {
	g := newGate("PutObject", "f")
	k := newGatedKernel(t, g, func(o *Options) { o.Durability, o.Posix, o.Linger = durabilityJournal, "off", 0 })
	fh := k.create("f", syscall.O_WRONLY)
	k.write(fh, 0, "text")
	k.must(k.flush(fh), "close", "f")
	<-g.arrived // on its way
	n := k.f.handles.file(fh).node
	reader := k.openFile("f", syscall.O_RDONLY)
	n.lock()
	n.writers, n.saving = 0, 1 // the writer's handle is gone, and what it set going is not done
	n.unlock()
	k.release(reader)
	if !n.private() {
		t.Error("the unsaved state is gone")
	}
	if a, st := k.stat("f"); st != fuse.OK || a.Size != 4 {
		t.Errorf("size %d, %v", a.Size, st)
	}
	n.lock()
	n.writers, n.saving = 1, 0
	n.unlock()
	close(g.open)
	k.release(fh)
	if err := k.f.drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	k.wantObject("f", "text")
}

// TestReaderOfARemovedFile releases a reader during the removal of its file. The
// content that was read for it is let go.
func TestReaderOfARemovedFile(t *testing.T) {
	for _, durability := range []string{durabilityS3, durabilityJournal} {
		t.Run(durability, func(t *testing.T) {
			g := newGate("DeleteObject", "f")
			k := newGatedKernel(t, g, func(o *Options) { o.Durability, o.Delete = durability, deleteSync })
			k.put("f", "text")
			if err := k.f.drain(t.Context()); err != nil {
				t.Fatal(err)
			}
			reader := k.openFile("f", syscall.O_RDONLY)
			removed := make(chan fuse.Status, 1)
			go func() { removed <- k.unlink("f") }()
			<-g.arrived
			if got := k.read(reader, 0, 10); got != "text" {
				t.Errorf("%q", got)
			}
			n := k.f.handles.file(reader).node
			released := make(chan struct{})
			go func() { // waits for the removal
				defer close(released)
				k.release(reader)
			}()
			for n.isOpen() {
				runtime.Gosched()
			}
			close(g.open)
			k.must(<-removed, "unlink", "f")
			<-released
			if err := k.f.drain(t.Context()); err != nil {
				t.Fatal(err)
			}
			k.forgetNameless()
			if s := k.f.writes.Stats(); s.Files != 0 || s.Dirty != 0 {
				t.Errorf("%d files with %d bytes are left", s.Files, s.Dirty)
			}
		})
	}
}

// TestInterruptedTruncate checks that an interrupted truncate(2) returns at once and
// continues in the background. The next change is based on its outcome.
func TestInterruptedTruncate(t *testing.T) {
	for _, durability := range []string{durabilityS3, durabilityJournal} {
		t.Run(durability, func(t *testing.T) {
			g := newGate("PutObject", "f")
			k := newGatedKernel(t, g, func(o *Options) { o.Durability, o.Posix = durability, "off" })
			k.srv.PutObject(testBucket, "f", []byte("long text"), nil)
			id, st := k.lookup("f")
			k.must(st, "lookup", "f")
			interrupt, answered := make(chan struct{}), make(chan fuse.Status, 1)
			go func() {
				in := fuse.SetAttrIn{SetAttrInCommon: fuse.SetAttrInCommon{InHeader: header(id), Valid: fuse.FATTR_SIZE, Size: 4}}
				answered <- k.f.SetAttr(interrupt, &in, &fuse.AttrOut{})
			}()
			<-g.arrived
			close(interrupt)
			errnoIs(t, <-answered, syscall.EINTR, "truncate")
			if a, st := k.stat("f"); st != fuse.OK || a.Size != 4 {
				t.Errorf("size %d, %v; want 4", a.Size, st)
			}
			close(g.open)
			fh := k.openFile("f", syscall.O_WRONLY)
			k.write(fh, 0, "S")
			k.must(k.flush(fh), "close", "f")
			k.release(fh)
			if err := k.f.drain(t.Context()); err != nil {
				t.Fatal(err)
			}
			k.wantObject("f", "Song")
		})
	}
}

// TestMknodFails checks that a failed mknod leaves nothing behind.
func TestMknodFails(t *testing.T) {
	faults := s3test.NewFaults()
	srv := s3test.NewServer(t, s3test.Options{Faults: faults, Buckets: []string{testBucket}})
	k := remount(t, srv)
	faults.Add(s3test.Rule{Match: s3test.OnKind("PutObject"), Times: -1, Fault: s3test.Answer(403, "AccessDenied")})
	in := fuse.MknodIn{InHeader: header(rootID), Mode: syscall.S_IFREG | 0o644}
	errnoIs(t, k.f.Mknod(nil, &in, "f", &fuse.EntryOut{}), syscall.EACCES, "mknod")
	faults.Clear()
	if _, st := k.stat("f"); st != fuse.ENOENT {
		t.Errorf("stat: %v, want ENOENT", st)
	}
}

// TestRenameOfAnOpenFile checks that the reader of the version that a rename makes is
// closed with the file. kernel.unmount counts the readers.
func TestRenameOfAnOpenFile(t *testing.T) {
	k := newKernel(t)
	k.put("f", "long text")
	fh := k.openFile("f", syscall.O_RDWR)
	for i, names := range [][2]string{{"f", "g"}, {"g", "h"}} {
		k.write(fh, int64(i), "X")
		k.must(k.rename(names[0], names[1], 0), "rename", names[0])
		if got := k.read(fh, 4, 5); got != " text" {
			t.Errorf("read %q", got)
		}
	}
	k.close(fh)
	k.wantObject("h", "XXng text")
}

// TestWriteWhileUnlinked checks that data that are written to an open file during its
// unlink stay in the file (P7), also while its content is being read.
func TestWriteWhileUnlinked(t *testing.T) {
	g := newGate("GetObject", "f")
	k := newGatedKernel(t, g)
	k.srv.PutObject(testBucket, "f", []byte("long text"), nil)
	fh := k.openFile("f", syscall.O_WRONLY)
	k.write(fh, 0, "X")
	done := make(chan fuse.Status)
	go func() { done <- k.unlink("f") }()
	<-g.arrived
	k.write(fh, 1, "Y")
	close(g.open)
	k.must(<-done, "unlink", "f")
	k.write(fh, 8, "Z")
	if got := k.read(fh, 0, 20); got != "XYng texZ" {
		t.Errorf("the open file reads %q, want %q", got, "XYng texZ")
	}
	k.must(k.flush(fh), "close", "f")
	k.release(fh)
	k.wantNoObject("f")
}
