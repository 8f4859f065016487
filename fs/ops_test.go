package fs

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"
)

func errnoIs(t *testing.T, got fuse.Status, want syscall.Errno, what string) {
	t.Helper()
	if syscall.Errno(got) != want {
		t.Errorf("%s: %v, want %v", what, syscall.Errno(got), want)
	}
}

func TestCreateWriteCloseRead(t *testing.T) {
	k := newKernel(t)
	k.put("hello.txt", "hello")
	k.wantObject("hello.txt", "hello")
	if got := k.cat("hello.txt"); got != "hello" {
		t.Errorf("read %q", got)
	}
	if got := k.requests("PutObject"); got != 1 {
		t.Errorf("%d PUTs for one small file, want 1", got)
	}
	a, st := k.stat("hello.txt")
	if st != fuse.OK || a.Size != 5 || a.Mode != syscall.S_IFREG|0o644 {
		t.Errorf("stat: %v, %+v", st, a)
	}
	again := remount(t, k.srv)
	if got := again.cat("hello.txt"); got != "hello" {
		t.Errorf("another mount read %q", got)
	}
}

func TestEmptyFileIsOnePut(t *testing.T) {
	k := newKernel(t)
	k.put("empty", "")
	k.wantObject("empty", "")
	if got := k.requests("PutObject"); got != 1 {
		t.Errorf("%d PUTs, want 1", got)
	}
}

func TestSeenBeforeClose(t *testing.T) {
	k := newKernel(t)
	fh := k.create("new", syscall.O_RDWR)
	k.write(fh, 0, "abc")
	if got := k.ls("/"); !slices.Equal(got, []string{"new"}) {
		t.Errorf("ls shows %q while the file is written", got)
	}
	if a, st := k.stat("new"); st != fuse.OK || a.Size != 3 {
		t.Errorf("stat while the file is written: %v, size %d", st, a.Size)
	}
	other := k.openFile("new", syscall.O_RDONLY)
	if got := k.read(other, 0, 10); got != "abc" {
		t.Errorf("another handle read %q", got)
	}
	k.wantNoObject("new")
	k.close(fh)
	k.wantObject("new", "abc")
	if got := k.read(other, 0, 10); got != "abc" {
		t.Errorf("another handle read %q after the close", got)
	}
	k.close(other)
}

func TestOverwriteInTheMiddleAppendTruncate(t *testing.T) {
	k := newKernel(t)
	k.put("f", "0123456789")
	fh := k.openFile("f", syscall.O_RDWR)
	k.write(fh, 3, "abc")
	if got := k.read(fh, 0, 20); got != "012abc6789" {
		t.Errorf("read back %q", got)
	}
	k.close(fh)
	k.wantObject("f", "012abc6789")

	fh = k.openFile("f", syscall.O_WRONLY|syscall.O_APPEND)
	k.write(fh, 0, "+tail") // a stale offset of the kernel must not matter
	k.close(fh)
	k.wantObject("f", "012abc6789+tail")

	k.must(k.setattr("f", fuse.SetAttrIn{SetAttrInCommon: fuse.SetAttrInCommon{Valid: fuse.FATTR_SIZE, Size: 4}}), "truncate", "f")
	k.wantObject("f", "012a")
	k.must(k.setattr("f", fuse.SetAttrIn{SetAttrInCommon: fuse.SetAttrInCommon{Valid: fuse.FATTR_SIZE, Size: 6}}), "truncate", "f")
	k.wantObject("f", "012a\x00\x00")

	fh = k.openFile("f", syscall.O_WRONLY|syscall.O_TRUNC)
	k.write(fh, 0, "new")
	k.close(fh)
	k.wantObject("f", "new")
}

func TestHandlesSeeWritesOfTheMount(t *testing.T) {
	k := newKernel(t)
	k.put("f", "old")
	r := k.openFile("f", syscall.O_RDONLY)
	if got := k.read(r, 0, 10); got != "old" {
		t.Fatalf("read %q", got)
	}
	w := k.openFile("f", syscall.O_WRONLY|syscall.O_TRUNC)
	k.write(w, 0, "newer")
	k.close(w)
	if got := k.read(r, 0, 10); got != "newer" {
		t.Errorf("a handle of before the write reads %q", got)
	}
	k.close(r)
}

