package fs

import (
	"fmt"
	"slices"
	"syscall"
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/s3mount/s3mount/s3/s3test"
)

// TestRenameDirectoryLeavesUnlinkedFiles renames a directory after a file that S3
// never had was unlinked in it. Nothing brings the file back.
func TestRenameDirectoryLeavesUnlinkedFiles(t *testing.T) {
	for _, durability := range []string{durabilityS3, durabilityJournal} {
		for _, open := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, open %v", durability, open), func(t *testing.T) {
				k := newKernel(t, func(o *Options) { o.Durability = durability })
				k.must(k.mkdir("d.tmp"), "mkdir", "d.tmp")
				fh := k.create("d.tmp/w", syscall.O_RDWR)
				k.write(fh, 0, "unsaved")
				if !open {
					k.close(fh)
				}
				k.must(k.unlink("d.tmp/w"), "unlink", "w")
				k.must(k.rename("d.tmp", "d", 0), "rename", "d.tmp")
				if names := k.ls("d"); len(names) > 0 {
					t.Errorf("the directory holds %q", names)
				}
				if _, st := k.lookup("d/w"); st != fuse.ENOENT {
					t.Errorf("lookup of the unlinked file: %v", st)
				}
				k.put("d/w", "new")
				if open {
					k.write(fh, 7, "!")
					if got := k.read(fh, 0, 20); got != "unsaved!" {
						t.Errorf("the handle reads %q", got)
					}
					k.close(fh)
				}
				if got := k.cat("d/w"); got != "new" {
					t.Errorf("the new file holds %q", got)
				}
				k.must(k.unlink("d/w"), "unlink", "d/w")
				k.must(k.rmdir("d"), "rmdir", "d")
			})
		}
	}
}

// TestRenameOfDataUnderADirectoryKey renames the file that stands for data under
// the key of its directory. Other files of the directory stay where they are.
func TestRenameOfDataUnderADirectoryKey(t *testing.T) {
	k := newKernel(t)
	k.srv.PutObject(testBucket, "d/", []byte("data"), nil)
	k.srv.PutObject(testBucket, "d/saved", []byte("saved"), nil)
	fh := k.create("d/h", syscall.O_WRONLY)
	k.write(fh, 0, "unsaved")
	k.must(k.rename("d/%~f", "moved", 0), "rename", "d/%~f")
	k.close(fh)
	k.wantObject("moved", "data")
	k.wantObject("d/h", "unsaved")
	k.wantObject("d/saved", "saved")
	k.wantNoObject("movedh")
	if names := k.ls("d"); !slices.Equal(names, []string{"h", "saved"}) {
		t.Errorf("the directory holds %q", names)
	}
}

// TestRenameDirectoryWithDataUnderItsKey renames a directory that has data under
// its own key and an open file for it.
func TestRenameDirectoryWithDataUnderItsKey(t *testing.T) {
	k := newKernel(t)
	k.srv.PutObject(testBucket, "d/", []byte("data"), nil)
	k.srv.PutObject(testBucket, "d/x", []byte("x"), nil)
	if got := k.cat("d/%~f"); got != "data" {
		t.Fatalf("the file holds %q", got)
	}
	k.must(k.rename("d", "e", 0), "rename", "d")
	if a, st := k.stat("e/%~f"); st != fuse.OK || a.Mode&syscall.S_IFMT != syscall.S_IFREG || a.Size != 4 {
		t.Errorf("stat: %v, mode %o, size %d", st, a.Mode, a.Size)
	}
	if got := k.cat("e/%~f"); got != "data" {
		t.Errorf("the file holds %q", got)
	}
}

// startRename renames a directory of the root in the background, and returns when
// its first copy waits at the gate.
func (k *kernel) startRename(g *gate, from, to string) (done chan fuse.Status) {
	k.t.Helper()
	k.lookup(from)
	done = make(chan fuse.Status, 1)
	go func() {
		done <- k.f.Rename(nil, &fuse.RenameIn{InHeader: header(rootID), Newdir: rootID}, from, to)
	}()
	<-g.arrived
	return done
}

