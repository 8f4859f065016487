package fs

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"
)

func (k *kernel) link(from, to string) fuse.Status {
	k.t.Helper()
	id, st := k.lookup(from)
	if st != fuse.OK {
		return st
	}
	dir, name := k.parent(to)
	var out fuse.EntryOut
	st = k.f.Link(nil, &fuse.LinkIn{InHeader: header(dir), Oldnodeid: id}, name, &out)
	if st == fuse.OK {
		k.refs[out.NodeId]++
		if out.NodeId != id {
			k.t.Errorf("link %s: nodeid %d, that of %s is %d", to, out.NodeId, from, id)
		}
	}
	return st
}

// wantLinks holds all names to one file of so many links and these bytes, in
// the mount and in S3.
func (k *kernel) wantLinks(count int, data string, names ...string) {
	k.t.Helper()
	ino := uint64(0)
	for _, p := range names {
		a, st := k.stat(p)
		k.must(st, "stat", p)
		if int(a.Nlink) != count {
			k.t.Errorf("%s has %d links, want %d", p, a.Nlink, count)
		}
		if ino != 0 && a.Ino != ino {
			k.t.Errorf("%s is another inode than %s", p, names[0])
		}
		ino = a.Ino
		if got := k.cat(p); got != data {
			k.t.Errorf("%s holds %.40q, want %.40q", p, got, data)
		}
		k.wantObject(p, data)
	}
}

func TestLink(t *testing.T) {
	t.Parallel()
	k := newKernel(t)
	k.put("a", "bytes")
	k.must(k.mkdir("d"), "mkdir", "d")
	k.must(k.link("a", "b"), "link", "b")
	k.wantLinks(2, "bytes", "a", "b")
	k.must(k.link("b", "d/c"), "link", "d/c")
	k.wantLinks(3, "bytes", "a", "b", "d/c")

	again := remount(t, k.srv)
	again.wantLinks(3, "bytes", "a", "b", "d/c")

	for _, name := range []string{"b", "a", "d/c"} {
		fh := k.openFile(name, syscall.O_WRONLY|syscall.O_APPEND)
		k.write(fh, 0, "+"+name)
		k.close(fh)
	}
	k.wantLinks(3, "bytes+b+a+d/c", "a", "b", "d/c")
	fh := k.openFile("d/c", syscall.O_WRONLY|syscall.O_TRUNC)
	k.write(fh, 0, "new")
	k.close(fh)
	k.wantLinks(3, "new", "a", "b", "d/c")
	k.unmount()
	remount(t, k.srv).wantLinks(3, "new", "a", "b", "d/c")
}

func TestLinkErrnos(t *testing.T) {
	t.Parallel()
	k := newKernel(t)
	k.put("a", "x")
	k.put("b", "y")
	k.must(k.mkdir("d"), "mkdir", "d")
	errnoIs(t, k.link("a", "b"), syscall.EEXIST, "link onto a file")
	errnoIs(t, k.link("a", "a"), syscall.EEXIST, "link onto itself")
	errnoIs(t, k.link("a", "d"), syscall.EEXIST, "link onto a directory")
	errnoIs(t, k.link("d", "e"), syscall.EPERM, "link of a directory")
	errnoIs(t, k.link("a", strings.Repeat("n", 256)), syscall.ENAMETOOLONG, "link to a long name")
	k.wantLinks(1, "x", "a")
	k.wantObject("b", "y")
	off := newKernel(t, func(o *Options) { o.HardLinks = false })
	off.put("a", "x")
	errnoIs(t, off.link("a", "b"), syscall.EPERM, "link without hard links")
	none := newKernel(t, func(o *Options) { o.Posix = "off" })
	none.put("a", "x")
	errnoIs(t, none.link("a", "b"), syscall.EPERM, "link without attributes")
}