// A foreign change is seen by the next open (P2), and never mixed into what an
// open handle reads.
func TestForeignChange(t *testing.T) {
	k := newKernel(t)
	big := strings.Repeat("a", 3<<20)
	k.put("f", big)
	fh := k.openFile("f", syscall.O_RDONLY)
	if got := k.read(fh, 0, 10); got != "aaaaaaaaaa" {
		t.Fatalf("read %q", got)
	}
	k.srv.PutObject(testBucket, "f", []byte(strings.Repeat("b", 3<<20)), nil)
	for off := int64(0); off < 3<<20; off += 512 << 10 {
		got, st := k.tryRead(fh, off, 4096)
		if st == fuse.OK && strings.Contains(got, "b") {
			t.Fatalf("the handle reads the new version at %d", off)
		}
		if st != fuse.OK && syscall.Errno(st) != syscall.ESTALE {
			t.Fatalf("read at %d: %v", off, syscall.Errno(st))
		}
	}
	next := k.openFile("f", syscall.O_RDONLY)
	if got := k.read(next, 0, 10); got != "bbbbbbbbbb" {
		t.Errorf("the next open reads %q", got)
	}
	if k.open[next] == k.open[fh] {
		t.Error("both versions share an inode, and so the kernel's pages")
	}
	if got, st := k.tryRead(fh, 0, 10); st == fuse.OK && got != "aaaaaaaaaa" {
		t.Errorf("the old handle reads %q", got)
	}
	k.release(fh)
	k.close(next)
}

// P3: a change that was built on an old version does not replace a newer one.
func TestLostUpdate(t *testing.T) {
	k := newKernel(t)
	k.put("f", "0123456789")
	fh := k.openFile("f", syscall.O_RDWR)
	k.write(fh, 0, "mine")
	k.srv.PutObject(testBucket, "f", []byte("theirs"), nil)
	errnoIs(t, k.flush(fh), syscall.ESTALE, "close of a conflicting change")
	k.release(fh)
	k.wantObject("f", "theirs")
	if got := k.cat("f"); got != "theirs" {
		t.Errorf("after the conflict the mount reads %q", got)
	}
}

func TestUnlinkedStaysOpen(t *testing.T) {
	for _, size := range []int{10, keepWhole + 1000} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			k := newKernel(t)
			k.put("f", strings.Repeat("x", size))
			fh := k.openFile("f", syscall.O_RDWR)
			k.must(k.unlink("f"), "unlink", "f")
			if _, st := k.stat("f"); st != fuse.ENOENT {
				t.Errorf("stat after unlink: %v", st)
			}
			var out fuse.AttrOut
			k.must(k.f.GetAttr(nil, &fuse.GetAttrIn{InHeader: header(k.open[fh])}, &out), "fstat", "f")
			if out.Nlink != 0 || out.Size != uint64(size) {
				t.Errorf("fstat after unlink: nlink %d, size %d", out.Nlink, out.Size)
			}
			if got := k.read(fh, int64(size-4), 10); got != "xxxx" {
				t.Errorf("read after unlink: %q", got)
			}
			k.write(fh, 0, "still writable")
			if got := k.read(fh, 0, 14); got[:10] != "still writable"[:10] {
				t.Errorf("read back after unlink: %q", got)
			}
			k.close(fh)
			k.forgetNameless()
			if err := k.f.ns.Drain(t.Context()); err != nil {
				t.Fatal(err)
			}
			if keys := k.keys(); len(keys) != 0 {
				t.Errorf("S3 still has %q", keys)
			}
		})
	}
}

func TestRenameOverOpen(t *testing.T) {
	k := newKernel(t)
	k.put("target", "old")
	fh := k.openFile("target", syscall.O_RDONLY)
	k.put("tmp", "new")
	k.must(k.rename("tmp", "target", 0), "rename", "tmp")
	if got := k.read(fh, 0, 10); got != "old" {
		t.Errorf("the old handle reads %q", got)
	}
	if got := k.cat("target"); got != "new" {
		t.Errorf("the name reads %q", got)
	}
	k.close(fh)
	k.wantObject("target", "new")
	k.wantNoObject("tmp")
}

