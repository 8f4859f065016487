package cache

import "testing"

// TestReadMakesNoGarbage checks that a read of cached bytes allocates nothing.
func TestReadMakesNoGarbage(t *testing.T) {
	if raceEnabled {
		t.Skip("sync.Pool forgets at random under the race detector")
	}
	c := testBlocks(64 << 20)
	o := c.Object("k", "e", 16*BlockSize)
	read(o, 0, 16*BlockSize)
	defer o.Close()
	sum := 0
	got := testing.AllocsPerRun(1000, func() {
		p := o.Pin(BlockSize/2, 8*BlockSize)
		for _, b := range p.Slices() {
			sum += len(b)
		}
		p.Done()
	})
	if got != 0 || sum == 0 {
		t.Errorf("%v allocations for a read", got)
	}
}