// TestNamesWaitForTheRenameOfTheirDirectory makes names in a directory while it
// is renamed. They are made under the new name.
func TestNamesWaitForTheRenameOfTheirDirectory(t *testing.T) {
	makes := map[string]func(k *kernel, cancel chan struct{}, dir uint64) fuse.Status{
		"create": func(k *kernel, cancel chan struct{}, dir uint64) fuse.Status {
			var out fuse.CreateOut
			st := k.f.Create(cancel, &fuse.CreateIn{InHeader: header(dir), Flags: syscall.O_WRONLY, Mode: 0o644}, "new", &out)
			if st == fuse.OK {
				k.refs[out.NodeId]++
				k.open[out.Fh] = out.NodeId
				k.close(out.Fh)
			}
			return st
		},
		"mknod": func(k *kernel, cancel chan struct{}, dir uint64) fuse.Status {
			var out fuse.EntryOut
			st := k.f.Mknod(cancel, &fuse.MknodIn{InHeader: header(dir), Mode: syscall.S_IFIFO | 0o644}, "new", &out)
			k.refs[out.NodeId]++
			return st
		},
		"mkdir": func(k *kernel, cancel chan struct{}, dir uint64) fuse.Status {
			var out fuse.EntryOut
			st := k.f.Mkdir(cancel, &fuse.MkdirIn{InHeader: header(dir), Mode: 0o755}, "new", &out)
			k.refs[out.NodeId]++
			return st
		},
		"symlink": func(k *kernel, cancel chan struct{}, dir uint64) fuse.Status {
			var out fuse.EntryOut
			h := header(dir)
			st := k.f.Symlink(cancel, &h, "to", "new", &out)
			k.refs[out.NodeId]++
			return st
		},
		"rename": func(k *kernel, cancel chan struct{}, dir uint64) fuse.Status {
			in := &fuse.RenameIn{InHeader: header(rootID), Newdir: dir}
			return k.f.Rename(cancel, in, "other", "new")
		},
	}
	for name, makeName := range makes {
		t.Run(name, func(t *testing.T) {
			g := newGate("CopyObject", "e/sub/old")
			k := newGatedKernel(t, g)
			k.srv.PutObject(testBucket, "d/sub/old", []byte("old"), nil)
			k.srv.PutObject(testBucket, "other", []byte("other"), nil)
			sub, st := k.lookup("d/sub")
			k.must(st, "lookup", "d/sub")
			done := k.startRename(g, "d", "e")
			cancelled := make(chan struct{})
			close(cancelled)
			errnoIs(t, makeName(k, cancelled, sub), syscall.EINTR, "interrupted "+name+" during the rename")
			close(g.open)
			k.must(<-done, "rename", "d")
			k.must(makeName(k, nil, sub), name, "e/sub/new")
			if _, st := k.lookup("e/sub/new"); st != fuse.OK {
				t.Errorf("lookup of the new name: %v", st)
			}
			if err := k.f.drain(t.Context()); err != nil {
				t.Fatal(err)
			}
			for _, key := range k.srv.Keys(testBucket) {
				if key[0] == 'd' {
					t.Errorf("the old name is left in the key %q", key)
				}
			}
		})
	}
}

// TestLookupDuringTheRenameOfADirectory looks a name up for the first time while
// its directory is renamed. The file has its new key afterwards, and it cannot
// be saved under the old one meanwhile.
func TestLookupDuringTheRenameOfADirectory(t *testing.T) {
	g := newGate("CopyObject", "e/held")
	k := newGatedKernel(t, g)
	k.srv.PutObject(testBucket, "d/held", []byte("held"), nil)
	k.srv.PutObject(testBucket, "d/f", []byte("old text"), nil)
	dir, st := k.lookup("d")
	k.must(st, "lookup", "d")
	done := k.startRename(g, "d", "e")
	var out fuse.EntryOut
	h := header(dir)
	k.must(k.f.Lookup(nil, &h, "f", &out), "lookup", "d/f")
	k.refs[out.NodeId]++
	var opened fuse.OpenOut
	k.must(k.f.Open(nil, &fuse.OpenIn{InHeader: header(out.NodeId), Flags: syscall.O_WRONLY}, &opened), "open", "d/f")
	k.open[opened.Fh] = out.NodeId
	k.write(opened.Fh, 0, "new")
	cancelled := make(chan struct{})
	close(cancelled)
	flush := &fuse.FlushIn{InHeader: header(out.NodeId), Fh: opened.Fh}
	errnoIs(t, k.f.Flush(cancelled, flush), syscall.EINTR, "interrupted close during the rename")
	close(g.open)
	k.must(<-done, "rename", "d")
	k.close(opened.Fh)
	k.wantObject("e/f", "new text")
	k.wantNoObject("d/f")
	if got := k.cat("e/f"); got != "new text" {
		t.Errorf("the file holds %q", got)
	}
}

