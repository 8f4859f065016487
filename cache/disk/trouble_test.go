package disk

import (
	"bytes"
	"fmt"
	"log/slog"
	"math"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"
)

// TestTrouble checks that a full disk is reported once, is not written for restAfter, and
// is used again when it has room. The next error is reported again.
func TestTrouble(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		d := openTest(t, dir, 1<<30, func(o *Options) { o.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
		defer closeTest(t, d)
		write := func(index int64) bool {
			return d.Write("k", "e", 10*BlockSize, index, blockOf(1, 10*BlockSize, index))
		}
		fill := func(free int64, lines int) {
			t.Helper()
			d.o.MinFree = free
			for range 100 {
				if write(9) {
					t.Fatal("a block was kept on a full disk")
				}
				time.Sleep(restAfter / 7)
			}
			if n := bytes.Count(log.Bytes(), []byte("level=WARN")); n != lines {
				t.Errorf("%d warnings, want %d:\n%s", n, lines, &log)
			}
		}
		fill(math.MaxInt64/2, 1)
		time.Sleep(restAfter)
		if write(9) {
			t.Fatal("a block was kept on a full disk")
		}
		d.o.MinFree = 0
		if write(0) {
			t.Error("the disk was not left alone")
		}
		time.Sleep(restAfter)
		if !write(0) || !holds(t, d, "k", 1, 10*BlockSize, 0) {
			t.Error("the disk is not used again")
		}
		fill(math.MaxInt64/2, 2)
		if used := d.Used(); used != 0 && used != d.count() {
			t.Errorf("%d bytes are counted, the files say %d", used, d.count())
		}
	})
}

// TestFreesFilesOfOtherMounts checks that the files that a mount removes use no space,
// even if another mount has them open.
func TestFreesFilesOfOtherMounts(t *testing.T) {
	const size = 4 * BlockSize
	for name, remove := range map[string]func(d *Cache){
		"dropped": func(d *Cache) { d.Drop("k", "e") },
		"evicted": func(d *Cache) { d.evict(size) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			var log bytes.Buffer
			a := openTest(t, dir, 1<<30, func(o *Options) { o.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
			defer closeTest(t, a)
			b := openTest(t, dir, 1<<30)
			defer closeTest(t, b)
			for i := range int64(size / BlockSize) {
				if !a.Write("k", "e", size, i, blockOf(1, size, i)) {
					t.Fatal("a block was not kept")
				}
			}
			f := a.acquire("k", "e", size)
			defer a.release(f)
			remove(b)
			for _, file := range []int{int(f.data.Fd()), int(f.index.Fd())} {
				var st unix.Stat_t
				if err := unix.Fstat(file, &st); err != nil || st.Blocks != 0 || st.Nlink != 0 {
					t.Errorf("%d blocks of 512 bytes, %d names, error %v", st.Blocks, st.Nlink, err)
				}
			}
			if err := f.read(0, make([]byte, BlockSize)); err == nil {
				t.Error("a block that was removed is read")
			}
			if err := f.write(1, blockOf(1, size, 1)); err == nil {
				t.Error("a block is written to a file without a name")
			}
			if a.Used() != 0 || log.Len() > 0 {
				t.Errorf("%d bytes are counted; log: %s", a.Used(), &log)
			}
		})
	}
}

// TestBrokenDisk checks that a cache whose disk fails keeps and returns nothing.
func TestBrokenDisk(t *testing.T) {
	const size = 8 * BlockSize
	d := openTest(t, t.TempDir(), 1<<30)
	for i := range int64(4) {
		if !d.Write("k", "e", size, i, blockOf(1, size, i)) {
			t.Fatal("a block was not kept")
		}
	}
	for range 2 { // files that are open, and files that must be opened
		for _, e := range d.files {
			f := e.Value.(*file)
			f.data.Close()
			f.index.Close()
		}
		if d.Read("k", "e", size, 0, make([]byte, BlockSize)) {
			t.Error("a broken disk has a block")
		}
		if d.Write("k", "e", size, 5, blockOf(1, size, 5)) {
			t.Error("a broken disk keeps a block")
		}
		d.root.Close()
	}
}

func TestUnusable(t *testing.T) {
	for err, want := range map[error]bool{
		nil: false, os.ErrNotExist: false, os.ErrPermission: false, unix.ENOSPC: true, unix.EROFS: true,
		fmt.Errorf("joining: %w", &os.PathError{Op: "open", Err: unix.EDQUOT}): true,
	} {
		if got := Unusable(err); got != want {
			t.Errorf("Unusable(%v) is %v", err, got)
		}
	}
}
