package cache

import (
	"fmt"
	"testing"

	"github.com/s3mount/s3mount/cache/disk"
)

// slowDisk is a disk cache whose writes wait until gate is closed.
type slowDisk struct {
	*disk.Cache
	gate chan struct{} // closed to open it
}

func (d slowDisk) Write(key, etag string, size, index int64, p []byte) bool {
	<-d.gate
	return d.Cache.Write(key, etag, size, index, p)
}

// diskBehind returns a cache over a disk that writes nothing until catchUp is called.
// catchUp closes the cache and opens the disk again.
func diskBehind(t *testing.T, limit int64) (c *Blocks, catchUp func() *disk.Cache) {
	t.Helper()
	dir := t.TempDir()
	d := slowDisk{openDisk(t, dir), make(chan struct{})}
	c = testBlocks(limit)
	c.UseDisk(d)
	return c, func() *disk.Cache {
		close(d.gate)
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		c.check()
		d := openDisk(t, dir)
		t.Cleanup(func() {
			if err := d.Close(); err != nil {
				t.Error(err)
			}
		})
		return d
	}
}

// TestSlowDiskGetsAll checks that all blocks in memory are written when the disk is
// ready again, even if it was far behind.
func TestSlowDiskGetsAll(t *testing.T) {
	const count = 200
	c, catchUp := diskBehind(t, 64<<20)
	o := c.Object("k", "e", count*BlockSize)
	read(o, 0, count*BlockSize)
	c.check()
	o.Close()
	if there, run := catchUp().Run("k", "e", count*BlockSize, 0, count); !there || run != count {
		t.Errorf("on the disk: %v for %d blocks", there, run)
	}
}

// TestSlowDiskHoldsNoMemory checks that blocks that wait for the disk are evicted like
// others, and are then not written.
func TestSlowDiskHoldsNoMemory(t *testing.T) {
	const limit, count = 2 << 20, 10
	c, catchUp := diskBehind(t, limit)
	for i := range count {
		o := c.Object(fmt.Sprint(i), "e", limit)
		read(o, 0, limit/2)
		c.check()
		o.Close()
	}
	if used := c.pool.budget.Used(); used > limit+BlockSize {
		t.Errorf("%d bytes are held", used)
	}
	d := catchUp()
	const whole = limit / 2 / BlockSize
	if there, run := d.Run(fmt.Sprint(count-1), "e", limit, 0, whole); !there || run != whole {
		t.Errorf("the last object on the disk: %v for %d blocks", there, run)
	}
	// One block may have been on its way, instead of a block of the second to last object.
	written := 0
	for i := range int64((count - 2) * whole) {
		if there, _ := d.Run(fmt.Sprint(i/whole), "e", limit, i%whole, 1); there {
			written++
		}
	}
	if written > 1 {
		t.Errorf("%d blocks on the disk that were evicted before", written)
	}
}

// TestDroppedIsNotSaved checks that a version that was dropped before the disk was
// ready is not written afterwards.
func TestDroppedIsNotSaved(t *testing.T) {
	c, catchUp := diskBehind(t, 64<<20)
	first, o := c.Object("first", "e", BlockSize), c.Object("k", "e", 4*BlockSize)
	read(first, 0, BlockSize) // keeps the writer busy
	read(o, 0, 4*BlockSize)
	c.drop(objectKey{"k", "e", false})
	o.Close()
	first.Close()
	d := catchUp()
	if there, _ := d.Run("k", "e", 4*BlockSize, 0, 1); there {
		t.Error("a dropped version is on the disk")
	}
}