// A name that is made between the look and the copy stays what it is.
func TestLinkOntoForeignName(t *testing.T) {
	t.Parallel()
	k := newKernel(t)
	k.put("a", "x")
	if _, st := k.lookup("b"); st != fuse.ENOENT {
		t.Fatalf("lookup b: %v", st)
	}
	k.srv.PutObject(testBucket, "b", []byte("foreign"), nil)
	errnoIs(t, k.link("a", "b"), syscall.EEXIST, "link onto a name made elsewhere")
	k.wantObject("b", "foreign")
	k.wantLinks(1, "x", "a")
}

// Every order in which two of three names can go, also while the file is open.
func TestUnlinkOfLinks(t *testing.T) {
	t.Parallel()
	for _, open := range []bool{false, true} {
		for _, gone := range [][]string{{"a", "b"}, {"b", "a"}, {"a", "c"}, {"c", "b"}} {
			t.Run(fmt.Sprint(gone, open), func(t *testing.T) {
				t.Parallel()
				k := newKernel(t)
				k.put("a", "old")
				k.must(k.link("a", "b"), "link", "b")
				k.must(k.link("a", "c"), "link", "c")
				left := []string{"a", "b", "c"}
				var fh uint64
				if open {
					fh = k.openFile("b", syscall.O_RDWR)
					k.write(fh, 0, "OLD")
				}
				want := map[bool]string{false: "old", true: "OLD"}[open]
				for i, name := range gone {
					k.must(k.unlink(name), "unlink", name)
					left = slices.DeleteFunc(left, func(s string) bool { return s == name })
					if open {
						k.must(k.flush(fh), "flush", "")
					}
					k.wantLinks(2-i, want, left...)
				}
				if open {
					k.write(fh, 3, "+more")
					if got := k.read(fh, 0, 20); got != "OLD+more" {
						t.Errorf("the handle reads %q", got)
					}
					k.close(fh)
					want = "OLD+more"
				}
				k.wantLinks(1, want, left[0])
				again := remount(t, k.srv)
				again.wantLinks(1, want, left[0])
				k.must(k.unlink(left[0]), "unlink", left[0])
				k.unmount()
				if keys := k.srv.Keys(testBucket); slices.ContainsFunc(keys, func(s string) bool { return !strings.HasPrefix(s, ".s3mount/attrs/") }) {
					t.Errorf("left in S3: %q", keys)
				}
			})
		}
	}
}

func TestRenameOfLinks(t *testing.T) {
	t.Parallel()
	k := newKernel(t)
	k.must(k.mkdir("d"), "mkdir", "d")
	k.put("a", "one")
	k.must(k.link("a", "d/b"), "link", "d/b")
	k.must(k.link("a", "c"), "link", "c")

	k.must(k.rename("c", "c2", 0), "rename", "c")
	k.wantLinks(3, "one", "a", "d/b", "c2")
	k.must(k.rename("a", "d/a", 0), "rename", "a")
	k.wantLinks(3, "one", "d/a", "d/b", "c2")
	k.must(k.rename("d/a", "d/b", 0), "rename onto another name of the same file", "d/a")
	k.wantLinks(3, "one", "d/a", "d/b", "c2")
	k.must(k.rename("d", "e", 0), "rename", "d")
	k.wantLinks(3, "one", "e/a", "e/b", "c2")
	fh := k.openFile("e/b", syscall.O_WRONLY|syscall.O_TRUNC)
	k.write(fh, 0, "two")
	k.close(fh)
	k.wantLinks(3, "two", "e/a", "e/b", "c2")

	k.put("x", "other")
	for _, name := range []string{"e/a", "e/b"} { // the name that is written, and another
		k.must(k.rename("x", name, renameExchange), "exchange", name)
		k.wantLinks(1, "other", name)
		k.wantLinks(3, "two", "x", "c2")
		k.must(k.rename(name, "x", renameExchange), "exchange back", name)
		k.wantLinks(3, "two", "e/a", "e/b", "c2")
	}
	k.must(k.rename("x", "e/b", 0), "rename over a link", "x")
	k.wantLinks(2, "two", "e/a", "c2")
	k.wantLinks(1, "other", "e/b")
	k.put("y", "third")
	k.must(k.rename("y", "e/a", 0), "rename over the name that is written", "y")
	k.wantLinks(1, "two", "c2")
	k.wantLinks(1, "third", "e/a")
	k.unmount()
	again := remount(t, k.srv)
	again.wantLinks(1, "two", "c2")
	again.wantLinks(1, "other", "e/b")
	again.wantLinks(1, "third", "e/a")
}

