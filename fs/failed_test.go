package fs

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/s3mount/s3mount/s3/s3test"
)

// recovered returns what the recovery directory holds.
func (k *kernel) recovered() (files []string) {
	k.t.Helper()
	dir := filepath.Join(k.f.o.StateDir, "recovery")
	names, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		k.t.Fatal(err)
	}
	for _, e := range names {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			k.t.Fatal(err)
		}
		files = append(files, string(b))
	}
	return files
}

// TestFailedTakingOfAName checks an open file whose unlink or rename S3 refused. A
// handle with unsaved data gets the error at close(2) (P1), and a later open of the
// name succeeds.
func TestFailedTakingOfAName(t *testing.T) {
	for name, c := range map[string]struct {
		refused string
		take    func(k *kernel) fuse.Status
	}{
		"rename over": {"CopyObject", func(k *kernel) fuse.Status { return k.rename("new", "f", 0) }},
		"unlink":      {"DeleteObject", func(k *kernel) fuse.Status { return k.unlink("f") }},
	} {
		for _, unsaved := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				faults := s3test.NewFaults()
				srv := s3test.NewServer(t, s3test.Options{Faults: faults, Buckets: []string{testBucket}})
				k := remount(t, srv, func(o *Options) { o.Posix, o.Delete = "off", deleteSync })
				k.put("f", "old text")
				k.put("new", "new")
				fh := k.openFile("f", syscall.O_RDWR)
				if unsaved {
					k.write(fh, 0, "mine")
				}
				faults.Add(s3test.Rule{Match: s3test.OnKind(c.refused), Times: 1, Fault: s3test.Answer(403, "AccessDenied")})
				errnoIs(t, c.take(k), syscall.EACCES, name)
				k.wantObject("f", "old text")

				next := k.openFile("f", syscall.O_WRONLY)
				k.write(next, 0, "NEXT")
				k.close(next)
				k.wantObject("f", "NEXTtext")

				want := "old text"
				if unsaved {
					want = "minetext"
				}
				if got := k.read(fh, 0, 20); got != want {
					t.Errorf("the handle reads %q, want %q", got, want)
				}
				st := k.flush(fh)
				if unsaved {
					errnoIs(t, st, syscall.ESTALE, "close of what is not saved")
				} else {
					k.must(st, "close", "f")
				}
				k.release(fh)
				if got := k.cat("f"); got != "NEXTtext" {
					t.Errorf("the name reads %q", got)
				}
				if kept := k.recovered(); unsaved && (len(kept) != 1 || kept[0] != want) || !unsaved && len(kept) > 0 {
					t.Errorf("kept aside: %q", kept)
				}
			})
		}
	}
}

// TestInterruptedAttributes checks that an interrupted chmod does not lose the
// attributes.
func TestInterruptedAttributes(t *testing.T) {
	g := newGate("CopyObject", "f")
	k := newGatedKernel(t, g)
	k.put("f", "text")
	k.must(k.setattr("f", fuse.SetAttrIn{SetAttrInCommon: fuse.SetAttrInCommon{Valid: fuse.FATTR_MODE, Mode: 0o640}}), "chmod", "f")
	id, st := k.lookup("f")
	k.must(st, "lookup", "f")
	ctx, interrupt := context.WithCancel(t.Context())
	saved := make(chan error, 1)
	go func() { saved <- k.f.flushAttrs(ctx, k.f.inodes.get(id)) }()
	<-g.arrived
	interrupt()
	if err := <-saved; !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
	close(g.open)
	k.drain()
	for _, m := range []*kernel{k, remount(t, k.srv)} {
		if a, st := m.stat("f"); st != fuse.OK || a.Mode&0o7777 != 0o640 {
			t.Errorf("mode %o, %v", a.Mode, st)
		}
	}
}

// TestCrashInRenameOverUnsaved kills a mount with a journal while it renames over a
// file whose last data are only in the journal. The next mount shows the closed file or
// the renamed one.
func TestCrashInRenameOverUnsaved(t *testing.T) {
	for _, unsavedSource := range []bool{false, true} {
		g := newGate("CopyObject", "f")
		state := t.TempDir()
		k := newGatedKernel(t, g, lingering, func(o *Options) { o.StateDir, o.Posix = state, "off" })
		k.put("f", "old text")
		k.put("new", "new")
		k.drain()
		if unsavedSource { // bound to its key, since it has an object there
			fh := k.openFile("new", syscall.O_WRONLY)
			k.write(fh, 0, "NEW")
			k.close(fh)
		}
		fh := k.openFile("f", syscall.O_WRONLY)
		k.write(fh, 0, "own")
		k.close(fh)
		renamed := make(chan fuse.Status, 1)
		go func() { renamed <- k.rename("new", "f", 0) }()
		<-g.arrived
		left := copyState(t, state)
		now := objectsOf(k.srv)
		close(g.open)
		k.must(<-renamed, "rename", "new")

		srv := s3test.NewServer(t, s3test.Options{Buckets: []string{testBucket}})
		for key, data := range now {
			srv.PutObject(testBucket, key, []byte(data), nil)
		}
		after := remount(t, srv, lingering, func(o *Options) { o.StateDir, o.Posix = left, "off" })
		after.recover()
		source := "new"
		if unsavedSource {
			source = "NEW"
		}
		want := []tree{{"f": "own text", "new": source}, {"f": source}}
		if got := after.tree(""); !oneOf(got, want) {
			t.Errorf("the next mount shows %s, want one of %s", got, want)
		}
	}
}