// TestNoFalseAbsenceDuringTheRename asks for a file whose old name is deleted
// already while the rename of its directory goes on. The answer waits.
func TestNoFalseAbsenceDuringTheRename(t *testing.T) {
	ops := map[string]func(k *kernel, cancel chan struct{}, dir, file uint64) fuse.Status{
		"lookup": func(k *kernel, cancel chan struct{}, dir, _ uint64) fuse.Status {
			var out fuse.EntryOut
			h := header(dir)
			st := k.f.Lookup(cancel, &h, "unknown", &out)
			if st == fuse.OK && out.NodeId == 0 {
				st = fuse.ENOENT
			}
			if st == fuse.OK {
				k.refs[out.NodeId]++
			}
			return st
		},
		"open": func(k *kernel, cancel chan struct{}, _, file uint64) fuse.Status {
			var out fuse.OpenOut
			st := k.f.Open(cancel, &fuse.OpenIn{InHeader: header(file)}, &out)
			if st == fuse.OK {
				k.open[out.Fh] = file
				k.close(out.Fh)
			}
			return st
		},
		"stat": func(k *kernel, cancel chan struct{}, _, file uint64) fuse.Status {
			return k.f.GetAttr(cancel, &fuse.GetAttrIn{InHeader: header(file)}, &fuse.AttrOut{})
		},
	}
	for name, op := range ops {
		t.Run(name, func(t *testing.T) {
			// The rename ends by deleting the index of the old directory.
			g := newGate("DeleteObjects", "")
			srv := s3test.NewServer(t, s3test.Options{Buckets: []string{testBucket}, Deny: func(kind, _, key string) bool {
				return kind == "DeleteObject" && key == "d/last" && g.deny(g.kind, "", g.key)
			}})
			k := remount(t, srv, func(o *Options) { o.MetadataTTL = 0 })
			for _, key := range []string{"d/file", "d/unknown", "d/last"} {
				srv.PutObject(testBucket, key, []byte("x"), nil)
			}
			dir, st := k.lookup("d")
			k.must(st, "lookup", "d")
			file, st := k.lookup("d/file")
			k.must(st, "lookup", "d/file")
			done := k.startRename(g, "d", "e")
			for _, key := range []string{"d/file", "d/unknown"} {
				srv.RemoveObject(testBucket, key) // as the part of the request that was executed
			}
			cancelled := make(chan struct{})
			close(cancelled)
			errnoIs(t, op(k, cancelled, dir, file), syscall.EINTR, "interrupted "+name+" during the rename")
			close(g.open)
			k.must(<-done, "rename", "d")
			k.must(op(k, nil, dir, file), name, "e")
		})
	}
}

// TestRenameTouchesOnlyWhatMoves renames a file and a directory while the state
// of another inode is locked.
func TestRenameTouchesOnlyWhatMoves(t *testing.T) {
	k := newKernel(t)
	k.put("other", "x")
	k.put("f", "f")
	k.must(k.mkdir("d"), "mkdir", "d")
	k.put("d/x", "x")
	id, st := k.lookup("other")
	k.must(st, "lookup", "other")
	other := k.f.inodes.get(id)
	for _, pair := range [][2]string{{"f", "g"}, {"d", "e"}} {
		k.lookup(pair[0])
		other.lock()
		st := k.f.Rename(nil, &fuse.RenameIn{InHeader: header(rootID), Newdir: rootID}, pair[0], pair[1])
		other.unlock()
		k.must(st, "rename", pair[0])
	}
	k.wantObject("g", "f")
	k.wantObject("e/x", "x")
}

// TestRenameDirectoryIntoItself is refused, also where the target is deep below.
func TestRenameDirectoryIntoItself(t *testing.T) {
	k := newKernel(t)
	k.must(k.mkdir("d"), "mkdir", "d")
	k.must(k.mkdir("d/sub"), "mkdir", "d/sub")
	for _, to := range []string{"d/e", "d/sub/e"} {
		errnoIs(t, k.rename("d", to, 0), syscall.EINVAL, "rename to "+to)
	}
	k.must(k.rename("d", "e", 0), "rename", "d")
}

// TestChmodOfDataUnderADirectoryKey changes the mode of the file that stands for
// data under the key of its directory. The next mount shows it.
func TestChmodOfDataUnderADirectoryKey(t *testing.T) {
	for _, before := range []string{"listed", "looked up"} {
		t.Run(before, func(t *testing.T) {
			k := newKernel(t)
			k.srv.PutObject(testBucket, "d/", []byte("data"), nil)
			k.srv.PutObject(testBucket, "d/x", []byte("x"), nil)
			in := fuse.SetAttrIn{SetAttrInCommon: fuse.SetAttrInCommon{Valid: fuse.FATTR_MODE, Mode: 0o600}}
			k.must(k.setattr("d/%~f", in), "chmod", "d/%~f")
			k.must(k.setattr("d/x", in), "chmod", "d/x")
			k.unmount()
			again := remount(t, k.srv)
			if before == "listed" {
				again.ls("d")
			}
			for _, name := range []string{"d/x", "d/%~f"} {
				if a, st := again.stat(name); st != fuse.OK || a.Mode&0o7777 != 0o600 {
					t.Errorf("%s: %v, mode %o", name, st, a.Mode)
				}
			}
		})
	}
}