// Attributes are those of the file, whichever name they are set by.
func TestAttributesOfLinks(t *testing.T) {
	t.Parallel()
	k := newKernel(t)
	k.put("a", "x")
	k.must(k.link("a", "b"), "link", "b")
	k.must(k.setattr("b", fuse.SetAttrIn{SetAttrInCommon: fuse.SetAttrInCommon{Valid: fuse.FATTR_MODE, Mode: 0o4711}}), "chmod", "b")
	k.unmount()
	again := remount(t, k.srv)
	for _, name := range []string{"a", "b"} {
		if a, st := again.stat(name); st != fuse.OK || a.Mode&0o7777 != 0o4711 || a.Nlink != 2 {
			t.Errorf("%s: %v, mode %o, %d links", name, st, a.Mode, a.Nlink)
		}
	}
}

// P3: what another tool wrote under one of the names is another file, and no
// write through the other names touches it.
func TestForeignWriteOfLinks(t *testing.T) {
	t.Parallel()
	for _, foreign := range []string{"a", "b"} {
		for _, deleted := range []bool{false, true} {
			t.Run(fmt.Sprint(foreign, deleted), func(t *testing.T) {
				t.Parallel()
				k := newKernel(t, func(o *Options) { o.MetadataTTL = 0 })
				k.put("a", "shared")
				k.must(k.link("a", "b"), "link", "b")
				k.must(k.link("a", "c"), "link", "c")
				mine := map[string]string{"a": "b", "b": "a"}[foreign]
				if deleted {
					k.srv.RemoveObject(testBucket, foreign)
				} else {
					k.srv.PutObject(testBucket, foreign, []byte("foreign"), nil)
				}
				fh := k.openFile(mine, syscall.O_WRONLY|syscall.O_TRUNC)
				k.write(fh, 0, "mine")
				k.close(fh)
				k.wantLinks(2, "mine", mine, "c")
				if deleted {
					k.wantNoObject(foreign)
				} else {
					k.wantObject(foreign, "foreign")
					k.wantLinks(1, "foreign", foreign)
				}
			})
		}
	}
}

// A tool that keeps the metadata of what it overwrites is noticed, too.
func TestForeignWriteThatKeepsMetadata(t *testing.T) {
	t.Parallel()
	k := newKernel(t, func(o *Options) { o.MetadataTTL = 0 })
	k.put("a", "shared")
	k.must(k.link("a", "b"), "link", "b")
	_, meta, _ := k.srv.Object(testBucket, "b")
	k.srv.PutObject(testBucket, "b", []byte("FOREIGN"), meta)
	fh := k.openFile("a", syscall.O_WRONLY)
	k.write(fh, 0, "mine")
	k.close(fh)
	k.wantObject("a", "mineed")
	k.wantObject("b", "FOREIGN")
	k.wantLinks(1, "FOREIGN", "b")
}

// A copy that another tool made of a linked object is a file of its own.
func TestForeignCopyOfLink(t *testing.T) {
	t.Parallel()
	k := newKernel(t)
	k.put("a", "shared")
	k.must(k.link("a", "b"), "link", "b")
	body, meta, _ := k.srv.Object(testBucket, "a")
	k.srv.PutObject(testBucket, "copy", body, meta)
	k.wantLinks(1, "shared", "copy")
	fh := k.openFile("copy", syscall.O_WRONLY|syscall.O_TRUNC)
	k.write(fh, 0, "own")
	k.close(fh)
	k.wantLinks(2, "shared", "a", "b")
	k.wantLinks(1, "own", "copy")
}

