package disk

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestStaysInLimit(t *testing.T) {
	dir := t.TempDir()
	const limit = 32 << 20
	d := openTest(t, dir, limit)
	rnd := rand.New(rand.NewPCG(1, 1))
	for i := range int64(1500) {
		size := 1 + rnd.Int64N(BlockSize)
		key := fmt.Sprint(i)
		d.Write(key, "e", size, 0, blockOf(i, size, 0))
		if !holds(t, d, key, i, size, 0) {
			t.Fatalf("file %d was not kept", i)
		}
		if d.Used() > limit {
			t.Fatalf("%d bytes used after %d files", d.Used(), i)
		}
	}
	counted(t, d)
	if d.Used() < limit/2 {
		t.Errorf("only %d bytes are used", d.Used())
	}
	closeTest(t, d)
	var total int64
	for _, path := range cacheFiles(t, dir, "") {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		total += info.Size()
	}
	if total > limit+limit/4 { // the indexes are counted in pages that are partly holes
		t.Errorf("%d bytes of files", total)
	}
}

func TestEvictsLeastRecentlyUsed(t *testing.T) {
	d := openTest(t, t.TempDir(), 16<<20)
	const size = BlockSize
	write := func(i int) { d.Write(fmt.Sprint(i), "e", size, 0, blockOf(int64(i), size, 0)) }
	has := func(i int) bool {
		there, _ := d.Run(fmt.Sprint(i), "e", size, 0, 1)
		return there
	}
	for i := range 100 {
		write(i)
	}
	// The time of the last use is as exact as a second: make it older.
	for _, path := range cacheFiles(t, d.o.Dir, indexEnd) {
		if err := os.Chtimes(path, time.Time{}, time.Now().Add(-time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	d.mu.Lock()
	for e := d.recent.Front(); e != nil; e = e.Next() {
		clear(e.Value.(*file).touched)
	}
	d.mu.Unlock()
	for i := range 20 {
		holds(t, d, fmt.Sprint(i), int64(i), size, 0)
	}
	for i := 100; i < 140; i++ {
		write(i)
	}
	kept := 0
	for i := range 140 {
		if i < 20 || i >= 100 {
			if !has(i) {
				t.Errorf("%d was used lately and is gone", i)
			}
		} else if has(i) {
			kept++
		}
	}
	if kept == 80 || kept == 0 {
		t.Errorf("%d of 80 old ones are there", kept)
	}
	counted(t, d)
	closeTest(t, d)
}

// TestLargeVersion checks that a version that is larger than the cache is evicted by
// extents, so that its latest part stays.
func TestLargeVersion(t *testing.T) {
	const limit = 32 << 20
	d := openTest(t, t.TempDir(), limit)
	const size = 1 << 30
	for i := range int64(600) {
		d.Write("k", "e", size, i, blockOf(1, size, i))
		if d.Used() > limit {
			t.Fatalf("%d bytes used after %d blocks", d.Used(), i)
		}
		if !holds(t, d, "k", 1, size, i) {
			t.Fatalf("block %d was not kept", i)
		}
	}
	there := 0
	for i := range int64(600) {
		if holds(t, d, "k", 1, size, i) {
			there++
		}
	}
	t.Logf("%d of 600 blocks are there", there)
	if there < 100 || there > limit/BlockSize {
		t.Errorf("%d blocks are there", there)
	}
	counted(t, d)
	closeTest(t, d)
}

// TestKeepsMappings checks that the bytes of a closed but still mapped file do not change
// when its version is evicted.
func TestKeepsMappings(t *testing.T) {
	const size = largeVersion
	d := openTest(t, t.TempDir(), size+extentSize)
	for i := range int64(size / BlockSize) {
		d.Write("k", "e", size, i, blockOf(1, size, i))
	}
	f := d.File("k", "e", size)
	if f == nil {
		t.Fatal("no file of a version that is all there")
	}
	// The kernel opens the file once more, without the lock.
	again, err := os.Open(fmt.Sprintf("/proc/self/fd/%d", f.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	mapped, err := unix.Mmap(int(again.Fd()), 0, size, unix.PROT_READ, unix.MAP_SHARED)
	if err := errors.Join(err, again.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
	for i := range int64(3 * extentBlocks) {
		d.Write(fmt.Sprint(i), "e", BlockSize, 0, blockOf(2, BlockSize, 0))
	}
	if _, run := d.Run("k", "e", size, 0, size/BlockSize); run == size/BlockSize && d.File("k", "e", size) != nil {
		t.Fatal("nothing was evicted")
	}
	for i := range int64(size / BlockSize) {
		if !bytes.Equal(mapped[i*BlockSize:(i+1)*BlockSize], blockOf(1, size, i)) {
			t.Fatalf("block %d of the mapping has changed", i)
		}
	}
	if err := unix.Munmap(mapped); err != nil {
		t.Error(err)
	}
	counted(t, d)
	closeTest(t, d)
}

// TestLeavesSpaceFree checks that several mounts together leave MinFree free, also when
// other programs fill the disk.
func TestLeavesSpaceFree(t *testing.T) {
	const minFree, size = 50 << 20, 64 << 20
	dir := t.TempDir()
	free := int64(minFree + freeMargin + 8<<20) // before the first block
	var disks []*Cache
	for range 4 {
		d := openTest(t, dir, size, func(o *Options) { o.MinFree = minFree })
		d.avail = func() int64 { return free - d.Used() }
		disks = append(disks, d)
	}
	for i := range int64(200) {
		d := disks[i%4]
		d.Write(fmt.Sprint(i), "e", BlockSize, 0, blockOf(i, BlockSize, 0))
		if left := free - d.Used(); left < minFree+freeMargin {
			t.Fatalf("%d bytes left free after %d blocks", left, i)
		}
	}
	if used := disks[0].Used(); used < 6<<20 {
		t.Errorf("%d bytes used where there is room", used)
	}
	free -= 1 << 30
	for i := range int64(8) {
		disks[i%4].Write(fmt.Sprint("more", i), "e", BlockSize, 0, blockOf(i, BlockSize, 0))
	}
	if n := len(cacheFiles(t, dir, dataEnd)); n != 0 || disks[0].Used() != 0 {
		t.Errorf("%d files, %d bytes used on a full disk", n, disks[0].Used())
	}
	for _, d := range disks {
		closeTest(t, d)
	}
}
