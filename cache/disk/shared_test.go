package disk

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// TestCountsOnce checks that a block is stored and counted once when several mounts write
// it at the same time.
func TestCountsOnce(t *testing.T) {
	const size = 2 * BlockSize
	dir := t.TempDir()
	a, b := openTest(t, dir, 64<<20), openTest(t, dir, 64<<20)
	// Both mounts have found the block to be absent.
	a.Write("k", "e", size, 0, blockOf(1, size, 0))
	f := b.acquire("k", "e", size)
	if err := f.write(0, blockOf(1, size, 0)); !errors.Is(err, errPresent) {
		t.Errorf("a block was written twice, error %v", err)
	}
	b.release(f)
	var wg sync.WaitGroup
	for _, d := range []*Cache{a, b} {
		wg.Go(func() {
			for i := range int64(300) {
				key := fmt.Sprint(i)
				kept := d.Write(key, "e", size, i%2, blockOf(i, size, i%2))
				if i%3 == 0 {
					d.Drop(key, "e")
				} else if !kept {
					t.Errorf("block %d was not kept", i)
				}
			}
		})
	}
	wg.Wait()
	counted(t, a)
	closeTest(t, a)
	closeTest(t, b)
}

// TestCountsIncompleteVersion checks that a mount does not write into an index that has
// only a header, so that the block is counted once when the version is removed.
func TestCountsIncompleteVersion(t *testing.T) {
	const size = BlockSize
	dir := t.TempDir()
	a, b := openTest(t, dir, 64<<20), openTest(t, dir, 64<<20)
	name := a.nameOf("k", "e")
	if err := a.create(name, size, a.header("k", "e", size)); err != nil {
		t.Fatal(err)
	}
	a.usage.bytes.Add(overhead(size))
	if err := os.Truncate(filepath.Join(dir, folderName, name+indexEnd), headerSize); err != nil {
		t.Fatal(err)
	}
	if !b.Write("k", "e", size, 0, blockOf(1, size, 0)) {
		t.Error("the block was not kept")
	}
	b.Drop("k", "e")
	counted(t, a)
	closeTest(t, a)
	closeTest(t, b)
}

// TestRemovesOnlyIncompleteVersions checks that files stay that another mount creates
// while this mount removes data without an index.
func TestRemovesOnlyIncompleteVersions(t *testing.T) {
	const size = BlockSize
	dir := t.TempDir()
	a, b := openTest(t, dir, 64<<20), openTest(t, dir, 64<<20)
	var wg sync.WaitGroup
	wg.Go(func() {
		for range 300 {
			a.Write("k", "e", size, 0, blockOf(1, size, 0))
			a.Drop("k", "e")
		}
	})
	wg.Go(func() {
		for range 3000 {
			b.Drop("k", "e")
		}
	})
	wg.Wait()
	counted(t, a)
	closeTest(t, a)
	closeTest(t, b)
}

// TestIncompleteVersion checks that files that another mount has created in part are
// neither used nor taken for damaged.
func TestIncompleteVersion(t *testing.T) {
	const size = BlockSize
	dir := t.TempDir()
	a, b := openTest(t, dir, 64<<20), openTest(t, dir, 64<<20)
	making, err := a.makeAlone(true)
	if err != nil {
		t.Fatal(err)
	}
	name := a.nameOf("k", "e")
	if err := a.create(name, size, a.header("k", "e", size)); err != nil {
		t.Fatal(err)
	}
	a.usage.bytes.Add(overhead(size))
	index := filepath.Join(dir, folderName, name+indexEnd)
	whole, err := os.ReadFile(index)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []func() error{
		func() error { return os.Remove(index) },
		func() error { return os.WriteFile(index, nil, 0o600) },
		func() error { return os.WriteFile(index, whole[:headerSize], 0o600) },
	} {
		if err := part(); err != nil {
			t.Fatal(err)
		}
		if holds(t, b, "k", 1, size, 0) {
			t.Error("a block was read that was not written")
		}
		if b.count() != 0 || len(cacheFiles(t, dir, dataEnd)) != 1 {
			t.Error("an incomplete version was removed, or counted")
		}
	}
	if err := errors.Join(os.WriteFile(index, whole, 0o600), making.Close()); err != nil {
		t.Fatal(err)
	}
	if !b.Write("k", "e", size, 0, blockOf(1, size, 0)) || !holds(t, a, "k", 1, size, 0) {
		t.Error("a mount cannot use the version of the other mount")
	}
	counted(t, a)
	closeTest(t, a)
	closeTest(t, b)
}