// Without the option each object is a file of its own, and a write makes it so
// for other mounts, too.
func TestLinksWithoutTheOption(t *testing.T) {
	t.Parallel()
	k := newKernel(t)
	k.put("a", "shared")
	k.must(k.link("a", "b"), "link", "b")
	k.unmount()
	off := remount(t, k.srv, func(o *Options) { o.HardLinks = false })
	off.wantLinks(1, "shared", "a")
	fh := off.openFile("b", syscall.O_WRONLY)
	off.write(fh, 0, "S")
	off.close(fh)
	off.unmount()
	on := remount(t, k.srv)
	on.wantLinks(1, "Shared", "b")
	if got := on.cat("a"); got != "shared" {
		t.Errorf("a holds %q", got)
	}
}

// Files that are not linked cost what they cost without hard links.
func TestLinksCostNothing(t *testing.T) {
	t.Parallel()
	work := func(on bool) map[string]int {
		k := newKernel(t, func(o *Options) { o.HardLinks = on })
		k.must(k.mkdir("d"), "mkdir", "d")
		for i := range 20 {
			k.put(fmt.Sprintf("d/%02d", i), "data")
		}
		fh := k.openFile("d/00", syscall.O_RDWR)
		k.write(fh, 0, "D")
		k.close(fh)
		k.must(k.setattr("d/01", fuse.SetAttrIn{SetAttrInCommon: fuse.SetAttrInCommon{Valid: fuse.FATTR_MODE, Mode: 0o600}}), "chmod", "d/01")
		k.must(k.rename("d/02", "d/x", 0), "rename", "d/02")
		k.must(k.unlink("d/03"), "unlink", "d/03")
		k.unmount()
		for _, key := range k.srv.Keys(testBucket) {
			if _, meta, _ := k.srv.Object(testBucket, key); meta["s3mount-link"] != "" {
				t.Errorf("%q carries the mark of a group", key)
			}
		}
		again := remount(t, k.srv, func(o *Options) { o.HardLinks = on })
		again.ls("d")
		again.cat("d/05")
		again.stat("d/01")
		again.unmount()
		return k.srv.Requests()
	}
	with, without := work(true), work(false)
	for kind, n := range with {
		if kind != "ListObjectsV2" && n != without[kind] { // how many lists a walk needs depends on time
			t.Errorf("%d %s with hard links, %d without", n, kind, without[kind])
		}
	}
}

// What each change of links costs; fs/README.md tells the same.
func TestLinkRequests(t *testing.T) {
	t.Parallel()
	k := newKernel(t)
	k.put("a", "bytes")
	k.put("index", "") // so that the directory has its index
	k.must(k.link("index", "index2"), "link", "index2")
	for _, step := range []struct {
		name, want string
		do         func()
	}{
		// A second HEAD if that of the lookup is more than moments old.
		{"the first link", "CopyObject 2 HeadObject [12] PutObject 1", func() { k.must(k.link("a", "b"), "link", "b") }},
		{"one more", "CopyObject 1 HeadObject 1 PutObject 1", func() { k.must(k.link("b", "c"), "link", "c") }},
		{"a write", "CopyObject 2 GetObject 1 HeadObject 3 PutObject 1", func() {
			fh := k.openFile("b", syscall.O_WRONLY|syscall.O_TRUNC)
			k.write(fh, 0, "new")
			k.close(fh)
		}},
		{"a rename", "CopyObject 1 HeadObject 1 PutObject 1", func() { k.must(k.rename("b", "d", 0), "rename", "b") }},
		{"an unlink", "PutObject 1", func() { k.must(k.unlink("c"), "unlink", "c") }},
	} {
		k.srv.Reset()
		step.do()
		count := map[string]int{}
		for _, r := range k.srv.Log() {
			if !strings.HasPrefix(r.Key, ".s3mount/attrs/") && !strings.HasPrefix(r.Kind, "List") && !strings.HasPrefix(r.Kind, "Delete") {
				count[r.Kind]++
			}
		}
		var got []string
		for _, kind := range slices.Sorted(maps.Keys(count)) {
			got = append(got, fmt.Sprint(kind, " ", count[kind]))
		}
		if s := strings.Join(got, " "); !regexp.MustCompile("^" + step.want + "$").MatchString(s) {
			t.Errorf("%s: %s, want %s", step.name, s, step.want)
		}
	}
}