// Renamed before close: one PUT of the bytes under the new name, and no copy.
func TestRenameUnsaved(t *testing.T) {
	k := newKernel(t)
	k.put("target", "old")
	fh := k.create("tmp", syscall.O_WRONLY|syscall.O_EXCL)
	k.write(fh, 0, "new")
	k.srv.Reset()
	k.must(k.rename("tmp", "target", 0), "rename", "tmp")
	if got := k.cat("target"); got != "new" {
		t.Errorf("the new name reads %q before the close", got)
	}
	k.close(fh)
	k.wantObject("target", "new")
	k.wantNoObject("tmp")
	if puts, copies := k.requests("PutObject"), k.requests("CopyObject"); puts != 1 || copies != 0 {
		t.Errorf("%d PutObject and %d CopyObject, want one and none", puts, copies)
	}
}

func TestRenameFlags(t *testing.T) {
	k := newKernel(t)
	k.put("a", "A")
	k.put("b", "B")
	errnoIs(t, k.rename("a", "b", renameNoReplace), syscall.EEXIST, "RENAME_NOREPLACE onto a name")
	errnoIs(t, k.rename("a", "b", 4), syscall.EINVAL, "RENAME_WHITEOUT")
	k.must(k.rename("a", "c", renameNoReplace), "rename", "a")
	k.wantObject("c", "A")
	k.must(k.mkdir("d"), "mkdir", "d")
	k.must(k.mkdir("e"), "mkdir", "e")
	const exchange = 2 // RENAME_EXCHANGE
	for _, pair := range [][2]string{{"b", "c"}, {"b", "d"}, {"d", "b"}, {"d", "e"}} {
		errnoIs(t, k.rename(pair[0], pair[1], exchange), syscall.EINVAL, fmt.Sprintf("RENAME_EXCHANGE of %q", pair))
	}
	k.wantObject("b", "B")
	k.wantObject("c", "A")
}

func TestLinkIsRefused(t *testing.T) {
	k := newKernel(t)
	k.put("a", "A")
	id, st := k.lookup("a")
	k.must(st, "lookup", "a")
	in := &fuse.LinkIn{InHeader: header(fuse.FUSE_ROOT_ID), Oldnodeid: id}
	errnoIs(t, k.f.Link(nil, in, "b", &fuse.EntryOut{}), syscall.EPERM, "link")
	k.wantNoObject("b")
}

func TestRenameDirectory(t *testing.T) {
	k := newKernel(t)
	k.must(k.mkdir("d"), "mkdir", "d")
	k.must(k.mkdir("d/sub"), "mkdir", "d/sub")
	k.put("d/a", "A")
	k.put("d/sub/b", "B")
	open := k.openFile("d/sub/b", syscall.O_RDONLY)
	unsaved := k.create("d/c", syscall.O_WRONLY)
	k.write(unsaved, 0, "C")
	k.must(k.rename("d", "e", 0), "rename", "d")
	if got := k.ls("/"); !slices.Equal(got, []string{"e"}) {
		t.Errorf("ls /: %q", got)
	}
	if got := k.ls("e"); !slices.Equal(got, []string{"a", "c", "sub"}) {
		t.Errorf("ls e: %q", got)
	}
	if got := k.read(open, 0, 10); got != "B" {
		t.Errorf("a handle of before reads %q", got)
	}
	k.close(open)
	k.write(unsaved, 1, "more")
	k.close(unsaved)
	k.wantObject("e/a", "A")
	k.wantObject("e/sub/b", "B")
	k.wantObject("e/c", "Cmore")
	for _, key := range k.keys() {
		if strings.HasPrefix(key, "d/") {
			t.Errorf("S3 still has %q", key)
		}
	}
}

func TestDirectories(t *testing.T) {
	k := newKernel(t)
	k.must(k.mkdir("d"), "mkdir", "d")
	errnoIs(t, k.mkdir("d"), syscall.EEXIST, "mkdir of what is there")
	k.put("d/f", "x")
	errnoIs(t, k.rmdir("d"), syscall.ENOTEMPTY, "rmdir of a directory with a file")
	errnoIs(t, k.unlink("d"), syscall.EISDIR, "unlink of a directory")
	errnoIs(t, k.rmdir("d/f"), syscall.ENOTDIR, "rmdir of a file")
	k.must(k.unlink("d/f"), "unlink", "d/f")
	if got := k.ls("d"); len(got) != 0 {
		t.Errorf("ls d: %q", got)
	}
	if got := remount(t, k.srv).ls("/"); !slices.Equal(got, []string{"d"}) {
		t.Errorf("another mount lists %q", got)
	}
	k.must(k.rmdir("d"), "rmdir", "d")
	if err := k.f.drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if keys := k.keys(); len(keys) != 0 {
		t.Errorf("S3 still has %q", keys)
	}
}

