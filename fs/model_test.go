package fs

import (
	"bytes"
	"maps"
	"path"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"
	"pgregory.net/rapid"

	"github.com/s3mount/s3mount/s3/s3test"
)

// modelFile is a file or directory of the reference model.
type modelFile struct {
	dir  bool
	data []byte
}

type modelHandle struct {
	fh   uint64
	file *modelFile
}

// model is the filesystem as POSIX says it is, in memory.
type model struct {
	k     *kernel
	names map[string]*modelFile // by path; "" is the root
	open  []modelHandle
}

// Few names, so that operations meet.
var (
	modelDirs  = []string{"", "d", "d/e", "x"}
	modelNames = []string{"a", "b", "d", "e", "x"}
)

func (m *model) drawPath(t *rapid.T) string {
	dir := rapid.SampledFrom(modelDirs).Draw(t, "dir")
	return strings.TrimPrefix(path.Join(dir, rapid.SampledFrom(modelNames).Draw(t, "name")), "/")
}

// hasParent tells whether an operation on p can reach its directory.
func (m *model) hasParent(p string) bool {
	dir := path.Dir(p)
	if dir == "." {
		dir = ""
	}
	f := m.names[dir]
	return f != nil && f.dir
}

func (m *model) children(p string) []string {
	names := []string{}
	for name := range m.names {
		if dir := path.Dir("/" + name); name != "" && dir == path.Clean("/"+p) {
			names = append(names, path.Base(name))
		}
	}
	slices.Sort(names)
	return names
}

func expect(t *rapid.T, op, p string, st fuse.Status, want syscall.Errno) {
	t.Helper()
	if syscall.Errno(st) != want {
		t.Fatalf("%s %s: %v, the model says %v", op, p, syscall.Errno(st), want)
	}
}

func (m *model) create(t *rapid.T) {
	p := m.drawPath(t)
	if !m.hasParent(p) || m.names[p] != nil {
		return
	}
	flags := rapid.SampledFrom([]uint32{syscall.O_RDWR, syscall.O_RDWR | syscall.O_EXCL}).Draw(t, "flags")
	fh, st := m.k.tryCreate(p, flags)
	expect(t, "create", p, st, 0)
	f := &modelFile{}
	m.names[p] = f
	m.open = append(m.open, modelHandle{fh, f})
}

func (m *model) openFile(t *rapid.T) {
	p := m.drawPath(t)
	f := m.names[p]
	if f == nil || f.dir {
		return
	}
	flags := rapid.SampledFrom([]uint32{syscall.O_RDWR, syscall.O_RDWR | syscall.O_TRUNC}).Draw(t, "flags")
	fh, st := m.k.tryOpen(p, flags)
	expect(t, "open", p, st, 0)
	if flags&syscall.O_TRUNC != 0 {
		f.data = nil
	}
	m.open = append(m.open, modelHandle{fh, f})
}

// maxModelSize crosses several sizes of buffers; parts are tested in writeback.
const maxModelSize = 300 << 10

func (f *modelFile) write(off int, data []byte) {
	f.grow(off + len(data))
	copy(f.data[off:], data)
}

func (f *modelFile) grow(size int) {
	if size > len(f.data) {
		f.data = append(f.data, make([]byte, size-len(f.data))...)
	}
}

func (m *model) draw(t *rapid.T) *modelHandle {
	if len(m.open) == 0 {
		return nil
	}
	return &m.open[rapid.IntRange(0, len(m.open)-1).Draw(t, "handle")]
}

func (m *model) write(t *rapid.T) {
	h := m.draw(t)
	if h == nil {
		return
	}
	off := rapid.IntRange(0, maxModelSize).Draw(t, "off")
	data := bytes.Repeat([]byte{byte(rapid.IntRange('a', 'z').Draw(t, "byte"))}, rapid.IntRange(1, 150<<10).Draw(t, "size"))
	n, st := m.k.f.Write(nil, &fuse.WriteIn{InHeader: header(m.k.open[h.fh]), Fh: h.fh, Offset: uint64(off)}, data)
	expect(t, "write", "", st, 0)
	if int(n) != len(data) {
		t.Fatalf("write: %d bytes of %d", n, len(data))
	}
	h.file.write(off, data)
}

func (m *model) read(t *rapid.T) {
	h := m.draw(t)
	if h == nil {
		return
	}
	off := rapid.IntRange(0, maxModelSize).Draw(t, "off")
	size := rapid.IntRange(1, 200<<10).Draw(t, "size")
	got, st := m.k.tryRead(h.fh, int64(off), size)
	expect(t, "read", "", st, 0)
	want := h.file.data[min(off, len(h.file.data)):min(off+size, len(h.file.data))]
	if got != string(want) {
		t.Fatalf("read of %d at %d gives %d bytes, the model has %d, or they differ", size, off, len(got), len(want))
	}
}

