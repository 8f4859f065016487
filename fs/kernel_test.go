package fs

import (
	"context"
	"log/slog"
	"path"
	"slices"
	"sort"
	"strings"
	"syscall"
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/s3mount/s3mount/s3"
	"github.com/s3mount/s3mount/s3/s3test"
)

// kernel sends a filesystem the requests that Linux would, without a mount: it
// keeps references and handles, and gives them all back at the end.
type kernel struct {
	t    testing.TB
	f    *filesystem
	srv  *s3test.Server
	refs map[uint64]uint64 // nodeid: lookups
	open map[uint64]uint64 // fh: nodeid
}

const testBucket = "b"

// newKernel mounts a fresh bucket, and holds the filesystem to its invariants
// when the test ends.
func newKernel(t testing.TB, change ...func(*Options)) *kernel {
	t.Helper()
	srv := s3test.NewServer(t, s3test.Options{})
	srv.CreateBucket(testBucket)
	return remount(t, srv, change...)
}

// remount mounts the bucket of srv, also beside another mount of it.
func remount(t testing.TB, srv *s3test.Server, change ...func(*Options)) *kernel {
	t.Helper()
	return mountOn(t, srv, srv.Client(), change...)
}

// mountOn mounts the bucket of srv with a client of the test's own.
func mountOn(t testing.TB, srv *s3test.Server, client *s3.Client, change ...func(*Options)) *kernel {
	t.Helper()
	o := DefaultOptions()
	o.Bucket, o.StateDir = testBucket, t.TempDir()
	o.Logger = slog.New(slog.DiscardHandler)
	for _, c := range change {
		c(&o)
	}
	if err := o.Validate(); err != nil {
		t.Fatal(err)
	}
	f, err := newFilesystem(client, o)
	if err != nil {
		t.Fatal(err)
	}
	k := &kernel{t: t, f: f, srv: srv, refs: map[uint64]uint64{}, open: map[uint64]uint64{}}
	t.Cleanup(k.unmount)
	return k
}

func (k *kernel) unmount() {
	if k.f == nil {
		return
	}
	for fh := range k.open {
		k.release(fh)
	}
	if err := k.f.drain(context.Background()); err != nil {
		k.t.Errorf("drain: %v", err)
	}
	k.f.inodes.forgetAll()
	k.f.watching.Wait()
	if s := k.f.writes.Stats(); s.Files != 0 || s.Dirty != 0 || s.Memory != 0 || s.Uploads != 0 || s.InFlight != 0 {
		k.t.Errorf("gauges of writeback at unmount: %+v", s)
	}
	if n := k.f.reads.Stats().Readers; n != 0 {
		k.t.Errorf("%d readers are left at unmount", n)
	}
	if err := k.f.close(); err != nil {
		k.t.Errorf("close: %v", err)
	}
	k.f.inodes.check(k.t)
	if live := len(k.f.inodes.byID); live != 1 {
		k.t.Errorf("%d inodes are left at unmount, want the root only", live)
	}
	if open := k.f.handles.open(); open != 0 {
		k.t.Errorf("%d handles are left at unmount", open)
	}
	k.f = nil
}

// forgetNameless gives the nodes back that have lost their names, as Linux does once
// no program has them open, and waits until their content is released.
func (k *kernel) forgetNameless() {
	for id, refs := range k.refs {
		if n := k.f.inodes.get(id); n != nil && n.gone() && !n.isOpen() {
			k.f.Forget(id, refs)
			delete(k.refs, id)
		}
	}
	k.f.watching.Wait()
}

func header(id uint64) fuse.InHeader { return fuse.InHeader{NodeId: id} }

// lookup resolves a path from the root, as the kernel does without a dentry cache.
func (k *kernel) lookup(p string) (uint64, fuse.Status) {
	id := uint64(rootID)
	for _, name := range strings.Split(strings.Trim(p, "/"), "/") {
		if name == "" {
			continue
		}
		h := header(id)
		var out fuse.EntryOut
		if st := k.f.Lookup(nil, &h, name, &out); st != fuse.OK {
			return 0, st
		}
		if out.NodeId == 0 {
			return 0, fuse.ENOENT
		}
		k.refs[out.NodeId]++
		id = out.NodeId
	}
	return id, fuse.OK
}

func (k *kernel) must(st fuse.Status, op, p string) {
	k.t.Helper()
	if st != fuse.OK {
		k.t.Fatalf("%s %s: %v", op, p, syscall.Errno(st))
	}
}