func TestLsManyThroughSmallBuffers(t *testing.T) {
	k := newKernel(t)
	k.srv.SeedN(testBucket, "d/f%05d", 2500, []byte("x"))
	names := k.ls("d")
	if len(names) != 2500 || names[0] != "f00000" || names[2499] != "f02499" {
		t.Errorf("%d names, first %q, last %q", len(names), names[0], names[len(names)-1])
	}
}

func TestReadOnly(t *testing.T) {
	k := newKernel(t, func(o *Options) { o.ReadOnly = true })
	k.srv.PutObject(testBucket, "f", []byte("x"), nil)
	if _, st := k.tryCreate("g", syscall.O_WRONLY); st != fuse.EROFS {
		t.Errorf("create: %v", st)
	}
	if _, st := k.tryOpen("f", syscall.O_WRONLY); st != fuse.EROFS {
		t.Errorf("open for writing: %v", st)
	}
	errnoIs(t, k.unlink("f"), syscall.EROFS, "unlink")
	errnoIs(t, k.mkdir("d"), syscall.EROFS, "mkdir")
	errnoIs(t, k.rename("f", "g", 0), syscall.EROFS, "rename")
	errnoIs(t, k.setattr("f", fuse.SetAttrIn{SetAttrInCommon: fuse.SetAttrInCommon{Valid: fuse.FATTR_MODE, Mode: 0o600}}), syscall.EROFS, "chmod")
	if got := k.cat("f"); got != "x" {
		t.Errorf("read %q", got)
	}
}

func TestAttributesComeBack(t *testing.T) {
	k := newKernel(t)
	k.put("f", "x")
	in := fuse.SetAttrIn{SetAttrInCommon: fuse.SetAttrInCommon{
		Valid: fuse.FATTR_MODE | fuse.FATTR_UID | fuse.FATTR_GID | fuse.FATTR_MTIME,
		Mode:  0o4751, Owner: fuse.Owner{Uid: 12, Gid: 34}, Mtime: 1_500_000_000, Mtimensec: 123456789,
	}}
	k.must(k.setattr("f", in), "setattr", "f")
	check := func(k *kernel, where string) {
		t.Helper()
		a, st := k.stat("f")
		if st != fuse.OK || a.Mode != syscall.S_IFREG|0o4751 || a.Uid != 12 || a.Gid != 34 || a.Mtime != 1_500_000_000 || a.Mtimensec != 123456789 {
			t.Errorf("%s: %v %o %d:%d %d.%09d", where, st, a.Mode, a.Uid, a.Gid, a.Mtime, a.Mtimensec)
		}
	}
	check(k, "at once")
	if err := k.f.drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	check(k, "after drain")
	check(remount(t, k.srv), "on another mount")
	if got := k.cat("f"); got != "x" {
		t.Errorf("read %q", got)
	}
}

// Attributes that are set while the file is open ride on its PUT.
func TestAttributesRideOnThePut(t *testing.T) {
	k := newKernel(t)
	fh := k.create("f", syscall.O_WRONLY)
	k.write(fh, 0, "x")
	k.must(k.setattr("f", fuse.SetAttrIn{SetAttrInCommon: fuse.SetAttrInCommon{Valid: fuse.FATTR_MODE, Mode: 0o600}}), "chmod", "f")
	k.close(fh)
	if err := k.f.drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if puts, copies := k.requests("PutObject"), k.requests("CopyObject"); puts != 1 || copies != 0 {
		t.Errorf("%d PutObject and %d CopyObject, want one and none", puts, copies)
	}
	if a, _ := remount(t, k.srv).stat("f"); a.Mode&0o7777 != 0o600 {
		t.Errorf("mode on another mount: %o", a.Mode)
	}
}

