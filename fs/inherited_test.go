package fs

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"
)

func TestWritesTo(t *testing.T) {
	for _, c := range []struct {
		name, info string
		want       bool
	}{
		{"open for writing", "pos:\t0\nflags:\t0100001\nmnt_id:\t29\nino:\t42\n", true},
		{"open for both", "pos:\t0\nflags:\t0100002\nmnt_id:\t29\nino:\t42\n", true},
		{"open for reading", "pos:\t0\nflags:\t0100000\nmnt_id:\t29\nino:\t42\n", false},
		{"another file", "pos:\t0\nflags:\t0100001\nmnt_id:\t29\nino:\t421\n", false},
		{"an old kernel", "pos:\t0\nflags:\t0100001\nmnt_id:\t29\n", false},
		{"nonsense", "ino:\t42\nflags:\tx\n", false},
	} {
		if got := writesTo([]byte(c.info), 42); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestHeldOpen(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "f"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	ino := st.Sys().(*syscall.Stat_t).Ino
	if !heldOpen(uint32(os.Getpid()), ino) {
		t.Error("a file that this process writes was not found; does this kernel (before 5.14) tell no inodes in fdinfo?")
	}
	if heldOpen(uint32(os.Getpid()), ino+1<<60) {
		t.Error("found an inode that nobody has open")
	}
	if heldOpen(1<<30, ino) {
		t.Error("found a file of a process that does not exist")
	}
}

// TestCloseOfWhoWroteNothing checks that the close of an inherited file by a program
// saves nothing, unless the program has or may have written data.
func TestCloseOfWhoWroteNothing(t *testing.T) {
	const writer, heir = 7, 8
	write := func(k *kernel, fh uint64, flags uint32, owner uint64) {
		in := &fuse.WriteIn{InHeader: header(k.open[fh]), Fh: fh, WriteFlags: flags, LockOwner: owner}
		_, st := k.f.Write(nil, in, []byte("text"))
		k.must(st, "write", "f")
	}
	for _, c := range []struct {
		name   string
		before func(k *kernel, fh uint64)
		saves  bool
	}{
		{"nothing written", func(*kernel, uint64) {}, true},
		{"written by another", func(k *kernel, fh uint64) { write(k, fh, fuse.WRITE_LOCKOWNER, writer) }, false},
		{"written by both", func(k *kernel, fh uint64) {
			write(k, fh, fuse.WRITE_LOCKOWNER, writer)
			write(k, fh, fuse.WRITE_LOCKOWNER, heir)
		}, true},
		{"written through the page cache", func(k *kernel, fh uint64) {
			write(k, fh, fuse.WRITE_LOCKOWNER, writer)
			write(k, fh, 0, 0)
		}, true},
		{"written by many", func(k *kernel, fh uint64) {
			for i := range uint64(maxOwners + 1) {
				write(k, fh, fuse.WRITE_LOCKOWNER, 100+i)
			}
		}, true},
		{"truncated", func(k *kernel, fh uint64) {
			write(k, fh, fuse.WRITE_LOCKOWNER, writer)
			in := &fuse.SetAttrIn{SetAttrInCommon: fuse.SetAttrInCommon{InHeader: header(k.open[fh]),
				Valid: fuse.FATTR_SIZE | fuse.FATTR_FH, Fh: fh, Size: 2}}
			k.must(k.f.SetAttr(nil, in, &fuse.AttrOut{}), "ftruncate", "f")
		}, true},
		{"allocated", func(k *kernel, fh uint64) {
			write(k, fh, fuse.WRITE_LOCKOWNER, writer)
			k.must(k.f.Fallocate(nil, &fuse.FallocateIn{InHeader: header(k.open[fh]), Fh: fh, Length: 10}), "fallocate", "f")
		}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := newKernel(t)
			fh := k.create("f", syscall.O_WRONLY)
			c.before(k, fh)
			k.must(k.f.Flush(nil, &fuse.FlushIn{InHeader: header(k.open[fh]), Fh: fh, LockOwner: heir}), "close of the heir", "f")
			if _, _, saved := k.srv.Object(testBucket, "f"); saved != c.saves {
				t.Errorf("saved: %v, want %v", saved, c.saves)
			}
			k.must(k.f.Flush(nil, &fuse.FlushIn{InHeader: header(k.open[fh]), Fh: fh, LockOwner: writer}), "close", "f")
			if _, _, saved := k.srv.Object(testBucket, "f"); !saved {
				t.Error("not saved by the close of who wrote")
			}
			k.release(fh)
		})
	}
}