// parent resolves the directory of p.
func (k *kernel) parent(p string) (uint64, string) {
	k.t.Helper()
	id, st := k.lookup(path.Dir("/" + p))
	k.must(st, "lookup", path.Dir(p))
	return id, path.Base(p)
}

func (k *kernel) tryCreate(p string, flags uint32) (uint64, fuse.Status) {
	k.t.Helper()
	dir, name := k.parent(p)
	var out fuse.CreateOut
	st := k.f.Create(nil, &fuse.CreateIn{InHeader: header(dir), Flags: flags, Mode: 0o644}, name, &out)
	if st == fuse.OK {
		k.refs[out.NodeId]++
		k.open[out.Fh] = out.NodeId
	}
	return out.Fh, st
}

func (k *kernel) create(p string, flags uint32) uint64 {
	k.t.Helper()
	fh, st := k.tryCreate(p, flags)
	k.must(st, "create", p)
	return fh
}

func (k *kernel) tryOpen(p string, flags uint32) (uint64, fuse.Status) {
	for again := false; ; again = true {
		id, st := k.lookup(p)
		if st != fuse.OK {
			return 0, st
		}
		var out fuse.OpenOut
		st = k.f.Open(nil, &fuse.OpenIn{InHeader: header(id), Flags: flags}, &out)
		if st == fuse.Status(syscall.ESTALE) && !again {
			continue // path_openat of the kernel: once more, with LOOKUP_REVAL
		}
		if st != fuse.OK {
			return 0, st
		}
		k.open[out.Fh] = id
		return out.Fh, fuse.OK
	}
}

func (k *kernel) openFile(p string, flags uint32) uint64 {
	k.t.Helper()
	fh, st := k.tryOpen(p, flags)
	k.must(st, "open", p)
	return fh
}

func (k *kernel) write(fh uint64, off int64, data string) {
	k.t.Helper()
	n, st := k.f.Write(nil, &fuse.WriteIn{InHeader: header(k.open[fh]), Fh: fh, Offset: uint64(off)}, []byte(data))
	k.must(st, "write", "")
	if int(n) != len(data) {
		k.t.Fatalf("write: %d bytes of %d", n, len(data))
	}
}

func (k *kernel) tryRead(fh uint64, off int64, size int) (string, fuse.Status) {
	buf := make([]byte, size)
	res, st := k.f.Read(nil, &fuse.ReadIn{InHeader: header(k.open[fh]), Fh: fh, Offset: uint64(off), Size: uint32(size)}, buf)
	if st != fuse.OK {
		return "", st
	}
	defer res.Done()
	data, st := res.Bytes(make([]byte, size))
	return string(data), st
}

func (k *kernel) read(fh uint64, off int64, size int) string {
	k.t.Helper()
	s, st := k.tryRead(fh, off, size)
	k.must(st, "read", "")
	return s
}

func (k *kernel) flush(fh uint64) fuse.Status {
	return k.f.Flush(nil, &fuse.FlushIn{InHeader: header(k.open[fh]), Fh: fh})
}

func (k *kernel) release(fh uint64) {
	k.f.Release(nil, &fuse.ReleaseIn{InHeader: header(k.open[fh]), Fh: fh})
	delete(k.open, fh)
}

func (k *kernel) close(fh uint64) {
	k.t.Helper()
	k.must(k.flush(fh), "close", "")
	k.release(fh)
}

func (k *kernel) unlink(p string) fuse.Status {
	dir, name := k.parent(p)
	h := header(dir)
	return k.f.Unlink(nil, &h, name)
}

func (k *kernel) rmdir(p string) fuse.Status {
	dir, name := k.parent(p)
	h := header(dir)
	return k.f.Rmdir(nil, &h, name)
}

func (k *kernel) mkdir(p string) fuse.Status {
	dir, name := k.parent(p)
	var out fuse.EntryOut
	st := k.f.Mkdir(nil, &fuse.MkdirIn{InHeader: header(dir), Mode: 0o755}, name, &out)
	if st == fuse.OK {
		k.refs[out.NodeId]++
	}
	return st
}

func (k *kernel) rename(from, to string, flags uint32) fuse.Status {
	od, on := k.parent(from)
	nd, nn := k.parent(to)
	// The kernel holds dentries of both names.
	k.lookup(from)
	k.lookup(to)
	return k.f.Rename(nil, &fuse.RenameIn{InHeader: header(od), Newdir: nd, Flags: flags}, on, nn)
}