func TestSymlink(t *testing.T) {
	k := newKernel(t)
	h := header(rootID)
	var out fuse.EntryOut
	k.must(k.f.Symlink(nil, &h, "some/where", "link", &out), "symlink", "link")
	k.refs[out.NodeId]++
	for _, m := range []*kernel{k, remount(t, k.srv)} {
		a, st := m.stat("link")
		if st != fuse.OK || a.Mode&syscall.S_IFMT != syscall.S_IFLNK || a.Size != uint64(len("some/where")) {
			t.Errorf("stat: %v, mode %o, size %d", st, a.Mode, a.Size)
		}
		id, _ := m.lookup("link")
		h := header(id)
		if target, st := m.f.Readlink(nil, &h); st != fuse.OK || string(target) != "some/where" {
			t.Errorf("readlink: %v %q", st, target)
		}
	}
}

// cp of a large file moves no bytes: copy_file_range is done in S3.
func TestCopyFileRangeInS3(t *testing.T) {
	k := newKernel(t)
	const size = 40 << 20
	k.srv.PutRepeated(testBucket, "big", []byte("0123456789abcdef"), size, nil)
	from := k.openFile("big", syscall.O_RDONLY)
	to := k.create("copy", syscall.O_WRONLY)
	for off := uint64(0); off < size; {
		n, st := k.f.CopyFileRange(nil, &fuse.CopyFileRangeIn{
			InHeader: header(k.open[from]), FhIn: from, OffIn: off, NodeIdOut: k.open[to], FhOut: to, OffOut: off, Len: 16 << 20,
		})
		k.must(st, "copy_file_range", "big")
		off += uint64(n)
	}
	if a, _ := k.stat("copy"); a.Size != size {
		t.Errorf("size before the close: %d", a.Size)
	}
	k.close(from)
	k.close(to)
	body, _, _ := k.srv.Object(testBucket, "copy")
	if len(body) != size || string(body[size-16:]) != "0123456789abcdef" {
		t.Errorf("the copy has %d bytes, want %d", len(body), size)
	}
	if n := k.requests("UploadPart") + k.requests("PutObject"); n != 0 {
		t.Errorf("%d requests sent bytes, want none", n)
	}
}

func TestCopyFileRangeFallsBack(t *testing.T) {
	k := newKernel(t)
	k.put("small", "x")
	k.srv.PutRepeated(testBucket, "big", []byte("x"), 6<<20, nil)
	to := k.create("to", syscall.O_WRONLY)
	k.write(to, 0, "already something here")
	for _, name := range []string{"small", "big"} {
		from := k.openFile(name, syscall.O_RDONLY)
		_, st := k.f.CopyFileRange(nil, &fuse.CopyFileRangeIn{
			InHeader: header(k.open[from]), FhIn: from, NodeIdOut: k.open[to], FhOut: to, Len: 16 << 20,
		})
		errnoIs(t, st, syscall.EOPNOTSUPP, "copy_file_range of "+name)
		k.close(from)
	}
	k.close(to)
	k.wantObject("to", "already something here")
}

// S3 takes keys of UTF-8 only: that shows where the name is made, not at close.
func TestNamesOfUTF8Only(t *testing.T) {
	k := newKernel(t)
	k.put("f", "x")
	const bad = "caf\xe9"
	_, st := k.tryCreate(bad, syscall.O_WRONLY)
	errnoIs(t, st, syscall.EILSEQ, "create")
	errnoIs(t, k.mkdir(bad), syscall.EILSEQ, "mkdir")
	errnoIs(t, k.rename("f", bad, 0), syscall.EILSEQ, "rename")
	if got := k.ls("/"); !slices.Equal(got, []string{"f"}) {
		t.Errorf("ls: %q", got)
	}
}

// P3: of two creators one wins, unless the other means to replace what is there;
// the loser then sees the winner's file.
func TestCreateBesideAnother(t *testing.T) {
	for flags, want := range map[uint32]string{syscall.O_EXCL: "theirs", syscall.O_APPEND: "theirs", syscall.O_TRUNC: "mine"} {
		k := newKernel(t)
		fh := k.create("lock", syscall.O_WRONLY|flags)
		k.write(fh, 0, "mine")
		k.srv.PutObject(testBucket, "lock", []byte("theirs"), nil)
		if st := k.flush(fh); want == "theirs" {
			errnoIs(t, st, syscall.ESTALE, "close")
		} else {
			k.must(st, "close", "lock")
		}
		k.release(fh)
		k.wantObject("lock", want)
		if got := k.cat("lock"); got != want {
			t.Errorf("flags %#x: the mount reads %q, want %q", flags, got, want)
		}
	}
}
