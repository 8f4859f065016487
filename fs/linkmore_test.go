package fs

import (
	"net/http"
	"strings"
	"syscall"
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/s3mount/s3mount/s3"
	"github.com/s3mount/s3mount/s3/s3test"
)

// copyRange copies a whole file as cp and the kernel do: inside S3, or by
// reading and writing where that is refused. It tells which.
func (k *kernel) copyRange(from, to string, size int) (inside bool) {
	k.t.Helper()
	in := k.openFile(from, syscall.O_RDONLY)
	out := k.openFile(to, syscall.O_WRONLY|syscall.O_TRUNC)
	n, st := k.f.CopyFileRange(nil, &fuse.CopyFileRangeIn{
		InHeader: header(k.open[in]), FhIn: in, NodeIdOut: k.open[out], FhOut: out, Len: uint64(size),
	})
	if inside = st == fuse.OK; !inside {
		if st != fuse.ENOTSUP {
			k.t.Fatalf("copy_file_range onto %s: %v", to, st)
		}
		const piece = 1 << 20
		for off := 0; off < size; off += piece {
			k.write(out, int64(off), k.read(in, int64(off), min(piece, size-off)))
		}
	} else if int(n) != size {
		k.t.Errorf("copied %d of %d", n, size)
	}
	k.close(out)
	k.close(in)
	return inside
}

// What is copied onto one name reaches all names, by way of the program, since
// of several names only the version that was opened is replaced; what is copied
// from one name is a file of its own, and moves no bytes.
func TestCopyRangeOfLinks(t *testing.T) {
	t.Parallel()
	k := newKernel(t)
	first, second := strings.Repeat("1", s3.MinPartSize), strings.Repeat("2", s3.MinPartSize+10)
	k.put("big", first)
	k.put("a", "small")
	k.put("other", "x")
	k.must(k.link("a", "b"), "link", "b")
	k.copyRange("big", "b", len(first))
	k.wantLinks(2, first, "a", "b")
	k.wantLinks(1, first, "big")

	k.put("big", second)
	k.copyRange("big", "a", len(second)) // also over what is as large as a part
	k.wantLinks(2, second, "a", "b")

	if !k.copyRange("b", "other", len(second)) {
		t.Error("a copy from one of several names moved bytes")
	}
	k.wantLinks(1, second, "other")
	k.wantLinks(2, second, "a", "b")
	k.unmount()
	again := remount(t, k.srv)
	again.wantLinks(2, second, "a", "b")
	again.wantLinks(1, second, "other")
}

// A change of attributes that reached some names only, since S3 refused a copy,
// is brought to the others by the next try.
func TestAttributesOfLinksAgain(t *testing.T) {
	t.Parallel()
	faults := s3test.NewFaults()
	srv := s3test.NewServer(t, s3test.Options{Faults: faults, Buckets: []string{testBucket}})
	k := remount(t, srv)
	k.put("a", "bytes")
	k.must(k.link("a", "b"), "link", "b")
	k.must(k.link("a", "c"), "link", "c")
	onto := func(key string) func(*http.Request) bool {
		return func(r *http.Request) bool {
			return r.Header.Get("X-Amz-Copy-Source") != "" && strings.HasSuffix(r.URL.Path, "/"+key)
		}
	}
	faults.Add(s3test.Rule{Match: onto("c"), Fault: s3test.Answer(403, "AccessDenied")})
	k.chmod("b", 0o640)
	id, st := k.lookup("b")
	k.must(st, "lookup", "b")
	n := k.f.inodes.get(id)
	if err := k.f.flushAttrs(t.Context(), n); err == nil {
		t.Fatal("attributes were saved under all names though one copy was refused")
	}
	if err := k.f.commit(t.Context(), n); err != nil { // as fsync does
		t.Fatal(err)
	}
	for _, key := range []string{"a", "b", "c"} {
		_, meta, _ := srv.Object(testBucket, key)
		if want := "33184"; meta["mode"] != want { // 0100640
			t.Errorf("%s has mode %s, want %s", key, meta["mode"], want)
		}
	}
	k.wantLinks(3, "bytes", "a", "b", "c")
	k.unmount()
	again := remount(t, srv)
	again.wantLinks(3, "bytes", "a", "b", "c")
	for _, p := range []string{"a", "b", "c"} {
		if a, _ := again.stat(p); a.Mode&0o777 != 0o640 {
			t.Errorf("%s has mode %o after the next mount", p, a.Mode)
		}
	}
}

// A directory that holds some of the names moves: the file keeps all of them.
func TestRenameDirectoryOfLinks(t *testing.T) {
	t.Parallel()
	k := newKernel(t)
	k.must(k.mkdir("d"), "mkdir", "d")
	k.put("a", "bytes")
	k.must(k.link("a", "d/b"), "link", "d/b")
	k.must(k.link("a", "d/c"), "link", "d/c")
	fh := k.openFile("d/b", syscall.O_WRONLY|syscall.O_APPEND)
	k.write(fh, 0, "+1")
	k.must(k.rename("d", "e", 0), "rename", "d")
	k.write(fh, 0, "+2")
	k.close(fh)
	k.wantLinks(3, "bytes+1+2", "a", "e/b", "e/c")
	fh = k.openFile("a", syscall.O_WRONLY|syscall.O_TRUNC)
	k.write(fh, 0, "later")
	k.close(fh)
	k.wantLinks(3, "later", "a", "e/b", "e/c")
	k.unmount()
	again := remount(t, k.srv)
	again.wantLinks(3, "later", "a", "e/b", "e/c")
	again.must(again.unlink("a"), "unlink", "a")
	again.wantLinks(2, "later", "e/b", "e/c")
}