// TestCrashInRenameOverChangedMode shows that a chmod of a file is not carried out
// on the file that a rename has put in its place when the mount died.
func TestCrashInRenameOverChangedMode(t *testing.T) {
	g := newGate("CopyObject", "f")
	state := t.TempDir()
	k := newGatedKernel(t, g, lingering, func(o *Options) { o.StateDir, o.Posix = state, "full" })
	k.put("f", "old text")
	k.put("new", "new")
	k.drain()
	k.must(k.setattr("f", fuse.SetAttrIn{SetAttrInCommon: fuse.SetAttrInCommon{Valid: fuse.FATTR_MODE, Mode: 0o600}}), "chmod", "f")
	renamed := make(chan fuse.Status, 1)
	go func() { renamed <- k.rename("new", "f", 0) }()
	<-g.arrived
	left := copyState(t, state)
	close(g.open)
	k.must(<-renamed, "rename", "new")

	srv := s3test.NewServer(t, s3test.Options{Buckets: []string{testBucket}})
	for _, key := range []string{"f", "new"} { // The server executed the copy.
		srv.PutObject(testBucket, key, []byte("new"), nil)
	}
	after := remount(t, srv, lingering, func(o *Options) { o.StateDir, o.Posix = left, "full" })
	after.recover()
	if a, st := after.stat("f"); st != fuse.OK || a.Mode&0o7777 != 0o644 {
		t.Errorf("the mode is %o, want 644 (%v)", a.Mode&0o7777, st)
	}
}

// TestFailedRenameKeepsWhatWasClosed checks that a failed rename over a file does not
// lose acknowledged data of the file.
func TestFailedRenameKeepsWhatWasClosed(t *testing.T) {
	for name, open := range map[string]bool{"closed": false, "open": true} {
		t.Run(name, func(t *testing.T) {
			faults := s3test.NewFaults()
			srv := s3test.NewServer(t, s3test.Options{Faults: faults, Buckets: []string{testBucket}})
			k := remount(t, srv, lingering, func(o *Options) { o.Posix = "off" })
			k.put("f", "old text")
			k.put("new", "new")
			k.drain()
			fh := k.openFile("f", syscall.O_WRONLY)
			k.write(fh, 0, "own")
			k.must(k.flush(fh), "close", "f")
			if !open {
				k.release(fh)
			}
			faults.Add(s3test.Rule{Match: s3test.OnKind("CopyObject"), Times: 1, Fault: s3test.Answer(403, "AccessDenied")})
			errnoIs(t, k.rename("new", "f", 0), syscall.EACCES, "rename")
			if got := k.cat("f"); got != "own text" {
				t.Errorf("the mount reads %q", got)
			}
			k.drain()
			k.wantObject("f", "own text")
			k.wantObject("new", "new")
		})
	}
}

// TestOpenAfterConflict checks an open after a close with a conflict, while the handle
// of that close still exists. The open finds the object of the other client (P2) and
// can write it.
func TestOpenAfterConflict(t *testing.T) {
	k := newKernel(t)
	fh := k.create("f", syscall.O_WRONLY|syscall.O_APPEND)
	k.write(fh, 0, "ours")
	k.srv.PutObject(testBucket, "f", []byte("theirs"), nil)
	errnoIs(t, k.flush(fh), syscall.ESTALE, "close of what another has made")

	if got := k.cat("f"); got != "theirs" {
		t.Errorf("the name reads %q", got)
	}
	next := k.openFile("f", syscall.O_WRONLY|syscall.O_APPEND)
	k.write(next, 0, "+ours")
	k.close(next)
	k.wantObject("f", "theirs+ours")

	errnoIs(t, k.flush(fh), syscall.ESTALE, "another close of the first handle")
	k.release(fh)
	k.wantObject("f", "theirs+ours")
	if kept := k.recovered(); len(kept) != 1 || kept[0] != "ours" {
		t.Errorf("kept aside: %q", kept)
	}
	if got := k.cat("f"); got != "theirs+ours" {
		t.Errorf("in the end the name reads %q", got)
	}
}