// TestLostIndex checks that the space of a large version with an empty index is found and
// freed. A crash of the machine leaves such a version.
func TestLostIndex(t *testing.T) {
	const size = 2 * largeVersion
	for name, damage := range map[string]func(path string) error{
		"cut":    func(p string) error { return os.Truncate(p, 3) },
		"longer": func(p string) error { return os.Truncate(p, 1<<20) },
		"gone":   os.Remove,
		"a folder": func(p string) error {
			return errors.Join(os.Remove(p), os.Mkdir(p, 0o700))
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			d := openTest(t, dir, 64<<20)
			d.Write("k", "e", size, 0, blockOf(1, size, 0))
			if err := damage(cacheFiles(t, dir, indexEnd)[0]); err != nil {
				t.Fatal(err)
			}
			d.evict(BlockSize)
			if n := len(cacheFiles(t, dir, dataEnd)); n != 0 {
				t.Errorf("%d files of data are left", n)
			}
			closeTest(t, d)
		})
	}
}

// TestCounterHasSpace checks that the file of the counter has no holes. A store into a
// hole would kill the process on a full disk.
func TestCounterHasSpace(t *testing.T) {
	d := openTest(t, t.TempDir(), 64<<20)
	var st unix.Stat_t
	if err := unix.Stat(filepath.Join(d.o.Dir, folderName, "usage"), &st); err != nil || st.Blocks == 0 {
		t.Errorf("%d blocks, error %v", st.Blocks, err)
	}
	closeTest(t, d)
}

// TestCountsIndexes checks that the counter includes the index of a large object.
func TestCountsIndexes(t *testing.T) {
	const size = 64 << 30
	d := openTest(t, t.TempDir(), 64<<20)
	for e := range extents(size) / 512 {
		d.Write("k", "e", size, e*512*extentBlocks, blockOf(1, size, e*512*extentBlocks))
	}
	var real int64
	for _, path := range cacheFiles(t, d.o.Dir, "") {
		var st unix.Stat_t
		if err := unix.Stat(path, &st); err != nil {
			t.Fatal(err)
		}
		real += st.Blocks * 512
	}
	if real > d.Used()+folderBytes {
		t.Errorf("%d bytes on the disk, counted are %d", real, d.Used())
	}
	counted(t, d)
	closeTest(t, d)
}

// TestJoinsAsTheLastLeaves checks that a mount that starts while the last one closes
// removes the mark of a valid counter.
func TestJoinsAsTheLastLeaves(t *testing.T) {
	dir := t.TempDir()
	a := openTest(t, dir, 64<<20)
	b := openTest(t, dir, 64<<20)
	a.usage.clean.Store(usageClean)
	c := openTest(t, dir, 64<<20)
	if c.usage.clean.Load() == usageClean {
		t.Error("the count is marked as right while it is in use")
	}
	for _, d := range []*Cache{a, b, c} {
		closeTest(t, d)
	}
}

// TestClosesWhileItChecks checks that Close does not wait until large files are read.
func TestClosesWhileItChecks(t *testing.T) {
	const size = syncCheck + extentSize
	dir := t.TempDir()
	d := openTest(t, dir, 2*size)
	for i := range int64(size / BlockSize) {
		d.Write("k", "e", size, i, blockOf(1, size, i))
	}
	closeTest(t, d)
	d = openTest(t, dir, 2*size)
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	f := d.acquire("k", "e", size)
	all := make([]int64, size/BlockSize)
	if d.check(f, all) || f.confirmed(0) {
		t.Error("checked although the disk is closed")
	}
	d.release(f)
	closeTest(t, d)
}