func (k *kernel) stat(p string) (fuse.Attr, fuse.Status) {
	id, st := k.lookup(p)
	if st != fuse.OK {
		return fuse.Attr{}, st
	}
	var out fuse.AttrOut
	st = k.f.GetAttr(nil, &fuse.GetAttrIn{InHeader: header(id)}, &out)
	return out.Attr, st
}

// fstat asks for the attributes of an open file, with flags of FUSE_GETATTR.
func (k *kernel) fstat(fh uint64, flags uint32) (fuse.Attr, fuse.Status) {
	var out fuse.AttrOut
	st := k.f.GetAttr(nil, &fuse.GetAttrIn{InHeader: header(k.open[fh]), Flags_: flags, Fh_: fh}, &out)
	return out.Attr, st
}

func (k *kernel) setattr(p string, in fuse.SetAttrIn) fuse.Status {
	id, st := k.lookup(p)
	if st != fuse.OK {
		return st
	}
	in.NodeId = id
	var out fuse.AttrOut
	return k.f.SetAttr(nil, &in, &out)
}

// ls lists a directory through small buffers, sorted.
func (k *kernel) ls(p string) []string {
	k.t.Helper()
	id, st := k.lookup(p)
	k.must(st, "lookup", p)
	var out fuse.OpenOut
	k.must(k.f.OpenDir(nil, &fuse.OpenIn{InHeader: header(id)}, &out), "opendir", p)
	defer k.f.ReleaseDir(&fuse.ReleaseIn{Fh: out.Fh})
	names := []string{}
	const bufSize = 512 // a few rows, so that the stream is taken up again often
	for off := uint64(0); ; {
		buf := make([]byte, bufSize)
		list := fuse.NewDirEntryList(buf, off)
		k.must(k.f.ReadDir(nil, &fuse.ReadIn{InHeader: header(id), Fh: out.Fh, Offset: off, Size: bufSize}, list), "readdir", p)
		if len(list.Bytes()) == 0 {
			break
		}
		for rest := list.Bytes(); len(rest) > 0; {
			// struct fuse_dirent: ino, off, namelen, type, name padded to 8.
			nameLen := int(rest[16]) | int(rest[17])<<8
			names = append(names, string(rest[24:24+nameLen]))
			rest = rest[(24+nameLen+7)/8*8:]
		}
		off = list.Offset
	}
	sort.Strings(names)
	for _, dots := range []string{".", ".."} {
		i := slices.Index(names, dots)
		if i < 0 {
			k.t.Errorf("ls %s: %q does not hold %q", p, names, dots)
			return names
		}
		names = slices.Delete(names, i, i+1)
	}
	return names
}

// put writes a file the way `cp` does.
func (k *kernel) put(p, data string) {
	k.t.Helper()
	fh := k.create(p, syscall.O_WRONLY|syscall.O_TRUNC)
	if data != "" {
		k.write(fh, 0, data)
	}
	k.close(fh)
}

// cat reads a whole file through one open.
func (k *kernel) cat(p string) string {
	k.t.Helper()
	fh := k.openFile(p, syscall.O_RDONLY)
	defer k.close(fh)
	var b strings.Builder
	for {
		s := k.read(fh, int64(b.Len()), 128<<10)
		if s == "" {
			return b.String()
		}
		b.WriteString(s)
	}
}

// wantObject compares what S3 holds.
func (k *kernel) wantObject(key, want string) {
	k.t.Helper()
	body, _, ok := k.srv.Object(testBucket, key)
	switch {
	case !ok:
		k.t.Errorf("S3 has no object %q", key)
	case string(body) != want:
		k.t.Errorf("object %q holds %d bytes %.40q, want %d bytes %.40q", key, len(body), body, len(want), want)
	}
}

func (k *kernel) wantNoObject(key string) {
	k.t.Helper()
	if _, _, ok := k.srv.Object(testBucket, key); ok {
		k.t.Errorf("S3 still has the object %q", key)
	}
}

// keys lists what S3 holds, but for the hints of the attribute index.
func (k *kernel) keys() []string {
	return slices.DeleteFunc(k.srv.Keys(testBucket), func(key string) bool { return strings.HasPrefix(key, ".s3mount/attrs/") })
}

// requests counts those of a kind, "" for all, but for the hints of the attribute index.
func (k *kernel) requests(kind string) int {
	n := 0
	for _, r := range k.srv.Log() {
		if (kind == "" || r.Kind == kind) && !strings.HasPrefix(r.Key, ".s3mount/attrs/") {
			n++
		}
	}
	return n
}