func (m *model) truncate(t *rapid.T) {
	h := m.draw(t)
	if h == nil {
		return
	}
	size := rapid.IntRange(0, maxModelSize).Draw(t, "size")
	in := fuse.SetAttrIn{SetAttrInCommon: fuse.SetAttrInCommon{
		InHeader: header(m.k.open[h.fh]), Valid: fuse.FATTR_SIZE | fuse.FATTR_FH, Size: uint64(size), Fh: h.fh,
	}}
	var out fuse.AttrOut
	expect(t, "ftruncate", "", m.k.f.SetAttr(nil, &in, &out), 0)
	if size < len(h.file.data) {
		h.file.data = h.file.data[:size:size]
	}
	h.file.grow(size)
}

func (m *model) fsync(t *rapid.T) {
	if h := m.draw(t); h != nil {
		expect(t, "fsync", "", m.k.f.Fsync(nil, &fuse.FsyncIn{InHeader: header(m.k.open[h.fh]), Fh: h.fh}), 0)
	}
}

func (m *model) closeFile(t *rapid.T) {
	if len(m.open) == 0 {
		return
	}
	i := rapid.IntRange(0, len(m.open)-1).Draw(t, "handle")
	fh := m.open[i].fh
	expect(t, "close", "", m.k.flush(fh), 0)
	m.k.release(fh)
	m.open = slices.Delete(m.open, i, i+1)
}

func (m *model) mkdir(t *rapid.T) {
	p := m.drawPath(t)
	if !m.hasParent(p) || m.names[p] != nil {
		return
	}
	expect(t, "mkdir", p, m.k.mkdir(p), 0)
	m.names[p] = &modelFile{dir: true}
}

func (m *model) remove(t *rapid.T) {
	p := m.drawPath(t)
	f := m.names[p]
	switch {
	case f == nil:
	case f.dir && len(m.children(p)) > 0:
		expect(t, "rmdir", p, m.k.rmdir(p), syscall.ENOTEMPTY)
	case f.dir:
		expect(t, "rmdir", p, m.k.rmdir(p), 0)
		delete(m.names, p)
	default:
		expect(t, "unlink", p, m.k.unlink(p), 0)
		delete(m.names, p)
	}
}

func (m *model) rename(t *rapid.T) {
	from, to := m.drawPath(t), m.drawPath(t)
	src, dst := m.names[from], m.names[to]
	if src == nil || !m.hasParent(to) || from == to || strings.HasPrefix(to+"/", from+"/") || strings.HasPrefix(from+"/", to+"/") {
		return // the kernel does not send these
	}
	want := syscall.Errno(0)
	switch {
	case dst == nil:
	case src.dir && !dst.dir:
		want = syscall.ENOTDIR
	case !src.dir && dst.dir:
		want = syscall.EISDIR
	case dst.dir && len(m.children(to)) > 0:
		want = syscall.ENOTEMPTY
	}
	expect(t, "rename "+from, to, m.k.rename(from, to, 0), want)
	if want != 0 {
		return
	}
	for _, p := range slices.Collect(maps.Keys(m.names)) {
		if p == from || strings.HasPrefix(p, from+"/") {
			f := m.names[p]
			delete(m.names, p)
			m.names[to+strings.TrimPrefix(p, from)] = f
		}
	}
}

// check compares all names and the content of every file.
func (m *model) check(t *rapid.T) {
	for p, f := range m.names {
		if f.dir {
			if got, want := m.k.ls(p), m.children(p); !slices.Equal(got, want) {
				t.Fatalf("ls %q: %q, the model has %q", p, got, want)
			}
			continue
		}
		a, st := m.k.stat(p)
		expect(t, "stat", p, st, 0)
		if a.Size != uint64(len(f.data)) {
			t.Fatalf("%s has %d bytes, the model %d", p, a.Size, len(f.data))
		}
		if got := m.k.cat(p); got != string(f.data) {
			t.Fatalf("%s differs from the model", p)
		}
	}
}

// TestModel compares random operations with the reference model: on one
// mount, and on a second one after everything was closed.
func TestModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		srv, err := s3test.Start(s3test.Options{})
		if err != nil {
			rt.Fatal(err)
		}
		defer srv.Close()
		srv.CreateBucket(testBucket)
		// Mostly without attributes: the end of a mount that keeps them waits a
		// second, until its index cannot be mistaken about young objects.
		posix := func(o *Options) { o.Posix = "off" }
		if rapid.IntRange(1, 25).Draw(rt, "attributes at 1") == 1 {
			posix = func(*Options) {}
		}
		m := &model{k: remount(t, srv, posix), names: map[string]*modelFile{"": {dir: true}}}
		rt.Repeat(map[string]func(*rapid.T){
			"create": m.create, "open": m.openFile, "write": m.write, "read": m.read, "truncate": m.truncate,
			"fsync": m.fsync, "close": m.closeFile, "mkdir": m.mkdir, "remove": m.remove, "rename": m.rename,
			"": m.check,
		})
		for len(m.open) > 0 {
			m.closeFile(rt)
		}
		m.k.unmount()
		m.k = remount(t, srv, posix)
		m.check(rt)
		m.k.unmount()
	})
}
